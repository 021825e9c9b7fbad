//! What there is to see of processes from outside: which there are, how one stands, what it waits for.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde::Serialize;
use temporalio_client::tonic::Request;
use temporalio_client::{
    WorkflowDescribeOptions, WorkflowExecutionDescription, WorkflowExecutionStatus,
    WorkflowFetchHistoryOptions, WorkflowListOptions,
};
use temporalio_common::protos::temporal::api::enums::v1::{PendingActivityState, TaskQueueType};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflow::v1::{
    PendingActivityInfo, WorkflowExecutionInfo,
};

use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeTaskQueueRequest, ListWorkflowExecutionsRequest,
};

use utoipa::ToSchema;

use super::{ClientError, OWNER, Process, ProcessClient};

/// How long a question to the service may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WorkflowStatus)]
pub enum Status {
    /// It runs, or waits.
    Running,
    /// It ended with a result.
    Completed,
    /// It ended with a failure.
    Failed,
    /// It was cancelled through Temporal.
    Cancelled,
    /// An operator ended it, and it could undo nothing.
    Terminated,
    /// It goes on in another run of the same id.
    ContinuedAsNew,
    /// It ran out of time.
    TimedOut,
    /// An operator holds it.
    Paused,
    /// A status that this build does not know.
    Unknown,
}

impl Status {
    /// Those that one can ask for.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Terminated,
        Self::ContinuedAsNew,
        Self::TimedOut,
        Self::Paused,
    ];

    /// The spelling in our own output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Terminated => "terminated",
            Self::ContinuedAsNew => "continued_as_new",
            Self::TimedOut => "timed_out",
            Self::Paused => "paused",
            Self::Unknown => "unknown",
        }
    }

    /// The spelling in Temporal's list filters.
    const fn in_filters(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Canceled",
            Self::Terminated => "Terminated",
            Self::ContinuedAsNew => "ContinuedAsNew",
            Self::TimedOut => "TimedOut",
            Self::Paused => "Paused",
            Self::Unknown => "Unspecified",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<WorkflowExecutionStatus> for Status {
    fn from(status: WorkflowExecutionStatus) -> Self {
        match status {
            WorkflowExecutionStatus::Running => Self::Running,
            WorkflowExecutionStatus::Completed => Self::Completed,
            WorkflowExecutionStatus::Failed => Self::Failed,
            WorkflowExecutionStatus::Canceled => Self::Cancelled,
            WorkflowExecutionStatus::Terminated => Self::Terminated,
            WorkflowExecutionStatus::ContinuedAsNew => Self::ContinuedAsNew,
            WorkflowExecutionStatus::TimedOut => Self::TimedOut,
            WorkflowExecutionStatus::Paused => Self::Paused,
            _ => Self::Unknown,
        }
    }
}

/// Which processes to list. Without any condition: all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of this workflow type.
    pub workflow_type: Option<String>,
    /// Those that stand so.
    pub status: Option<Status>,
    /// Those whose id begins so.
    pub id_prefix: Option<String>,
    /// Those with one of these ids; whatever their ids, if there are none.
    pub ids: Vec<String>,
    /// A condition in Temporal's own language, beside the others.
    pub query: Option<String>,
}

impl Filter {
    /// The filter in Temporal's language.
    fn to_query(&self) -> String {
        let conditions = [
            self.workflow_type
                .as_deref()
                .map(|name| format!("WorkflowType = {}", quoted(name))),
            self.status
                .map(|status| format!("ExecutionStatus = {}", quoted(status.in_filters()))),
            self.id_prefix
                .as_deref()
                .map(|prefix| format!("WorkflowId STARTS_WITH {}", quoted(prefix))),
            self.ids_condition(),
            self.query.as_deref().map(|query| format!("({query})")),
        ];
        let conditions: Vec<_> = conditions.into_iter().flatten().collect();
        conditions.join(" AND ")
    }

    fn ids_condition(&self) -> Option<String> {
        let ids: Vec<_> = self.ids.iter().map(|id| quoted(id)).collect();
        (!ids.is_empty()).then(|| format!("WorkflowId IN ({})", ids.join(", ")))
    }
}

