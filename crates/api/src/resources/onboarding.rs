//! Onboardings.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use partner_core::ids::UserId;
use partner_core::workflow_id;
use partner_user::workflows::user_onboarding::UserOnboardingInput;

use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::extract::{Body, IdempotencyKey, Path, Query};
use crate::progress::{WorkflowState, state};
use crate::start::{Start, Started, WaitQuery, start as begin};
use crate::state::ApiState;
use crate::visibility::find;

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
    body: Body<UserOnboardingInput>,
) -> Result<Response> {
    let id = workflow_id::onboarding(&body.value.user_id);
    begin(&api, &caller, &body, id, key, wait).await
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
    caller.require(Scope::Read)?;
    let user = UserId::parse(user).map_err(|error| ApiError::field("userId", error.to_string()))?;
    let id = workflow_id::onboarding(&user);
    find(&api, &caller, &id).await?;
    Ok(Json(state(&api, &id).await?))
}
