//! Notifications.

use axum::extract::State;
use axum::response::Response;
use partner_core::ids::UserId;
use partner_core::workflow_id;
use partner_user::workflows::send_notification::SendNotificationWorkflowInput;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Body, IdempotencyKey, Query};
use crate::progress::WorkflowState;
use crate::start::{Start, Started, WaitQuery, start as begin};
use crate::state::ApiState;

impl Start for SendNotificationWorkflowInput {
    const WORKFLOW: &'static str = "sendNotificationWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.message.trim().is_empty() {
            return Err("message: expected a text that is not empty".to_owned());
        }
        Ok(())
    }
}

/// Tell a user something, on every channel that they have.
///
/// Send an `Idempotency-Key`: under one key the user is told once. Without one, each request is a
/// notification of its own.
#[utoipa::path(
    post, path = "/api/v1/notifications", tag = "notifications",
    request_body = SendNotificationWorkflowInput, params(WaitQuery),
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
    body: Body<SendNotificationWorkflowInput>,
) -> Result<Response> {
    let id = notification_id(&caller, &body.value.user_id, &key);
    begin(&api, &caller, &body, id, key, wait).await
}

/// One key of one caller is one notification.
pub(crate) fn notification_id(caller: &Caller, user: &UserId, key: &IdempotencyKey) -> String {
    let key = match &key.0 {
        Some(key) => hex::encode(&Sha256::digest(format!("{}\n{key}", caller.id))[..16]),
        None => Uuid::new_v4().simple().to_string(),
    };
    workflow_id::notification(user, &key)
}
