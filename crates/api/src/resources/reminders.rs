//! Reminders.

use axum::response::Response;
use partner_analytics::workflows::reminder::ReminderInput;
use partner_core::workflow_id;

use super::notifications::check_message;
use crate::error::Result;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};

impl Start for ReminderInput {
    const WORKFLOW: &'static str = "reminderWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }

    fn check(&self) -> std::result::Result<(), String> {
        check_message(&self.message)
    }
}

/// Remind a user of something at a time, however far away.
///
/// Called off by cancelling the workflow; put off by its signal `reschedule`.
#[utoipa::path(
    post, path = "/api/v1/reminders", tag = "reminders",
    request_body = ReminderInput, params(WaitQuery),
    responses(StartResponses),
)]
pub(crate) async fn start(request: StartRequest<ReminderInput>) -> Result<Response> {
    let input = request.input();
    let id = workflow_id::reminder(&input.reminder_type, &input.user_id, input.scheduled_time);
    request.start(id).await
}
