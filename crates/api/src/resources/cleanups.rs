//! Cleanups.

use axum::extract::State;
use axum::response::Response;
use partner_analytics::workflows::data_cleanup::DataCleanupInput;
use partner_core::workflow_id;

use super::reports::now;
use crate::auth::{Caller, Scope};
use crate::error::Result;
use crate::extract::{Body, IdempotencyKey, Query};
use crate::progress::WorkflowState;
use crate::start::{Start, Started, WaitQuery, start as begin};
use crate::state::ApiState;

impl Start for DataCleanupInput {
    const WORKFLOW: &'static str = "dataCleanupWorkflow";
    const SCOPE: Scope = Scope::Admin;

    fn user(&self) -> Option<&str> {
        None
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.continued.is_some() {
            return Err("continued: the workflow's own, leave it out".to_owned());
        }
        Ok(())
    }
}

/// Back old data up, and delete it.
///
/// With `dryRun` it is only counted. One cleanup of a type is made a day: asked for again, the same
/// workflow answers.
#[utoipa::path(
    post, path = "/api/v1/cleanups", tag = "cleanups",
    request_body = DataCleanupInput, params(WaitQuery),
    responses(
        (status = 200, description = "It has ended within the wait", body = WorkflowState),
        (status = 202, description = "It is under way", body = Started),
    ),
)]
pub(crate) async fn start(
    State(api): State<ApiState>,
    caller: Caller,
    key: IdempotencyKey,
    Query(wait): Query<WaitQuery>,
    body: Body<DataCleanupInput>,
) -> Result<Response> {
    let mut id = workflow_id::cleanup(body.value.cleanup_type.as_str(), now().date_naive());
    if body.value.dry_run {
        // A look beforehand must not stand in the way of the cleanup itself.
        id.push_str("-dry-run");
    }
    begin(&api, &caller, &body, id, key, wait).await
}
