//! How `startDueExpirations` does it.

use chrono::{DateTime, TimeDelta, Utc};
use partner_core::client::{ClientError, ProcessClient};
use partner_core::error::{Failure as _, chain};
use partner_core::ids::{ListingId, UserId};
use partner_core::sweep::{Begun, PageInput, PageResult, Position, make_page};
use partner_core::workflow_id;
use serde_json::json;

use super::expiration::{ExpirationActivities, StartListingExpirationInput};
use crate::error::ListingError;
use crate::repository::ExpiringListing;

/// How long before its first reminder a listing is looked at: two rounds of the daily sweep.
const MARGIN: TimeDelta = TimeDelta::days(2);

/// A date within this time may have passed when a run hears of it, which then ignores it.
const SOON: TimeDelta = TimeDelta::minutes(15);

impl ExpirationActivities {
    /// `startDueExpirations` without a worker around it.
    ///
    /// # Errors
    /// If the database or the Temporal service cannot be used: the page is then made again.
    pub async fn start_due(
        &self,
        input: &PageInput,
        client: &ProcessClient,
    ) -> Result<PageResult, ListingError> {
        let until = self.horizon(input.as_of);
        let soon = self.expirations.now().await? + SOON;
        let total = match input.after {
            None => Some(self.expirations.count_expiring(until).await?),
            Some(_) => None,
        };
        let page = self
            .expirations
            .expiring(until, input.after.as_ref(), input.limit)
            .await?;
        let position = |listing: &ExpiringListing| Position {
            at: listing.expires_at,
            id: listing.id.clone(),
        };
        let begin = |listing| self.begin(listing, soon, client);
        let made = make_page(input, page, position, begin).await?;
        Ok(PageResult { total, ..made })
    }

    /// Until when a listing has to expire, to be looked at.
    fn horizon(&self, as_of: DateTime<Utc>) -> DateTime<Utc> {
        let days = self.settings.expiration_reminder_days.iter().max();
        let reminder = TimeDelta::days(days.copied().map_or(0, i64::from));
        as_of
            .checked_add_signed(reminder + MARGIN)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Starts or tells one; what is wrong with it alone is an answer.
    async fn begin(
        &self,
        listing: ExpiringListing,
        soon: DateTime<Utc>,
        client: &ProcessClient,
    ) -> Result<Begun, ListingError> {
        match self.follow(&listing, soon, client).await {
            Ok(begun) => Ok(begun),
            Err(ListingError::Temporal(error)) if error.is_refused() => {
                Ok(failed(&listing.id, &ListingError::Temporal(error)))
            }
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => Ok(failed(&listing.id, &error)),
        }
    }

    /// Lets a listing be followed to its date. An expiration that ended, while the listing is shown, is
    /// over: another one is started.
    async fn follow(
        &self,
        listing: &ExpiringListing,
        soon: DateTime<Utc>,
        client: &ProcessClient,
    ) -> Result<Begun, ListingError> {
        let invalid = |error: &dyn std::fmt::Display| ListingError::Invalid(error.to_string());
        let input = StartListingExpirationInput {
            listing_id: ListingId::parse(&*listing.id).map_err(|error| invalid(&error))?,
            user_id: UserId::parse(&*listing.user_id).map_err(|error| invalid(&error))?,
            expiration_date: listing.expires_at,
        };
        let id = workflow_id::listing_expiration(&input.listing_id);
        let owner = Some(input.user_id.as_str());
        let started = client
            .start_anew("listingExpirationWorkflow", &id, &json!(input), owner)
            .await?;
        if started.joined && listing.is_told {
            return Ok(Begun::Running);
        }
        if started.joined && listing.expires_at <= soon {
            // A renewal into the past is none: the run that waits for the old date is ended, and the next
            // sweep starts one that finds the date passed.
            let reason = "the listing's date was moved into the past";
            return told(started.cancel_because(reason).await);
        }
        if started.joined {
            // Its owner may have renewed it since the page was read: an older date must not come later.
            let now = self.expirations.lookup(&input.listing_id, None).await?;
            if now.expires_at != Some(listing.expires_at) {
                return Ok(Begun::Left(None));
            }
        }
        let begun = if started.joined {
            told(started.signal("renew", &json!(input.expiration_date)).await)?
        } else {
            Begun::Started
        };
        if begun != Begun::Left(None) {
            self.expirations
                .mark_told(&listing.id, listing.expires_at)
                .await?;
        }
        Ok(begun)
    }
}

/// What telling a run came to. One that ended at this moment is the next sweep's.
fn told(told: Result<(), ClientError>) -> Result<Begun, ListingError> {
    match told {
        Ok(()) => Ok(Begun::Told),
        Err(error) if error.is_not_found() => Ok(Begun::Left(None)),
        Err(error) => Err(error.into()),
    }
}

fn failed(id: &str, error: &ListingError) -> Begun {
    let reason = chain(error);
    tracing::warn!(listing.id = id, reason, "cannot start an expiration");
    Begun::Failed(format!("listing {id}: {reason}"))
}
