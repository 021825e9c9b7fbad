//! Cleanups.

use axum::response::Response;
use partner_analytics::workflows::data_cleanup::DataCleanupInput;
use partner_core::workflow_id;

use super::reports::now;
use crate::auth::Scope;
use crate::error::Result;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};

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
    responses(StartResponses),
)]
pub(crate) async fn start(request: StartRequest<DataCleanupInput>) -> Result<Response> {
    let input = request.input();
    let mut id = workflow_id::cleanup(input.cleanup_type.as_str(), now().date_naive());
    if input.dry_run {
        // A look beforehand must not stand in the way of the cleanup itself.
        id.push_str("-dry-run");
    }
    request.start(id).await
}
