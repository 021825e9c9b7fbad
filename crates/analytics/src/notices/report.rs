//! Telling the administrator that there is no report.

use partner_core::contracts::notification::SendNotificationInput;
use partner_core::problem::Problem;

use crate::emails;
use crate::model::ReportType;

/// That a report failed, once.
pub(crate) fn failed(
    admin: &str,
    report_type: ReportType,
    operation_id: &str,
    problem: &Problem,
) -> Result<SendNotificationInput, askama::Error> {
    let reason = format!("{}: {problem}", problem.code);
    let email = emails::report_failed(report_type, &reason, operation_id)?;
    Ok(SendNotificationInput {
        user_id: admin.to_owned(),
        kind: "report_failed".to_owned(),
        message: format!("The {report_type} report could not be made. {reason}"),
        metadata: None,
        title: Some("Report failed".to_owned()),
        email: Some(email),
        channels: None,
        critical: false,
        notification_id: Some(format!("report/{operation_id}/failed")),
    })
}
