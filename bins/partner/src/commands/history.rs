//! `partner history`.

use std::process::ExitCode;
use std::time::SystemTime;

use chrono::DateTime;
use serde::Deserialize;
use temporalio_common::protos::temporal::api::common::v1::{ActivityType, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, MarkerRecordedEventAttributes,
};

use super::client::{connect, find};
use super::list::time;
use crate::cli::TargetArgs;
use crate::output;

/// Shows what happened to a workflow.
pub(crate) async fn run(args: TargetArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let (process, _) = find(&client, &args.id).await?;
    if args.client.json {
        // As it came: a number that is read and written again may not be the same.
        output::line(String::from_utf8(process.history_json().await?)?.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let events = process.history().await?;
    let header = ["EVENT", "TIME", "WHAT", "DETAIL"];
    output::line(output::table(header, events.iter().map(row)));
    Ok(ExitCode::SUCCESS)
}

fn row(event: &HistoryEvent) -> [String; 4] {
    let at = event
        .event_time
        .and_then(|at| SystemTime::try_from(at).ok());
    [
        event.event_id.to_string(),
        time(at.map(DateTime::from)),
        kind(event.event_type()),
        event.attributes.as_ref().map(detail).unwrap_or_default(),
    ]
}

/// The kind of an event as Temporal's own pages spell it, such as `ActivityTaskScheduled`.
fn kind(of: EventType) -> String {
    let name = of.as_str_name();
    let words = name.trim_start_matches("EVENT_TYPE_").split('_');
    let spelled = words.flat_map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        [first.to_owned(), rest.to_lowercase()]
    });
    spelled.collect()
}

/// What tells this event from another one of its kind.
fn detail(attributes: &Attributes) -> String {
    use Attributes as A;
    match attributes {
        A::WorkflowExecutionStartedEventAttributes(started) => {
            workflow(started.workflow_type.as_ref())
        }
        A::WorkflowExecutionFailedEventAttributes(failed) => message(failed.failure.as_ref()),
        A::WorkflowExecutionSignaledEventAttributes(signal) => signal.signal_name.clone(),
        A::WorkflowExecutionCancelRequestedEventAttributes(cancel) => cancel.cause.clone(),
        A::WorkflowExecutionTerminatedEventAttributes(terminated) => terminated.reason.clone(),
        A::WorkflowTaskFailedEventAttributes(failed) => message(failed.failure.as_ref()),
        A::ActivityTaskScheduledEventAttributes(scheduled) => {
            activity(scheduled.activity_type.as_ref())
        }
        A::ActivityTaskStartedEventAttributes(started) => format!("attempt {}", started.attempt),
        A::ActivityTaskFailedEventAttributes(failed) => message(failed.failure.as_ref()),
        A::ActivityTaskTimedOutEventAttributes(late) => message(late.failure.as_ref()),
        A::TimerStartedEventAttributes(timer) => {
            let wait = timer.start_to_fire_timeout.unwrap_or_default();
            format!("{} s", wait.seconds)
        }
        A::MarkerRecordedEventAttributes(marker) => {
            local_activity(marker).unwrap_or_else(|| marker.marker_name.clone())
        }
        A::StartChildWorkflowExecutionInitiatedEventAttributes(child) => {
            format!(
                "{} {}",
                workflow(child.workflow_type.as_ref()),
                child.workflow_id
            )
        }
        A::WorkflowExecutionUpdateAcceptedEventAttributes(update) => {
            let request = update.accepted_request.as_ref();
            let input = request.and_then(|request| request.input.as_ref());
            input.map(|input| input.name.clone()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// The local activity that a marker is the result of.
fn local_activity(marker: &MarkerRecordedEventAttributes) -> Option<String> {
    #[derive(Deserialize)]
    struct Data {
        activity_type: String,
    }
    let data = marker.details.get("data")?.payloads.first()?;
    let data: Data = serde_json::from_slice(&data.data).ok()?;
    Some(format!("{}, in the worker", data.activity_type))
}

fn workflow(name: Option<&WorkflowType>) -> String {
    name.map(|name| name.name.clone()).unwrap_or_default()
}

fn activity(name: Option<&ActivityType>) -> String {
    name.map(|name| name.name.clone()).unwrap_or_default()
}

/// The innermost failure's words: those around it only say where.
fn message(failure: Option<&Failure>) -> String {
    let mut failure = failure;
    let mut words = String::new();
    while let Some(inner) = failure {
        words.clone_from(&inner.message);
        failure = inner.cause.as_deref();
    }
    words
}
