//! The platform's processes for callers who know them by their wire names: start, signal, query,
//! wait, and what it cost.

mod overview;
mod schedules;

use serde_json::Value;
use temporalio_client::errors::{
    WorkflowGetResultError, WorkflowInteractionError, WorkflowQueryError, WorkflowStartError,
    WorkflowUpdateError,
};
use temporalio_client::schedules::ScheduleError;
use temporalio_client::tonic::{self, Code};
use temporalio_client::{
    Client, UntypedQuery, UntypedSignal, UntypedUpdate, UntypedWorkflowHandle,
    WorkflowCancelOptions, WorkflowExecuteUpdateOptions, WorkflowFetchHistoryOptions,
    WorkflowGetResultOptions, WorkflowHistoryError, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy, WorkflowQueryOptions, WorkflowSignalOptions, WorkflowStartOptions,
    WorkflowTerminateOptions,
};
use temporalio_common::data_converters::RawValue;
use temporalio_common::error::IncomingError;
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::{MemoValues, UntypedWorkflow};

use crate::cost::{self, Cost};
use crate::error::ErrorCode;
use crate::wire::json_payload;

pub use overview::{Description, Filter, Page, PendingActivity, Pollers, Status, Summary};
pub use schedules::{Applied, Schedule, ScheduleOverview};

