//! The analytics domain's mails: embedded templates, one folder a mail, what others wrote escaped.

use askama::Template;
use partner_core::contracts::notification::NotificationEmail;

/// A mail of its three parts.
pub(crate) fn mail(
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
