//! What must hold of every history.

use anyhow::{Result, ensure};
use temporalio_common::protos::temporal::api::enums::v1::{EventType, WorkflowTaskFailedCause};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

/// How many events of a type a history has.
pub fn count(events: &[HistoryEvent], wanted: EventType) -> usize {
    events
        .iter()
        .filter(|event| event.event_type() == wanted)
        .count()
}

/// The types of a history's events, in their order.
pub fn types(events: &[HistoryEvent]) -> Vec<EventType> {
    events.iter().map(HistoryEvent::event_type).collect()
}

/// No workflow task failed, and no timer was left behind to wake the workflow later.
pub fn check(events: &[HistoryEvent]) -> Result<()> {
    let count = |wanted| count(events, wanted);
    let failed = events.iter().filter(|event| is_failed_task(event)).count();
    ensure!(failed == 0, "{failed} failed tasks in {events:#?}");
    let timed_out = count(EventType::WorkflowTaskTimedOut);
    ensure!(timed_out == 0, "{timed_out} late tasks in {events:#?}");
    let (started, fired, cancelled) = (
        count(EventType::TimerStarted),
        count(EventType::TimerFired),
        count(EventType::TimerCanceled),
    );
    ensure!(
        started == fired + cancelled,
        "{started} timers started, {fired} fired, {cancelled} cancelled"
    );
    Ok(())
}

/// How much time passed from the first event to the last, in whole seconds of the server's clock.
pub fn seconds(events: &[HistoryEvent]) -> i64 {
    let at = |event: Option<&HistoryEvent>| {
        let time = event.and_then(|event| event.event_time.as_ref());
        time.map_or(0, |time| time.seconds)
    };
    at(events.last()) - at(events.first())
}

/// A task that would have closed the run while a message came in is done again with that message:
/// the server calls it failed, and all is well.
fn is_failed_task(event: &HistoryEvent) -> bool {
    match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => {
            failed.cause() != WorkflowTaskFailedCause::UnhandledCommand
        }
        _ => false,
    }
}
