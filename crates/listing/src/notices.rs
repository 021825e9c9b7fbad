//! What people are told about a listing: in the app, by push, and by a mail of its own. One key each,
//! so that nobody is told twice.

use chrono::{DateTime, Utc};
use partner_core::contracts::notification::{NotificationEmail, SendNotificationInput};

use crate::emails::{self, ListingMail, ReviewMail};
use crate::model::{Decision, ReviewDecision};

/// Whose listing it is, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The owner: a user's id, or an email address.
    pub user_id: &'a str,
    /// The listing, as the owner's mails speak of it.
    pub listing: ListingMail<'a>,
}

/// What a reviewer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewRequest {
    /// To decide.
    New,
    /// To decide soon.
    Reminder,
    /// To see to it that someone does.
    Escalation,
}

impl Owner<'_> {
    /// What was decided.
    pub fn decided(
        &self,
        decision: &ReviewDecision,
    ) -> Result<SendNotificationInput, askama::Error> {
        let comment = decision.comment.trim();
        let (kind, title, message, email) = match decision.decision {
            Decision::Approve => (
                "listing_approved",
                "Listing approved",
                "is approved and can be found now.",
                emails::approved(self.listing, comment)?,
            ),
            Decision::Reject => (
                "listing_rejected",
                "Listing not approved",
                "was not approved.",
                emails::rejected(self.listing, comment)?,
            ),
        };
        let message = match comment {
            "" => format!("Your listing {} {message}", self.name()),
            comment => format!("Your listing {} {message} {comment}", self.name()),
        };
        Ok(self.notice(
            kind,
            title,
            message,
            email,
            &format!("v{}", decision.listing_version),
        ))
    }

    /// Which rules a version breaks.
    pub fn validation_failed(
        &self,
        version: i32,
        errors: &[String],
    ) -> Result<SendNotificationInput, askama::Error> {
        let email = emails::validation_failed(self.listing, errors)?;
        let message = format!(
            "Your listing {} needs a correction: {}",
            self.name(),
            errors.join("; ")
        );
        let kind = "listing_validation_failed";
        Ok(self.notice(
            kind,
            "Listing needs a correction",
            message,
            email,
            &format!("v{version}"),
        ))
    }

    /// That it is not the owner's fault.
    pub fn failed(&self, version: i32) -> Result<SendNotificationInput, askama::Error> {
        let email = emails::failed(self.listing)?;
        let message = format!(
            "A technical problem kept your listing {} from being published. We look into it.",
            self.name()
        );
        Ok(self.notice(
            "listing_error",
            "Listing not published",
            message,
            email,
            &format!("v{version}"),
        ))
    }

    /// When it expires, and that it can be renewed.
    pub fn expiring(
        &self,
        expires_at: DateTime<Utc>,
        days_before: u16,
    ) -> Result<SendNotificationInput, askama::Error> {
        let email = emails::expiring(self.listing, expires_at)?;
        let days = match days_before {
            1 => "tomorrow".to_owned(),
            days => format!("in {days} days"),
        };
        let message = format!(
            "Your listing {} expires {days}. Renew it to keep it.",
            self.name()
        );
        // Another date is another expiration, of which the owner is reminded anew.
        let key = format!("{}/{days_before}", expires_at.timestamp());
        Ok(self.notice(
            "listing_expiring",
            "Listing expires soon",
            message,
            email,
            &key,
        ))
    }

    /// That it is not shown any more.
    pub fn expired(
        &self,
        expired_at: DateTime<Utc>,
    ) -> Result<SendNotificationInput, askama::Error> {
        let email = emails::expired(self.listing, expired_at)?;
        let message = format!("Your listing {} has expired.", self.name());
        let key = expired_at.timestamp().to_string();
        Ok(self.notice("listing_expired", "Listing expired", message, email, &key))
    }

    fn name(&self) -> &str {
        match self.listing.title.trim() {
            "" => self.listing.listing_id,
            title => title,
        }
    }

    fn notice(
        &self,
        kind: &str,
        title: &str,
        message: String,
        email: NotificationEmail,
        key: &str,
    ) -> SendNotificationInput {
        SendNotificationInput {
            user_id: self.user_id.to_owned(),
            kind: kind.to_owned(),
            message: cut(message),
            metadata: None,
            title: Some(title.to_owned()),
            email: Some(email),
            channels: None,
            critical: false,
            notification_id: Some(format!("listing/{}/{kind}/{key}", self.listing.listing_id)),
        }
    }
}

/// Asks a reviewer.
pub fn review(
    reviewer: &str,
    request: ReviewRequest,
    review: ReviewMail<'_>,
) -> Result<SendNotificationInput, askama::Error> {
    let listing = review.listing;
    let (kind, title, email) = match request {
        ReviewRequest::New => (
            "listing_review_requested",
            "A listing waits for your review",
            emails::review_requested(review)?,
        ),
        ReviewRequest::Reminder => (
            "listing_review_reminder",
            "A listing still waits for a review",
            emails::review_urgent(review)?,
        ),
        ReviewRequest::Escalation => (
            "listing_review_escalated",
            "A review is about to be decided without anyone",
            emails::review_urgent(review)?,
        ),
    };
    let id = listing.listing_id;
    Ok(SendNotificationInput {
        user_id: reviewer.to_owned(),
        kind: kind.to_owned(),
        message: cut(format!(
            "Listing {id}, version {}: {} (score {})",
            review.version,
            listing.title.trim(),
            review.score
        )),
        metadata: None,
        title: Some(title.to_owned()),
        email: Some(email),
        channels: None,
        critical: request == ReviewRequest::Escalation,
        notification_id: Some(format!("listing/{id}/{kind}/v{}", review.version)),
    })
}

/// The longest message in the app, in characters: broken rules and titles can be long, and the mail
/// has them all.
const LONGEST_MESSAGE: usize = 1_000;

fn cut(message: String) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}
