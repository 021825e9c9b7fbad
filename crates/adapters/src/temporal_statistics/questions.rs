//! The questions that are put to Temporal.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use partner_analytics::model::Window;
use partner_analytics::ports::workflow_statistics::{QueueBacklog, WorkflowStatisticsError};
use temporalio_client::Client;
use temporalio_client::tonic::{Code, Request, Status};
use temporalio_common::protos::temporal::api::common::v1::{Payload, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::{
    HistoryEventFilterType, TaskQueueType, WorkflowExecutionStatus,
};
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, DescribeTaskQueueRequest, GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
};

use super::{MOST_DURATIONS, MOST_FAILURES};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many workflows one page of an answer has.
const PAGE: i32 = 500;

/// A failure that names no type.
const UNNAMED: &str = "UNKNOWN";

/// Asks one namespace.
#[derive(Clone, Copy)]
pub(super) struct Questions<'a> {
    pub(super) client: &'a Client,
}

type Answer<T> = Result<T, WorkflowStatisticsError>;

impl Questions<'_> {
    /// How many workflows of a type were started in a window.
    pub(super) async fn started(self, workflow_type: &str, window: Window) -> Answer<u64> {
        let query = query(workflow_type, "StartTime", window);
        let answer = self.count(query).await?;
        Ok(u64::try_from(answer.0).unwrap_or_default())
    }

    /// How many workflows of a type closed in a window, by their status.
    pub(super) async fn closed(
        self,
        workflow_type: &str,
        window: Window,
    ) -> Answer<BTreeMap<String, u64>> {
        let query = query(workflow_type, "CloseTime", window);
        let answer = self.count(format!("{query} GROUP BY ExecutionStatus"));
        let (_, groups) = answer.await?;
        let groups = groups.into_iter().filter_map(|(status, count)| {
            // `Completed` for WORKFLOW_EXECUTION_STATUS_COMPLETED.
            let status = [
                WorkflowExecutionStatus::Completed,
                WorkflowExecutionStatus::Failed,
                WorkflowExecutionStatus::Canceled,
                WorkflowExecutionStatus::TimedOut,
                WorkflowExecutionStatus::Terminated,
            ]
            .into_iter()
            .find(|known| is_called(*known, &status))?;
            let count = u64::try_from(count).unwrap_or_default();
            Some((status.as_str_name().to_owned(), count))
        });
        Ok(groups.filter(|(_, count)| *count > 0).collect())
    }

    /// How long the latest of those took that closed, in milliseconds.
    pub(super) async fn durations(self, workflow_type: &str, window: Window) -> Answer<Vec<u64>> {
        let query = query(workflow_type, "CloseTime", window);
        let closed = self.list(query, MOST_DURATIONS).await?;
        Ok(closed.iter().filter_map(duration).collect())
    }

    /// The latest of those that failed.
    pub(super) async fn failed(
        self,
        workflow_type: &str,
        window: Window,
    ) -> Answer<Vec<WorkflowExecution>> {
        let query = query(workflow_type, "CloseTime", window);
        let query = format!("{query} AND ExecutionStatus = 'Failed'");
        let failed = self.list(query, MOST_FAILURES).await?;
        Ok(failed
            .into_iter()
            .filter_map(|info| info.execution)
            .collect())
    }

    /// The type of the failure that a workflow ended with: the contract's code, where it is ours.
    pub(super) async fn failure_type(self, execution: WorkflowExecution) -> Answer<String> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace(),
            execution: Some(execution),
            history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
            ..GetWorkflowExecutionHistoryRequest::default()
        };
        let mut service = self.client.connection().workflow_service();
        let answer = service.get_workflow_execution_history(in_time(request));
        let history = answer.await.map_err(explain)?.into_inner().history;
        let event = history.and_then(|mut history| history.events.pop());
        let failure = event.and_then(|event| match event.attributes {
            Some(Attributes::WorkflowExecutionFailedEventAttributes(failed)) => failed.failure,
            _ => None,
        });
        let named = failure.and_then(|failure| match failure.failure_info {
            Some(FailureInfo::ApplicationFailureInfo(info)) => Some(info.r#type),
            _ => None,
        });
        Ok(named
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| UNNAMED.to_owned()))
    }

    /// How much waits in a task queue, of workflows and activities together.
    pub(super) async fn backlog(self, task_queue: &str) -> Answer<QueueBacklog> {
        let mut backlog = QueueBacklog {
            task_queue: task_queue.to_owned(),
            tasks: 0,
            oldest_millis: None,
        };
        for kind in [TaskQueueType::Workflow, TaskQueueType::Activity] {
            let request = DescribeTaskQueueRequest {
                namespace: self.namespace(),
                task_queue: Some(TaskQueue {
                    name: task_queue.to_owned(),
                    ..TaskQueue::default()
                }),
                task_queue_type: kind.into(),
                report_stats: true,
                ..DescribeTaskQueueRequest::default()
            };
            let mut service = self.client.connection().workflow_service();
            let answer = service.describe_task_queue(in_time(request)).await;
            let Some(stats) = answer.map_err(explain)?.into_inner().stats else {
                continue;
            };
            let tasks = u64::try_from(stats.approximate_backlog_count).unwrap_or_default();
            backlog.tasks += tasks;
            if tasks > 0 {
                let age = stats.approximate_backlog_age;
                let age = age.and_then(|age| Duration::try_from(age).ok());
                backlog.oldest_millis = backlog.oldest_millis.max(age.map(millis));
            }
        }
        Ok(backlog)
    }

    /// A count, and the counts of its groups.
    async fn count(self, query: String) -> Answer<(i64, Vec<(String, i64)>)> {
        let request = CountWorkflowExecutionsRequest {
            namespace: self.namespace(),
            query,
        };
        let mut service = self.client.connection().workflow_service();
        let answer = service.count_workflow_executions(in_time(request)).await;
        let answer = answer.map_err(explain)?.into_inner();
        let groups = answer.groups.into_iter().filter_map(|group| {
            let name = group.group_values.first().and_then(text)?;
            Some((name, group.count))
        });
        Ok((answer.count, groups.collect()))
    }

    /// The latest workflows that a query finds, so many at most.
    async fn list(self, query: String, most: usize) -> Answer<Vec<WorkflowExecutionInfo>> {
        let mut found = Vec::new();
        let mut next_page_token = Vec::new();
        loop {
            let request = ListWorkflowExecutionsRequest {
                namespace: self.namespace(),
                page_size: PAGE.min(i32::try_from(most - found.len()).unwrap_or(PAGE)),
                next_page_token,
                query: query.clone(),
            };
            let mut service = self.client.connection().workflow_service();
            let answer = service.list_workflow_executions(in_time(request)).await;
            let page = answer.map_err(explain)?.into_inner();
            found.extend(page.executions);
            if page.next_page_token.is_empty() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
            next_page_token = page.next_page_token;
        }
    }

    fn namespace(self) -> String {
        self.client.options().namespace.clone()
    }
}

