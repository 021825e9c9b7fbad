//! What a workflow costs: history events, and billable actions as Temporal Cloud counts them.
//!
//! The rules are those of Temporal's documentation ("Actions", 2026): a start, an activity's start
//! and each of its retries, a timer, a signal and an update are one each; all local activities of
//! one workflow task are one together; a child is two.

use std::collections::BTreeSet;

use serde::Serialize;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

/// The cost of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Events in its history.
    pub events: usize,
    /// Billable actions.
    pub actions: usize,
}

/// Reckons the cost from a run's history.
pub fn of_history(events: &[HistoryEvent]) -> Cost {
    // Markers of one workflow task share the event that completed it.
    let mut tasks_with_local_activities = BTreeSet::new();
    let mut actions = 0;
    for event in events {
        actions += match event.event_type() {
            EventType::WorkflowExecutionStarted
            | EventType::TimerStarted
            | EventType::WorkflowExecutionSignaled
            | EventType::WorkflowExecutionUpdateAccepted
            | EventType::UpsertWorkflowSearchAttributes
            | EventType::ActivityTaskScheduled => 1,
            EventType::StartChildWorkflowExecutionInitiated => 2,
            _ => 0,
        };
        match &event.attributes {
            Some(Attributes::ActivityTaskStartedEventAttributes(started)) => {
                actions += usize::try_from(started.attempt.saturating_sub(1)).unwrap_or(0);
            }
            Some(Attributes::MarkerRecordedEventAttributes(marker)) => {
                tasks_with_local_activities.insert(marker.workflow_task_completed_event_id);
            }
            _ => {}
        }
    }
    Cost {
        events: events.len(),
        actions: actions + tasks_with_local_activities.len(),
    }
}
