//! Telling the reviewers, each once.

use futures::StreamExt;
use futures::stream;
use partner_core::error::Failure;
use partner_core::ports::notifier::NotifierError;

use super::{NotifyReviewersInput, NotifyReviewersResult, ReviewActivities};
use crate::emails::{ListingMail, ReviewMail};
use crate::error::ListingError;
use crate::notices::{self, ReviewRequest};
use crate::repository::Reviewer;

/// How many are told at once.
const AT_ONCE: usize = 8;

impl ReviewActivities {
    /// Tells every reviewer; in an urgent review those who lead them hear that it is theirs now.
    pub(super) async fn tell(
        &self,
        input: &NotifyReviewersInput,
        retried: bool,
        actor: &str,
    ) -> Result<NotifyReviewersResult, ListingError> {
        let version = input.listing_version;
        let is_due = !input.urgent
            || self
                .reviewers
                .escalate(&input.listing_id, version, actor)
                .await?;
        let reviewers = if is_due {
            self.reviewers.active().await?
        } else {
            Vec::new()
        };
        let asked: Vec<_> = reviewers
            .iter()
            .map(|reviewer| self.tell_one(input, reviewer, retried))
            .collect();
        let told = stream::iter(asked).buffer_unordered(AT_ONCE).collect();
        report(told.await)
    }

    async fn tell_one(
        &self,
        input: &NotifyReviewersInput,
        reviewer: &Reviewer,
        retried: bool,
    ) -> Result<(), ListingError> {
        let review = ReviewMail {
            listing: ListingMail {
                listing_id: input.listing_id.as_str(),
                title: &input.property_data.title,
                base_url: &self.settings.review_url,
            },
            version: input.listing_version.unwrap_or_default(),
            owner: input.user_id.as_str(),
            score: input.auto_check_score,
            deadline: input.deadline,
        };
        let request = match (input.urgent, reviewer.is_lead) {
            (false, _) => ReviewRequest::New,
            (true, false) => ReviewRequest::Reminder,
            (true, true) => ReviewRequest::Escalation,
        };
        let notification = notices::review(&reviewer.user_id, request, review)?;
        let told = self.notifier.notify(notification, retried).await;
        told.map(drop).map_err(NotifierError::into)
    }
}

/// One reviewer who knows is enough; if none does, it is tried again if that can help with any.
fn report(told: Vec<Result<(), ListingError>>) -> Result<NotifyReviewersResult, ListingError> {
    let (told, failed): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
    let count = |list: &[Result<(), ListingError>]| u32::try_from(list.len()).unwrap_or(u32::MAX);
    let (notified, failures) = (count(&told), count(&failed));
    let mut reasons: Vec<_> = failed.into_iter().filter_map(Result::err).collect();
    reasons.sort_by_key(|error| !error.is_retryable());
    match reasons.into_iter().next() {
        Some(error) if notified == 0 => Err(error),
        _ => Ok(NotifyReviewersResult {
            success: true,
            notified,
            failed: failures,
        }),
    }
}
