//! What reviewers are told by mail.

use askama::Template;
use chrono::{DateTime, Utc};
use partner_core::contracts::notification::NotificationEmail;

use super::{ListingMail, moment, one_line};
use crate::quality::Score;

/// What a mail about a review is made of.
#[derive(Debug, Clone, Copy)]
pub struct ReviewMail<'a> {
    /// The listing.
    pub listing: ListingMail<'a>,
    /// Which version of it; 0 if that is not known.
    pub version: i32,
    /// Whose it is.
    pub owner: &'a str,
    /// What the automated checks say.
    pub score: Score,
    /// When it is decided without a person, if it is.
    pub deadline: Option<DateTime<Utc>>,
}

#[derive(Template)]
#[template(path = "review_requested/subject.txt", escape = "none")]
struct RequestedSubject<'a> {
    mail: ListingMail<'a>,
    score: Score,
}

#[derive(Template)]
#[template(path = "review_requested/body.html")]
struct RequestedHtml<'a> {
    mail: ListingMail<'a>,
    version: i32,
    owner: &'a str,
    score: Score,
    deadline: Option<String>,
}

#[derive(Template)]
#[template(path = "review_requested/body.txt", escape = "none")]
struct RequestedText<'a> {
    mail: ListingMail<'a>,
    version: i32,
    owner: &'a str,
    score: Score,
    deadline: Option<String>,
}

#[derive(Template)]
#[template(path = "review_urgent/subject.txt", escape = "none")]
struct UrgentSubject<'a> {
    mail: ListingMail<'a>,
    score: Score,
}

#[derive(Template)]
#[template(path = "review_urgent/body.html")]
struct UrgentHtml<'a> {
    mail: ListingMail<'a>,
    version: i32,
    owner: &'a str,
    score: Score,
    deadline: Option<String>,
}

#[derive(Template)]
#[template(path = "review_urgent/body.txt", escape = "none")]
struct UrgentText<'a> {
    mail: ListingMail<'a>,
    version: i32,
    owner: &'a str,
    score: Score,
    deadline: Option<String>,
}

/// Asks a reviewer to decide.
pub fn review_requested(review: ReviewMail<'_>) -> Result<NotificationEmail, askama::Error> {
    let ReviewMail {
        listing: mail,
        version,
        owner,
        score,
        deadline,
    } = review;
    let deadline = deadline.map(moment);
    Ok(NotificationEmail {
        subject: one_line(&RequestedSubject { mail, score }.render()?),
        body: RequestedHtml {
            mail,
            version,
            owner,
            score,
            deadline: deadline.clone(),
        }
        .render()?,
        text: RequestedText {
            mail,
            version,
            owner,
            score,
            deadline,
        }
        .render()?,
    })
}

/// Reminds a reviewer, and asks those who lead them, while there is still time.
pub fn review_urgent(review: ReviewMail<'_>) -> Result<NotificationEmail, askama::Error> {
    let ReviewMail {
        listing: mail,
        version,
        owner,
        score,
        deadline,
    } = review;
    let deadline = deadline.map(moment);
    Ok(NotificationEmail {
        subject: one_line(&UrgentSubject { mail, score }.render()?),
        body: UrgentHtml {
            mail,
            version,
            owner,
            score,
            deadline: deadline.clone(),
        }
        .render()?,
        text: UrgentText {
            mail,
            version,
            owner,
            score,
            deadline,
        }
        .render()?,
    })
}
