//! Onboardings.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use partner_core::ids::UserId;
use partner_core::workflow_id;
use partner_user::workflows::user_onboarding::UserOnboardingInput;

use super::show;
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::Path;
use crate::progress::WorkflowState;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};
use crate::state::ApiState;

impl Start for UserOnboardingInput {
    const WORKFLOW: &'static str = "userOnboardingWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }
}

/// Make somebody a partner.
#[utoipa::path(
    post, path = "/api/v1/onboardings", tag = "onboarding",
    request_body = UserOnboardingInput, params(WaitQuery),
    responses(StartResponses),
)]
pub(crate) async fn start(request: StartRequest<UserOnboardingInput>) -> Result<Response> {
    let id = workflow_id::onboarding(&request.input().user_id);
    request.start(id).await
}

/// How the onboarding of a user stands.
#[utoipa::path(
    get, path = "/api/v1/onboardings/{userId}", tag = "onboarding",
    params(("userId" = String, Path, description = "The user")),
    responses((status = 200, description = "How it stands", body = WorkflowState)),
)]
pub(crate) async fn status(
    State(api): State<ApiState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<WorkflowState>> {
    let user = UserId::parse(user).map_err(|error| ApiError::field("userId", error.to_string()))?;
    let id = workflow_id::onboarding(&user);
    show(&api, &caller, &id).await
}
