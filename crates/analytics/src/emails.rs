//! The analytics domain's mails: embedded templates, one folder a mail, what others wrote escaped.

mod cleanup;
mod reminder;
mod report;

pub(crate) use cleanup::{CleanupMail, cleanup_failed, cleanup_finished};
pub(crate) use reminder::reminder;
pub(crate) use report::{Access, report, report_failed};

use askama::Template;
use partner_core::contracts::notification::NotificationEmail;

/// A mail of its three parts.
fn mail(
    subject: &impl Template,
    html: &impl Template,
    text: &impl Template,
) -> Result<NotificationEmail, askama::Error> {
    Ok(NotificationEmail {
        subject: one_line(&subject.render()?),
        body: html.render()?,
        text: text.render()?,
    })
}

/// A subject as the mail's header can carry it.
fn one_line(subject: &str) -> String {
    subject.trim_end().replace(char::is_control, " ")
}
