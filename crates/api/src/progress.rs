//! How a workflow stands.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::join;
use partner_core::client::{Description, Ended, Process, ProcessClient, Status};
use partner_core::error::ErrorCode;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::auth::{Caller, Scope};
use crate::error::Result;
use crate::state::Api;
use crate::visibility::missing;

/// How long a worker may take to say how far a workflow is; without its answer, that is left out.
const QUERY_PATIENCE: Duration = Duration::from_secs(2);

/// How a workflow stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowState {
    /// Its id.
    pub(crate) workflow_id: String,
    /// Its latest run.
    pub(crate) run_id: String,
    /// The wire name of its type.
    pub(crate) workflow_type: String,
    /// How it stands.
    pub(crate) status: Status,
    /// When it began.
    pub(crate) started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub(crate) closed_at: Option<DateTime<Utc>>,
    /// The step that it is at, while it runs and a worker answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<String>,
    /// How far it is, while it runs and a worker answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<WorkflowProgress>,
    /// What it came to, if it ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Value>,
    /// Why it ended otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<WorkflowFailure>,
    /// Whose it is.
    #[serde(skip)]
    pub(crate) owner: Option<String>,
}

/// How far a workflow is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub(crate) struct WorkflowProgress {
    /// Steps that are done.
    completed: u32,
    /// Steps in all.
    total: u32,
    /// The same in per cent, rounded down.
    percent: u32,
    /// What is being done, for a person.
    message: String,
}

/// Why a workflow ended otherwise than well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct WorkflowFailure {
    /// The contract's code.
    pub(crate) code: ErrorCode,
    /// What happened, for a person.
    pub(crate) message: String,
}

/// How the workflow of this id stands, if the caller may see it.
pub(crate) async fn state(api: &Api, caller: &Caller, id: &str) -> Result<WorkflowState> {
    // A worker that does not answer must not use up all of the time.
    let patience = QUERY_PATIENCE.min(api.config.dependency_timeout / 2);
    let state = api
        .temporal
        .ask(async |client| look(client, id, patience).await)
        .await?;
    if caller.sees(state.owner.as_deref()) {
        return Ok(state.told_to(caller));
    }
    Err(missing(id))
}

impl WorkflowState {
    /// The same without what is nobody's business: a failure of our systems is told in their own words to
    /// those who look after them.
    pub(crate) fn told_to(mut self, caller: &Caller) -> Self {
        if caller.require(Scope::Admin).is_ok() {
            return self;
        }
        if let Some(failure) = &mut self.failure
            && let Some(words) = in_general(failure.code)
        {
            words.clone_into(&mut failure.message);
        }
        self
    }
}

/// What is told of a failure whose own words are about our systems.
const fn in_general(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::ValidationError
        | ErrorCode::PaymentFailed
        | ErrorCode::InventoryUnavailable
        | ErrorCode::Cancelled => None,
        ErrorCode::GatewayError => Some("the payment gateway could not be used"),
        ErrorCode::DatabaseError => Some("the database could not be used"),
        ErrorCode::ExternalServiceError => Some("a service that this needs could not be used"),
        ErrorCode::Timeout => Some("something took longer than it may"),
        ErrorCode::Unknown => Some("something went wrong"),
    }
}

async fn look(
    client: &ProcessClient,
    id: &str,
    patience: Duration,
) -> std::result::Result<WorkflowState, partner_core::client::ClientError> {
    let process = client.process(id);
    let description = process.describe().await?;
    if description.summary.closed_at.is_some() && !goes_on(&description) {
        let how = process.ended().await?;
        return Ok(ended(description, how));
    }
    let (status, progress) = join!(
        ask(&process, "getStatus", patience),
        ask(&process, "getProgress", patience)
    );
    Ok(WorkflowState {
        step: status
            .as_ref()
            .and_then(|status| status["step"].as_str())
            .map(str::to_owned),
        progress: progress.and_then(|progress| serde_json::from_value(progress).ok()),
        ..overview(description)
    })
}

/// Whether another run is about to begin.
fn goes_on(description: &Description) -> bool {
    description.summary.status == Status::ContinuedAsNew
}

/// A worker's answer; none if there is no worker, or it is busy: Temporal knows the rest.
async fn ask(process: &Process, query: &str, patience: Duration) -> Option<Value> {
    let answer = timeout(patience, process.query(query)).await;
    answer.ok()?.ok()
}

/// A workflow that has ended.
pub(crate) fn ended(description: Description, how: Ended) -> WorkflowState {
    let failure = |code, message: &str| WorkflowFailure {
        code,
        message: message.to_owned(),
    };
    let (result, failure) = match how {
        Ended::Completed(result) => (Some(result), None),
        Ended::Failed { code, message } => (None, Some(WorkflowFailure { code, message })),
        Ended::Cancelled => (
            None,
            Some(failure(ErrorCode::Cancelled, "it was cancelled")),
        ),
        Ended::Terminated => (
            None,
            Some(failure(ErrorCode::Cancelled, "an operator ended it")),
        ),
        Ended::TimedOut => (
            None,
            Some(failure(ErrorCode::Timeout, "it ran out of time")),
        ),
    };
    WorkflowState {
        result,
        failure,
        ..overview(description)
    }
}

fn overview(description: Description) -> WorkflowState {
    let summary = description.summary;
    WorkflowState {
        workflow_id: summary.workflow_id,
        run_id: summary.run_id,
        workflow_type: summary.workflow_type,
        status: summary.status,
        started_at: summary.started_at,
        closed_at: summary.closed_at,
        step: None,
        progress: None,
        result: None,
        failure: None,
        owner: summary.user_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: ErrorCode) -> WorkflowState {
        WorkflowState {
            workflow_id: "w".to_owned(),
            run_id: "r".to_owned(),
            workflow_type: "t".to_owned(),
            status: Status::Failed,
            started_at: None,
            closed_at: None,
            step: None,
            progress: None,
            result: None,
            failure: Some(WorkflowFailure {
                code,
                message: "connection to 10.0.0.7 refused".to_owned(),
            }),
            owner: None,
        }
    }

    fn told(code: ErrorCode, scope: Scope) -> String {
        let caller = Caller {
            id: "key:1".to_owned(),
            name: "n".to_owned(),
            scopes: [scope].into(),
            person: None,
            user: None,
        };
        failed(code).told_to(&caller).failure.unwrap().message
    }

    #[test]
    fn only_administrators_hear_of_our_systems() {
        for code in ErrorCode::ALL {
            assert!(told(code, Scope::Admin).contains("10.0.0.7"));
        }
        assert!(!told(ErrorCode::DatabaseError, Scope::Read).contains("10.0.0.7"));
        assert!(!told(ErrorCode::Unknown, Scope::Read).contains("10.0.0.7"));
        assert!(told(ErrorCode::PaymentFailed, Scope::Read).contains("10.0.0.7"));
    }
}
