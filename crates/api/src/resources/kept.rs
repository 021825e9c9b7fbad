//! The routes that there were before: other services call them.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use partner_core::error::ErrorCode;
use partner_core::workflow_id;
use partner_user::workflows::send_notification::SendNotificationWorkflowInput;
use partner_user::workflows::user_onboarding::{UserOnboardingInput, UserOnboardingResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::notifications::notification_id;
use super::show;
use crate::auth::Caller;
use crate::error::{ApiError, FieldProblem, Result};
use crate::extract::Path;
use crate::progress::WorkflowState;
use crate::start::{StartRequest, Started, finish, in_time};
use crate::state::ApiState;

/// A workflow that was asked to stop.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cancelling {
    success: bool,
    workflow_id: String,
}

/// Tell a user something.
#[utoipa::path(
    post, path = "/api/temporal/notification/start", tag = "kept",
    request_body = SendNotificationWorkflowInput,
    responses((status = 202, description = "It is under way", body = Started)),
)]
pub(crate) async fn start_notification(
    request: StartRequest<SendNotificationWorkflowInput>,
) -> Result<Response> {
    let id = request.begin(notification_id(&request)).await?;
    Ok(Started::new(id).accepted())
}

/// Make somebody a partner, and answer when that is done.
#[utoipa::path(
    post, path = "/api/temporal/onboarding/execute", tag = "kept",
    request_body = UserOnboardingInput,
    responses(
        (status = 200, description = "What became of it", body = UserOnboardingResult),
        (status = 202, description = "It takes longer than an answer may", body = Started),
    ),
)]
pub(crate) async fn execute_onboarding(
    request: StartRequest<UserOnboardingInput>,
) -> Result<Response> {
    let _place = request.place_to_wait()?;
    let id = workflow_id::onboarding(&request.input().user_id);
    let id = request.begin(id).await?;
    let api = &request.api;
    // It is under way, whatever became of the waiting.
    let Some(Ok(ended)) =
        in_time(api, api.config.max_wait, finish(api, &request.caller, &id)).await
    else {
        return Ok(Started::new(id).accepted());
    };
    match (ended.result, ended.failure) {
        (Some(result), _) => Ok(Json(result).into_response()),
        (None, Some(failure)) if failure.code == ErrorCode::ValidationError => Err(
            ApiError::Invalid(vec![FieldProblem::new("", failure.message)]),
        ),
        (None, failure) => Err(ApiError::Conflict(format!(
            "the onboarding failed{}",
            failure
                .map(|failure| format!(": {}", failure.message))
                .unwrap_or_default()
        ))),
    }
}

/// How a workflow stands.
#[utoipa::path(
    get, path = "/api/temporal/workflow/{workflowId}/status", tag = "kept",
    params(("workflowId" = String, Path, description = "The workflow")),
    responses((status = 200, description = "How it stands", body = WorkflowState)),
)]
pub(crate) async fn status(
    State(api): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WorkflowState>> {
    show(&api, &caller, &id).await
}

/// Ask a workflow to stop.
#[utoipa::path(
    post, path = "/api/temporal/workflow/{workflowId}/cancel", tag = "kept",
    params(("workflowId" = String, Path, description = "The workflow")),
    responses((status = 200, description = "It was told so", body = Cancelling)),
)]
pub(crate) async fn cancel(
    State(api): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Cancelling>> {
    super::cancel(&api, &caller, &id, "").await?;
    Ok(Json(Cancelling {
        success: true,
        workflow_id: id,
    }))
}
