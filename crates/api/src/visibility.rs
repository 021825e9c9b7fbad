//! What a caller may see and do: one that is bound to a user sees the runs that were started for that
//! user. Everything else is not there for them.

use partner_core::client::Summary;

use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::state::Api;

/// The latest run of a workflow, which the caller may tell something.
pub(crate) async fn find(api: &Api, caller: &Caller, id: &str) -> Result<Summary> {
    let run = api
        .temporal
        .ask(async |client| client.process(id).describe().await)
        .await?
        .summary;
    if caller.sees(run.user_id.as_deref()) {
        Ok(run)
    } else {
        Err(missing(id))
    }
}

/// Refuses a caller who may not change the course of such a workflow.
pub(crate) fn may_change(caller: &Caller, run: &Summary) -> Result<()> {
    caller.require(match run.workflow_type.as_str() {
        // Started by administrators alone: who gets a report, and what is deleted, is theirs to say.
        "dailyReportWorkflow" | "dataCleanupWorkflow" => Scope::Admin,
        _ => Scope::Write,
    })
}

/// A workflow that is not the caller's, as if it did not exist.
pub(crate) fn missing(id: &str) -> ApiError {
    ApiError::NotFound(format!("there is no workflow {id:?}"))
}