/// A text in a list filter, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// One run of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WorkflowRun)]
pub struct Summary {
    /// The process.
    pub workflow_id: String,
    /// The run.
    pub run_id: String,
    /// The wire name of its type.
    pub workflow_type: String,
    /// How it stands.
    pub status: Status,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub closed_at: Option<DateTime<Utc>>,
    /// The user for whom it was started, if whoever started it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// Some of the runs that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The latest first.
    pub runs: Vec<Summary>,
    /// Where the next page begins; empty after the last one.
    pub next: Vec<u8>,
}

/// All that can be said of a process without asking it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The run that is the latest one.
    pub summary: Summary,
    /// The queue whose workers run it.
    pub task_queue: String,
    /// How many events its history has.
    pub events: usize,
    /// The process that started it as its child.
    pub parent_id: Option<String>,
    /// What it waits for.
    pub pending_activities: Vec<PendingActivity>,
}

/// How many workers poll a task queue. Temporal forgets one some minutes after its last poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pollers {
    /// For workflows.
    pub workflows: usize,
    /// For activities.
    pub activities: usize,
}

/// An activity that a process waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingActivity {
    /// Its wire name.
    pub name: String,
    /// Whether a worker has it.
    pub running: bool,
    /// Which attempt this is, or will be.
    pub attempt: i32,
    /// How many there may be; absent: without bound.
    pub most_attempts: Option<i32>,
    /// Why the last attempt failed.
    pub last_failure: Option<String>,
    /// When the next attempt begins.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

impl ProcessClient {
    /// Runs of processes, the latest first, so many at most. One that has just begun or ended may take
    /// a moment to be listed so.
    ///
    /// # Errors
    /// [`ClientError::List`], also if Temporal does not understand the filter's query.
    pub async fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Summary>, ClientError> {
        let options = WorkflowListOptions::builder().limit(limit).build();
        let listed = self
            .temporal()
            .list_workflows(filter.to_query(), options)
            .map_ok(|run| Summary::from(run.raw()));
        listed
            .try_collect()
            .await
            .map_err(|error| ClientError::List(Box::new(error)))
    }

    /// A page of runs, the latest first; the first page begins at an empty `after`, the next one at
    /// [`Page::next`].
    ///
    /// # Errors
    /// [`ClientError::Service`], also if `after` is none of Temporal's.
    pub async fn page(
        &self,
        filter: &Filter,
        size: i32,
        after: Vec<u8>,
    ) -> Result<Page, ClientError> {
        let client = self.temporal();
        let mut request = Request::new(ListWorkflowExecutionsRequest {
            namespace: client.options().namespace.clone(),
            page_size: size,
            next_page_token: after,
            query: filter.to_query(),
        });
        request.set_timeout(PATIENCE);
        let mut service = client.connection().workflow_service();
        let listed = service.list_workflow_executions(request).await;
        let listed = listed.map_err(|error| ClientError::Service(Box::new(error)))?;
        let listed = listed.into_inner();
        Ok(Page {
            runs: listed.executions.iter().map(Summary::from).collect(),
            next: listed.next_page_token,
        })
    }

    /// How many workers there are for this client's task queue.
    ///
    /// # Errors
    /// [`ClientError::Service`], also if there is no such namespace.
    pub async fn pollers(&self) -> Result<Pollers, ClientError> {
        Ok(Pollers {
            workflows: self.pollers_of(TaskQueueType::Workflow).await?,
            activities: self.pollers_of(TaskQueueType::Activity).await?,
        })
    }

    async fn pollers_of(&self, kind: TaskQueueType) -> Result<usize, ClientError> {
        let client = self.temporal();
        let mut request = Request::new(DescribeTaskQueueRequest {
            namespace: client.options().namespace.clone(),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                ..TaskQueue::default()
            }),
            task_queue_type: kind.into(),
            ..DescribeTaskQueueRequest::default()
        });
        request.set_timeout(PATIENCE);
        let mut service = client.connection().workflow_service();
        let described = service.describe_task_queue(request).await;
        let described = described.map_err(|error| ClientError::Service(Box::new(error)))?;
        // A worker polls by several connections.
        let pollers = described.into_inner().pollers.into_iter();
        let workers: BTreeSet<_> = pollers.map(|poller| poller.identity).collect();
        Ok(workers.len())
    }
}

