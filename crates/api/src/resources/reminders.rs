//! Reminders.

use axum::extract::State;
use axum::response::Response;
use partner_analytics::workflows::reminder::ReminderInput;
use partner_core::workflow_id;

use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{Body, IdempotencyKey, Query};
use crate::progress::WorkflowState;
use crate::start::{Start, Started, WaitQuery, start as begin};
use crate::state::ApiState;

impl Start for ReminderInput {
    const WORKFLOW: &'static str = "reminderWorkflow";

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

/// Remind a user of something at a time, however far away.
///
/// Called off by cancelling the workflow; put off by its signal `reschedule`.
#[utoipa::path(
    post, path = "/api/v1/reminders", tag = "reminders",
    request_body = ReminderInput, params(WaitQuery),
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
    body: Body<ReminderInput>,
) -> Result<Response> {
    let input = &body.value;
    let id = workflow_id::reminder(&input.reminder_type, &input.user_id, input.scheduled_time);
    begin(&api, &caller, &body, id, key, wait).await
}
