//! What must hold of every history.

use anyhow::{Result, ensure};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

/// How many events of a type a history has.
pub fn count(events: &[HistoryEvent], wanted: EventType) -> usize {
    events
        .iter()
        .filter(|event| event.event_type() == wanted)
        .count()
}

/// No workflow task failed, and no timer was left behind to wake the workflow later.
pub fn check(events: &[HistoryEvent]) -> Result<()> {
    let count = |wanted| count(events, wanted);
    for bad in [
        EventType::WorkflowTaskFailed,
        EventType::WorkflowTaskTimedOut,
    ] {
        ensure!(
            count(bad) == 0,
            "{} events of type {bad:?} in {events:#?}",
            count(bad)
        );
    }
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