/// Why a process cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Starting failed.
    #[error("cannot start the workflow")]
    Start(#[source] Box<WorkflowStartError>),
    /// Signalling, or reading its history, failed.
    #[error("cannot reach the workflow")]
    Interaction(#[source] Box<WorkflowInteractionError>),
    /// Querying failed.
    #[error("cannot query the workflow")]
    Query(#[source] Box<WorkflowQueryError>),
    /// An update could not be made, or was not answered.
    #[error("cannot update the workflow")]
    Update(#[source] Box<WorkflowUpdateError>),
    /// Waiting failed.
    #[error("cannot wait for the workflow's end")]
    Result(#[source] Box<WorkflowGetResultError>),
    /// Listing failed.
    #[error("cannot list the workflows")]
    List(#[source] Box<temporalio_client::errors::ClientError>),
    /// A history cannot be had as JSON.
    #[error("cannot read the workflow's history")]
    History(#[source] Box<WorkflowHistoryError>),
    /// A schedule could not be read or changed.
    #[error("cannot reach the schedule")]
    Schedule(#[source] Box<ScheduleError>),
    /// The service did not answer a question about itself.
    #[error("the Temporal service does not answer")]
    Service(#[source] Box<tonic::Status>),
    /// An answer is not JSON.
    #[error("the workflow answered something that is not JSON")]
    NotJson(#[source] serde_json::Error),
}

impl From<ScheduleError> for ClientError {
    fn from(error: ScheduleError) -> Self {
        Self::Schedule(Box::new(error))
    }
}

impl ClientError {
    /// Whether there is no such process or schedule, or, where one that runs was asked for, it has ended.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Interaction(error) => matches!(**error, WorkflowInteractionError::NotFound(_)),
            Self::Query(error) => matches!(**error, WorkflowQueryError::NotFound(_)),
            Self::Update(error) => matches!(**error, WorkflowUpdateError::NotFound(_)),
            Self::Result(error) => matches!(**error, WorkflowGetResultError::NotFound(_)),
            Self::Schedule(error) => schedules::is_missing(error),
            _ => false,
        }
    }

    /// What the Temporal service answered, if it was the service that refused or could not be reached.
    pub fn status(&self) -> Option<&tonic::Status> {
        match self {
            Self::Start(error) => match &**error {
                WorkflowStartError::Rpc(status) => Some(status),
                _ => None,
            },
            Self::Interaction(error) => match &**error {
                WorkflowInteractionError::Rpc(status) => Some(status),
                _ => None,
            },
            Self::Query(error) => match &**error {
                WorkflowQueryError::Rpc(status) => Some(status),
                _ => None,
            },
            Self::Update(error) => match &**error {
                WorkflowUpdateError::Rpc(status) => Some(status),
                _ => None,
            },
            Self::Result(error) => match &**error {
                WorkflowGetResultError::Rpc(status) => Some(status),
                _ => None,
            },
            Self::Service(status) => Some(status),
            _ => None,
        }
    }

    /// Whether a page may not be there because it was asked for by a place that is none of Temporal's: some
    /// of its stores take that for an error of their own.
    pub fn may_be_about_page(&self) -> bool {
        self.status().is_some_and(|status| {
            matches!(
                status.code(),
                Code::Unknown | Code::Internal | Code::InvalidArgument
            )
        })
    }

    /// Whether the service refuses what was asked: asking again would not help.
    pub fn is_refused(&self) -> bool {
        self.status()
            .is_some_and(|status| matches!(status.code(), Code::InvalidArgument | Code::OutOfRange))
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With a result.
    Completed(Value),
    /// With a failure of this code.
    Failed {
        /// The contract's code: the failure's `type`.
        code: ErrorCode,
        /// The failure's message.
        message: String,
    },
    /// Cancelled through Temporal.
    Cancelled,
    /// Terminated by an operator.
    Terminated,
    /// Out of time.
    TimedOut,
}

/// The answer to an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updated {
    /// It was made; what the workflow says of it.
    Accepted(Value),
    /// The workflow refused it.
    Rejected {
        /// The contract's code; [`ErrorCode::Unknown`] if the refusal carries none.
        code: ErrorCode,
        /// Why.
        message: String,
    },
}

/// The name in a process's memo under which its user stands.
const OWNER: &str = "userId";

/// Starts processes on one task queue.
#[derive(Clone)]
pub struct ProcessClient {
    client: Client,
    task_queue: String,
}

/// A process, running or ended.
pub struct Process {
    handle: UntypedWorkflowHandle<Client>,
    /// Its id.
    pub id: String,
    /// Whether it was there already when it was asked for.
    pub joined: bool,
}

impl ProcessClient {
    /// Processes on this task queue.
    pub fn new(client: Client, task_queue: impl Into<String>) -> Self {
        Self {
            client,
            task_queue: task_queue.into(),
        }
    }

    /// The Temporal client.
    pub const fn temporal(&self) -> &Client {
        &self.client
    }

    /// Starts a process, or joins the one of this id that runs or has ended well.
    pub async fn start(
        &self,
        workflow: &str,
        id: &str,
        input: &Value,
    ) -> Result<Process, ClientError> {
        self.start_with(workflow, id, input, self.options(id)).await
    }

    async fn start_with(
        &self,
        workflow: &str,
        id: &str,
        input: &Value,
        options: WorkflowStartOptions,
    ) -> Result<Process, ClientError> {
        let workflow = UntypedWorkflow::new(workflow);
        // Refused rather than joined silently: whoever asks learns whether it was there.
        let mut options = options;
        options.id_conflict_policy = WorkflowIdConflictPolicy::Fail;
        // Boxed: it is large, and every caller's future would carry it along.
        let started = Box::pin(self.client.start_workflow(workflow, raw(input), options));
        match started.await {
            Ok(handle) => Ok(Process {
                handle,
                id: id.to_owned(),
                joined: false,
            }),
            Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(Process {
                joined: true,
                ..self.process(id)
            }),
            Err(error) => Err(ClientError::Start(Box::new(error))),
        }
    }

    /// The same for a user, whose it is from then on: [`Summary::user_id`] tells.
    pub async fn start_for(
        &self,
        workflow: &str,
        id: &str,
        input: &Value,
        user: &str,
    ) -> Result<Process, ClientError> {
        let mut options = self.options(id);
        options.memo = Some(owned_by(user));
        self.start_with(workflow, id, input, options).await
    }

    /// Starts a process that finds a signal waiting when it begins.
    pub async fn start_with_signal(
        &self,
        workflow: &str,
        id: &str,
        input: &Value,
        signal: &str,
        payload: &Value,
    ) -> Result<Process, ClientError> {
        let handle = self
            .client
            .signal_with_start_workflow(
                UntypedWorkflow::new(workflow),
                raw(input),
                UntypedSignal::new(signal),
                raw(payload),
                self.options(id),
            )
            .await
            .map_err(|error| ClientError::Start(Box::new(error)))?;
        Ok(Process {
            handle,
            id: id.to_owned(),
            joined: false,
        })
    }

    /// Starts a process, for a user if one is given, or joins the one of this id that runs. One that
    /// ended, however it did, is started anew.
    pub async fn start_anew(
        &self,
        workflow: &str,
        id: &str,
        input: &Value,
        user: Option<&str>,
    ) -> Result<Process, ClientError> {
        let mut options = self.options(id);
        options.memo = user.map(owned_by);
        options.id_reuse_policy = WorkflowIdReusePolicy::AllowDuplicate;
        self.start_with(workflow, id, input, options).await
    }

    /// Starts a process; one of this id that runs already is sent a signal instead.
    ///
    /// Safe to repeat. One that ended, however it did, is started anew.
    pub async fn start_or_signal(
        &self,
        workflow: &str,
        id: &str,
        input: &Value,
        signal: (&str, &Value),
    ) -> Result<Process, ClientError> {
        // Between the two calls a process may end, or begin: the second look is then the last word.
        for _ in 0..2 {
            let process = self.start_anew(workflow, id, input, None).await?;
            if !process.joined {
                return Ok(process);
            }
            match process.signal(signal.0, signal.1).await {
                Err(ClientError::Interaction(error))
                    if matches!(*error, WorkflowInteractionError::NotFound(_)) => {}
                signalled => return signalled.map(|()| process),
            }
        }
        self.start(workflow, id, input).await
    }

    /// The process of this id, which may not exist.
    pub fn process(&self, id: &str) -> Process {
        Process {
            handle: self.client.get_workflow_handle(id),
            id: id.to_owned(),
            joined: true,
        }
    }

    fn options(&self, id: &str) -> WorkflowStartOptions {
        WorkflowStartOptions::new(self.task_queue.clone(), id)
            .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicateFailedOnly)
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .build()
    }
}

impl Process {
    /// Sends a signal.
    pub async fn signal(&self, name: &str, payload: &Value) -> Result<(), ClientError> {
        self.handle
            .signal(
                UntypedSignal::new(name),
                raw(payload),
                WorkflowSignalOptions::default(),
            )
            .await
            .map_err(|error| ClientError::Interaction(Box::new(error)))
    }

    /// Sends a signal that a run is to get once, however often it is sent under this id.
    pub async fn signal_once(
        &self,
        name: &str,
        payload: &Value,
        request_id: &str,
    ) -> Result<(), ClientError> {
        let options = WorkflowSignalOptions::builder()
            .request_id(request_id.to_owned())
            .build();
        self.handle
            .signal(UntypedSignal::new(name), raw(payload), options)
            .await
            .map_err(|error| ClientError::Interaction(Box::new(error)))
    }

    /// Asks a query.
    pub async fn query(&self, name: &str) -> Result<Value, ClientError> {
        let answer = self
            .handle
            .query(
                UntypedQuery::new(name),
                RawValue::new(Vec::new()),
                WorkflowQueryOptions::default(),
            )
            .await
            .map_err(|error| ClientError::Query(Box::new(error)))?;
        json(&answer)
    }

    /// Makes an update, and waits for the answer. The same `update_id` is made once.
    pub async fn update(
        &self,
        name: &str,
        payload: &Value,
        update_id: Option<String>,
    ) -> Result<Updated, ClientError> {
        let options = WorkflowExecuteUpdateOptions::builder()
            .maybe_update_id(update_id)
            .build();
        let answer = self
            .handle
            .execute_update(UntypedUpdate::new(name), raw(payload), options)
            .await;
        match answer {
            Ok(answer) => json(&answer).map(Updated::Accepted),
            Err(WorkflowUpdateError::Failed(failure)) => Ok(rejected(&failure)),
            Err(error) => Err(ClientError::Update(Box::new(error))),
        }
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Result<Ended, ClientError> {
        match self
            .handle
            .get_result(WorkflowGetResultOptions::default())
            .await
        {
            Ok(result) => json(&result).map(Ended::Completed),
            Err(WorkflowGetResultError::Failed(error)) => Ok(failed(&error)),
            Err(WorkflowGetResultError::Cancelled { .. }) => Ok(Ended::Cancelled),
            Err(WorkflowGetResultError::Terminated { .. }) => Ok(Ended::Terminated),
            Err(WorkflowGetResultError::TimedOut) => Ok(Ended::TimedOut),
            Err(error) => Err(ClientError::Result(Box::new(error))),
        }
    }

    /// The events of its history so far.
    pub async fn history(&self) -> Result<Vec<HistoryEvent>, ClientError> {
        self.handle
            .fetch_history(WorkflowFetchHistoryOptions::default())
            .into_events()
            .await
            .map_err(|error| ClientError::Interaction(Box::new(error)))
    }

    /// What it cost so far.
    pub async fn cost(&self) -> Result<Cost, ClientError> {
        Ok(cost::of_history(&self.history().await?))
    }

    /// Asks Temporal to cancel it.
    pub async fn cancel(&self) -> Result<(), ClientError> {
        self.cancel_because("").await
    }

    /// Asks Temporal to cancel it, for a reason that its history keeps.
    pub async fn cancel_because(&self, reason: &str) -> Result<(), ClientError> {
        let options = WorkflowCancelOptions::builder().reason(reason).build();
        self.handle
            .cancel(options)
            .await
            .map_err(|error| ClientError::Interaction(Box::new(error)))
    }

    /// Ends it at once, for a reason that its history keeps. It cannot undo anything any more.
    pub async fn terminate(&self, reason: &str) -> Result<(), ClientError> {
        let options = WorkflowTerminateOptions::builder().reason(reason).build();
        self.handle
            .terminate(options)
            .await
            .map_err(|error| ClientError::Interaction(Box::new(error)))
    }
}

/// What says whose a process is.
fn owned_by(user: &str) -> MemoValues {
    let mut memo = MemoValues::new();
    memo.insert(OWNER, user.to_owned());
    memo
}

fn raw(value: &Value) -> RawValue {
    match value {
        // A JSON null stands for no argument at all.
        Value::Null => RawValue::new(Vec::new()),
        value => RawValue::new(vec![json_payload(value.to_string().into_bytes())]),
    }
}

fn json(raw: &RawValue) -> Result<Value, ClientError> {
    raw.payloads
        .first()
        .filter(|payload| !payload.data.is_empty())
        .map_or(Ok(Value::Null), |payload| {
            serde_json::from_slice(&payload.data).map_err(ClientError::NotJson)
        })
}

fn rejected(failure: &Failure) -> Updated {
    let code = match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => ErrorCode::from_wire(&info.r#type),
        _ => ErrorCode::Unknown,
    };
    Updated::Rejected {
        code,
        message: failure.message.clone(),
    }
}

fn failed(error: &IncomingError) -> Ended {
    match error {
        IncomingError::Application(failure) => Ended::Failed {
            code: failure
                .type_name()
                .map_or(ErrorCode::Unknown, ErrorCode::from_wire),
            message: failure.to_string(),
        },
        other => Ended::Failed {
            code: ErrorCode::Unknown,
            message: other.failure().message.clone(),
        },
    }
}