/// The workflows of a type one of whose times is in a window. A type is a name of ours, without quotes.
fn query(workflow_type: &str, time: &str, window: Window) -> String {
    let at = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Nanos, true);
    format!(
        "WorkflowType = '{workflow_type}' AND {time} >= '{}' AND {time} < '{}'",
        at(window.from),
        at(window.to)
    )
}

/// Whether visibility calls a status so: `TimedOut` for `WORKFLOW_EXECUTION_STATUS_TIMED_OUT`.
fn is_called(status: WorkflowExecutionStatus, name: &str) -> bool {
    let letters = |text: &str| text.replace('_', "").to_ascii_lowercase();
    letters(status.as_str_name()).ends_with(&letters(name))
}

/// The text of a search attribute.
fn text(payload: &Payload) -> Option<String> {
    serde_json::from_slice(&payload.data).ok()
}

fn duration(info: &WorkflowExecutionInfo) -> Option<u64> {
    if let Some(duration) = info.execution_duration {
        return Duration::try_from(duration).ok().map(millis);
    }
    let (start, close) = info.start_time.zip(info.close_time)?;
    let seconds = close.seconds.checked_sub(start.seconds)?;
    let nanos = i64::from(close.nanos) - i64::from(start.nanos);
    u64::try_from(seconds * 1_000 + nanos / 1_000_000).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn in_time<T>(request: T) -> Request<T> {
    let mut request = Request::new(request);
    request.set_timeout(PATIENCE);
    request
}

fn explain(status: Status) -> WorkflowStatisticsError {
    let message = format!("{}: {}", status.code(), status.message());
    match status.code() {
        Code::InvalidArgument | Code::Unimplemented | Code::PermissionDenied | Code::NotFound => {
            WorkflowStatisticsError::Refused(message)
        }
        _ => WorkflowStatisticsError::Unavailable(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_known_by_the_names_that_visibility_has_for_them() {
        for (status, name) in [
            (WorkflowExecutionStatus::Completed, "Completed"),
            (WorkflowExecutionStatus::TimedOut, "TimedOut"),
            (WorkflowExecutionStatus::Canceled, "Canceled"),
        ] {
            assert!(is_called(status, name), "{name}");
        }
        assert!(!is_called(WorkflowExecutionStatus::Failed, "Completed"));
    }

    #[test]
    fn a_window_is_half_open() {
        let at = |text: &str| text.parse().unwrap();
        let window = Window {
            from: at("2026-11-27T08:00:00Z"),
            to: at("2026-11-28T08:00:00Z"),
        };
        assert_eq!(
            query("reminderWorkflow", "CloseTime", window),
            "WorkflowType = 'reminderWorkflow' AND CloseTime >= '2026-11-27T08:00:00.000000000Z' \
             AND CloseTime < '2026-11-28T08:00:00.000000000Z'"
        );
    }
}
