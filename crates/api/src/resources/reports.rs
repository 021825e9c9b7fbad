//! Reports.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use partner_analytics::workflows::daily_report::DailyReportInput;
use partner_core::contact::EmailAddress;
use partner_core::workflow_id;

use crate::auth::{Caller, Scope};
use crate::error::Result;
use crate::extract::{Body, IdempotencyKey, Query};
use crate::progress::WorkflowState;
use crate::start::{Start, Started, WaitQuery, start as begin};
use crate::state::ApiState;

impl Start for DailyReportInput {
    const WORKFLOW: &'static str = "dailyReportWorkflow";
    const SCOPE: Scope = Scope::Admin;

    fn user(&self) -> Option<&str> {
        None
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.recipients.is_empty() {
            return Err("recipients: expected an email address at least".to_owned());
        }
        let wrong = self
            .recipients
            .iter()
            .find_map(|text| EmailAddress::parse(text.trim()).err());
        wrong.map_or(Ok(()), |error| Err(format!("recipients: {error}")))
    }
}

/// Make a report of the last 24 hours, and mail it.
///
/// One report of a type is made a day: asked for again, the same workflow answers.
#[utoipa::path(
    post, path = "/api/v1/reports", tag = "reports",
    request_body = DailyReportInput, params(WaitQuery),
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
    body: Body<DailyReportInput>,
) -> Result<Response> {
    let day = body.value.schedule_time.unwrap_or_else(now).date_naive();
    let id = workflow_id::daily_report(body.value.report_type.as_str(), day);
    begin(&api, &caller, &body, id, key, wait).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the day on which somebody asks is part of the workflow's id"
)]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}
