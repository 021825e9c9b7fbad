//! The mail that brings a report, and the one that says that there is none.

use askama::Template;
use partner_core::contracts::notification::NotificationEmail;

use super::mail;
use crate::model::ReportType;
use crate::report::Summary;

/// How a reader gets at the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access<'a> {
    /// It comes with the mail.
    Attached,
    /// It can be fetched here for some days.
    Linked(&'a str),
    /// It is stored here, and the reader must know how to get at that.
    Stored(&'a str),
}

#[derive(Template)]
#[template(path = "report/subject.txt", escape = "none")]
struct Subject<'a> {
    summary: &'a Summary,
}

#[derive(Template)]
#[template(path = "report/body.html")]
struct Html<'a> {
    summary: &'a Summary,
    access: Access<'a>,
}

#[derive(Template)]
#[template(path = "report/body.txt", escape = "none")]
struct Text<'a> {
    summary: &'a Summary,
    access: Access<'a>,
}

#[derive(Template)]
#[template(path = "report_failed/subject.txt", escape = "none")]
struct FailedSubject {
    report_type: ReportType,
}

#[derive(Template)]
#[template(path = "report_failed/body.html")]
struct FailedHtml<'a> {
    report_type: ReportType,
    reason: &'a str,
    operation_id: &'a str,
}

#[derive(Template)]
#[template(path = "report_failed/body.txt", escape = "none")]
struct FailedText<'a> {
    report_type: ReportType,
    reason: &'a str,
    operation_id: &'a str,
}

/// A report, to one of its readers.
pub(crate) fn report(
    summary: &Summary,
    access: Access<'_>,
) -> Result<NotificationEmail, askama::Error> {
    mail(
        &Subject { summary },
        &Html { summary, access },
        &Text { summary, access },
    )
}

/// Why there is no report.
pub(crate) fn report_failed(
    report_type: ReportType,
    reason: &str,
    operation_id: &str,
) -> Result<NotificationEmail, askama::Error> {
    mail(
        &FailedSubject { report_type },
        &FailedHtml {
            report_type,
            reason,
            operation_id,
        },
        &FailedText {
            report_type,
            reason,
            operation_id,
        },
    )
}
