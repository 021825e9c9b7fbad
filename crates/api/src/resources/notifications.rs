//! Notifications.

use axum::response::Response;
use partner_core::workflow_id;
use partner_user::workflows::send_notification::SendNotificationWorkflowInput;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::Result;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};

impl Start for SendNotificationWorkflowInput {
    const WORKFLOW: &'static str = "sendNotificationWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }

    fn check(&self) -> std::result::Result<(), String> {
        check_message(&self.message)
    }
}

/// Tell a user something, on every channel that they have.
///
/// Send an `Idempotency-Key`: under one key the user is told once. Without one, each request is a
/// notification of its own.
#[utoipa::path(
    post, path = "/api/v1/notifications", tag = "notifications",
    request_body = SendNotificationWorkflowInput, params(WaitQuery),
    responses(StartResponses),
)]
pub(crate) async fn start(
    request: StartRequest<SendNotificationWorkflowInput>,
) -> Result<Response> {
    let id = notification_id(&request);
    request.start(id).await
}

/// Whether there is something to tell.
pub(super) fn check_message(message: &str) -> std::result::Result<(), String> {
    if message.trim().is_empty() {
        return Err("message: expected a text that is not empty".to_owned());
    }
    Ok(())
}

/// One key of one caller is one notification; without a key, each request is one.
pub(super) fn notification_id(request: &StartRequest<SendNotificationWorkflowInput>) -> String {
    let key = match &request.key.0 {
        Some(key) => hex::encode(&Sha256::digest(format!("{}\n{key}", request.caller.id))[..16]),
        None => Uuid::new_v4().simple().to_string(),
    };
    workflow_id::notification(&request.input().user_id, &key)
}
