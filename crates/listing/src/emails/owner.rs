//! What the owner of a listing is told by mail.

use askama::Template;
use chrono::{DateTime, Utc};
use partner_core::contracts::notification::NotificationEmail;

use super::{ListingMail, day, one_line};

#[derive(Template)]
#[template(path = "approved/subject.txt", escape = "none")]
struct ApprovedSubject<'a> {
    mail: ListingMail<'a>,
}

#[derive(Template)]
#[template(path = "approved/body.html")]
struct ApprovedHtml<'a> {
    mail: ListingMail<'a>,
    comment: &'a str,
}

#[derive(Template)]
#[template(path = "approved/body.txt", escape = "none")]
struct ApprovedText<'a> {
    mail: ListingMail<'a>,
    comment: &'a str,
}

#[derive(Template)]
#[template(path = "rejected/subject.txt", escape = "none")]
struct RejectedSubject<'a> {
    mail: ListingMail<'a>,
}

#[derive(Template)]
#[template(path = "rejected/body.html")]
struct RejectedHtml<'a> {
    mail: ListingMail<'a>,
    comment: &'a str,
}

#[derive(Template)]
#[template(path = "rejected/body.txt", escape = "none")]
struct RejectedText<'a> {
    mail: ListingMail<'a>,
    comment: &'a str,
}

#[derive(Template)]
#[template(path = "validation_failed/subject.txt", escape = "none")]
struct ValidationFailedSubject<'a> {
    mail: ListingMail<'a>,
}

#[derive(Template)]
#[template(path = "validation_failed/body.html")]
struct ValidationFailedHtml<'a> {
    mail: ListingMail<'a>,
    errors: &'a [String],
}

#[derive(Template)]
#[template(path = "validation_failed/body.txt", escape = "none")]
struct ValidationFailedText<'a> {
    mail: ListingMail<'a>,
    errors: &'a [String],
}

#[derive(Template)]
#[template(path = "failed/subject.txt", escape = "none")]
struct FailedSubject<'a> {
    mail: ListingMail<'a>,
}

#[derive(Template)]
#[template(path = "failed/body.html")]
struct FailedHtml<'a> {
    mail: ListingMail<'a>,
}

#[derive(Template)]
#[template(path = "failed/body.txt", escape = "none")]
struct FailedText<'a> {
    mail: ListingMail<'a>,
}

#[derive(Template)]
#[template(path = "expiring/subject.txt", escape = "none")]
struct ExpiringSubject<'a> {
    mail: ListingMail<'a>,
    date: &'a str,
}

#[derive(Template)]
#[template(path = "expiring/body.html")]
struct ExpiringHtml<'a> {
    mail: ListingMail<'a>,
    date: &'a str,
}

#[derive(Template)]
#[template(path = "expiring/body.txt", escape = "none")]
struct ExpiringText<'a> {
    mail: ListingMail<'a>,
    date: &'a str,
}

#[derive(Template)]
#[template(path = "expired/subject.txt", escape = "none")]
struct ExpiredSubject<'a> {
    mail: ListingMail<'a>,
}

#[derive(Template)]
#[template(path = "expired/body.html")]
struct ExpiredHtml<'a> {
    mail: ListingMail<'a>,
    date: &'a str,
}

#[derive(Template)]
#[template(path = "expired/body.txt", escape = "none")]
struct ExpiredText<'a> {
    mail: ListingMail<'a>,
    date: &'a str,
}

/// Tells the owner that the listing is live, and what the review says.
pub fn approved(mail: ListingMail<'_>, comment: &str) -> Result<NotificationEmail, askama::Error> {
    Ok(NotificationEmail {
        subject: one_line(&ApprovedSubject { mail }.render()?),
        body: ApprovedHtml { mail, comment }.render()?,
        text: ApprovedText { mail, comment }.render()?,
    })
}

/// Tells the owner that the listing is not live, and why.
pub fn rejected(mail: ListingMail<'_>, comment: &str) -> Result<NotificationEmail, askama::Error> {
    Ok(NotificationEmail {
        subject: one_line(&RejectedSubject { mail }.render()?),
        body: RejectedHtml { mail, comment }.render()?,
        text: RejectedText { mail, comment }.render()?,
    })
}

/// Tells the owner which rules the listing breaks, all of them.
pub fn validation_failed(
    mail: ListingMail<'_>,
    errors: &[String],
) -> Result<NotificationEmail, askama::Error> {
    Ok(NotificationEmail {
        subject: one_line(&ValidationFailedSubject { mail }.render()?),
        body: ValidationFailedHtml { mail, errors }.render()?,
        text: ValidationFailedText { mail, errors }.render()?,
    })
}

/// Tells the owner that it is not their fault that the listing is not live.
pub fn failed(mail: ListingMail<'_>) -> Result<NotificationEmail, askama::Error> {
    Ok(NotificationEmail {
        subject: one_line(&FailedSubject { mail }.render()?),
        body: FailedHtml { mail }.render()?,
        text: FailedText { mail }.render()?,
    })
}

/// Tells the owner when the listing expires, and how to keep it.
pub fn expiring(
    mail: ListingMail<'_>,
    expires_at: DateTime<Utc>,
) -> Result<NotificationEmail, askama::Error> {
    let date = &day(expires_at);
    Ok(NotificationEmail {
        subject: one_line(&ExpiringSubject { mail, date }.render()?),
        body: ExpiringHtml { mail, date }.render()?,
        text: ExpiringText { mail, date }.render()?,
    })
}

/// Tells the owner that the listing is not shown any more.
pub fn expired(
    mail: ListingMail<'_>,
    expired_at: DateTime<Utc>,
) -> Result<NotificationEmail, askama::Error> {
    let date = &day(expired_at);
    Ok(NotificationEmail {
        subject: one_line(&ExpiredSubject { mail }.render()?),
        body: ExpiredHtml { mail, date }.render()?,
        text: ExpiredText { mail, date }.render()?,
    })
}
