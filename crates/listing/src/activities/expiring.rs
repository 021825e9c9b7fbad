//! How `startDueExpirations` does it.

use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use partner_core::client::ProcessClient;
use partner_core::error::chain;
use partner_core::ids::{ListingId, UserId};
use partner_core::sweep::{Begun, PageInput, PageResult, Position, Tally};
use partner_core::workflow_id;
use serde_json::json;

use super::expiration::{ExpirationActivities, StartListingExpirationInput};
use crate::error::ListingError;
use crate::repository::ExpiringListing;

/// How many are started at once. The Temporal service answers each within milliseconds.
const AT_ONCE: usize = 16;

/// How long before its first reminder a listing is looked at: two rounds of the daily sweep.
const MARGIN: TimeDelta = TimeDelta::days(2);

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
        let total = match input.after {
            None => Some(self.expirations.count_expiring(until).await?),
            Some(_) => None,
        };
        let page = self
            .expirations
            .expiring(until, input.after.as_ref(), input.limit)
            .await?;
        let is_full = page.len() >= usize::try_from(input.limit).unwrap_or(usize::MAX);
        let next = page.last().filter(|_| is_full).map(|last| Position {
            at: last.expires_at,
            id: last.id.clone(),
        });
        let begun = page
            .into_iter()
            .map(|listing| self.begin(listing, input.as_of, client));
        let tally = stream::iter(begun)
            .buffered(AT_ONCE)
            .try_fold(Tally::default(), async |mut tally, begun| {
                tally.count(begun);
                Ok(tally)
            })
            .await?;
        Ok(PageResult { tally, total, next })
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
        as_of: DateTime<Utc>,
        client: &ProcessClient,
    ) -> Result<Begun, ListingError> {
        match follow(&listing, as_of, client).await {
            Ok(begun) => {
                // One that was ended knows no date any more.
                let was_ended = begun == Begun::Told && listing.expires_at <= as_of;
                if !listing.is_told && !was_ended {
                    self.expirations
                        .mark_told(&listing.id, listing.expires_at)
                        .await?;
                }
                Ok(begun)
            }
            Err(ListingError::Temporal(error)) if !error.is_refused() => {
                Err(ListingError::Temporal(error))
            }
            Err(error) => {
                let reason = chain(&error);
                tracing::warn!(listing.id, reason, "cannot start an expiration");
                Ok(Begun::Failed(format!("listing {}: {reason}", listing.id)))
            }
        }
    }
}

/// Lets a listing be followed to its date. An expiration that ended, while the listing is shown, is
/// over: another one is started.
async fn follow(
    listing: &ExpiringListing,
    as_of: DateTime<Utc>,
    client: &ProcessClient,
) -> Result<Begun, ListingError> {
    let invalid = |error: &dyn std::fmt::Display| ListingError::Invalid(error.to_string());
    let input = StartListingExpirationInput {
        listing_id: ListingId::parse(&*listing.id).map_err(|error| invalid(&error))?,
        user_id: UserId::parse(&*listing.user_id).map_err(|error| invalid(&error))?,
        expiration_date: listing.expires_at,
    };
    let id = workflow_id::listing_expiration(&input.listing_id);
    let started = client
        .start_anew("listingExpirationWorkflow", &id, &json!(input))
        .await?;
    if !started.joined {
        return Ok(Begun::Started);
    }
    if listing.is_told {
        return Ok(Begun::Running);
    }
    let told = if listing.expires_at > as_of {
        started.signal("renew", &json!(input.expiration_date)).await
    } else {
        // A renewal into the past is none: the run that waits for the old date is ended, and the next
        // sweep starts one that finds the date passed.
        let reason = "the listing's date was moved into the past";
        started.cancel_because(reason).await
    };
    match told {
        Ok(()) => Ok(Begun::Told),
        // It ended at this moment: the next sweep sees what became of it.
        Err(error) if error.is_not_found() => Ok(Begun::Left(None)),
        Err(error) => Err(error.into()),
    }
}