impl Process {
    /// How it stands, and what it waits for.
    ///
    /// # Errors
    /// [`ClientError::Interaction`], also if there is no such process.
    pub async fn describe(&self) -> Result<Description, ClientError> {
        let described = self.handle.describe(WorkflowDescribeOptions::default());
        let described = described
            .await
            .map_err(|error| ClientError::Interaction(Box::new(error)))?;
        Ok(Description::from(&described))
    }

    /// The history of its latest run as the JSON that the Rust SDK replays.
    ///
    /// # Errors
    /// [`ClientError::History`], also if there is no such process.
    pub async fn history_json(&self) -> Result<Vec<u8>, ClientError> {
        self.handle
            .fetch_history(WorkflowFetchHistoryOptions::default())
            .to_json()
            .await
            .map_err(|error| ClientError::History(Box::new(error)))
    }
}

impl From<&WorkflowExecutionInfo> for Summary {
    fn from(run: &WorkflowExecutionInfo) -> Self {
        let execution = run.execution.clone().unwrap_or_default();
        Self {
            workflow_id: execution.workflow_id,
            run_id: execution.run_id,
            workflow_type: run.r#type.clone().unwrap_or_default().name,
            status: WorkflowExecutionStatus::from(run.status()).into(),
            started_at: time(run.start_time),
            closed_at: time(run.close_time),
            user_id: owner(run),
        }
    }
}

impl From<&WorkflowExecutionDescription> for Description {
    fn from(run: &WorkflowExecutionDescription) -> Self {
        let raw = run.raw();
        let info = raw.workflow_execution_info.clone().unwrap_or_default();
        let pending = raw.pending_activities.iter();
        Self {
            summary: Summary::from(&info),
            task_queue: run.task_queue().to_owned(),
            events: run.history_length(),
            parent_id: run.parent_id().map(str::to_owned),
            pending_activities: pending.map(PendingActivity::from).collect(),
        }
    }
}

/// The user in a run's memo.
fn owner(run: &WorkflowExecutionInfo) -> Option<String> {
    let owner = run.memo.as_ref()?.fields.get(OWNER)?;
    serde_json::from_slice(&owner.data).ok()
}

/// A moment on the wire; none if there is none, or if it cannot be one.
fn time(at: Option<impl TryInto<SystemTime>>) -> Option<DateTime<Utc>> {
    at.and_then(|at| at.try_into().ok()).map(DateTime::from)
}

impl From<&PendingActivityInfo> for PendingActivity {
    fn from(pending: &PendingActivityInfo) -> Self {
        let name = pending.activity_type.as_ref();
        Self {
            name: name.map(|name| name.name.clone()).unwrap_or_default(),
            running: pending.state() == PendingActivityState::Started,
            attempt: pending.attempt,
            most_attempts: (pending.maximum_attempts > 0).then_some(pending.maximum_attempts),
            last_failure: pending
                .last_failure
                .as_ref()
                .map(|failure| failure.message.clone()),
            next_attempt_at: time(pending.next_attempt_schedule_time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_conjunction() {
        assert_eq!(Filter::default().to_query(), "");
        let filter = Filter {
            workflow_type: Some("reminderWorkflow".to_owned()),
            status: Some(Status::Cancelled),
            id_prefix: None,
            ids: Vec::new(),
            query: Some("CloseTime > \"2026-11-28\" OR RunId = \"x\"".to_owned()),
        };
        assert_eq!(
            filter.to_query(),
            "WorkflowType = \"reminderWorkflow\" AND ExecutionStatus = \"Canceled\" \
             AND (CloseTime > \"2026-11-28\" OR RunId = \"x\")"
        );
    }

    #[test]
    fn what_is_quoted_cannot_end_the_quotation() {
        let filter = Filter {
            id_prefix: Some(r#"a\" OR "b"#.to_owned()),
            ..Filter::default()
        };
        assert_eq!(
            filter.to_query(),
            r#"WorkflowId STARTS_WITH "a\\\" OR \"b""#
        );
    }
}
