//! Reports.

use axum::response::Response;
use chrono::{DateTime, Utc};
use partner_analytics::workflows::daily_report::DailyReportInput;
use partner_core::contact::EmailAddress;
use partner_core::workflow_id;

use crate::auth::Scope;
use crate::error::Result;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};

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
    responses(StartResponses),
)]
pub(crate) async fn start(request: StartRequest<DailyReportInput>) -> Result<Response> {
    let input = request.input();
    let day = input.schedule_time.unwrap_or_else(now).date_naive();
    let id = workflow_id::daily_report(input.report_type.as_str(), day);
    request.start(id).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the day on which somebody asks is part of the workflow's id"
)]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}
