//! `getListingStatus`, `expireListing` and what else an expiration does: reminding, renewing, and
//! being started.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use partner_core::client::ProcessClient;
use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::ids::{ListingId, UserId};
use partner_core::ports::notifier::Notifier;
use partner_core::sweep::{PageInput, PageResult};
use partner_core::wire::Wire;
use partner_core::workflow_id;
use serde::{Deserialize, Serialize};
use serde_json::json;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::actor;
use crate::emails::ListingMail;
use crate::error::ListingError;
use crate::model::ListingStatus;
use crate::notices::Owner;
use crate::repository::{Expiration, ExpirationRepository, Expired};
use crate::settings::ListingSettings;

/// Which listing, and what the caller believes of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetListingStatusInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Whose it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// When it was to expire: `renewed` says whether it is shown beyond that. Without it, whether it
    /// was ever renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<DateTime<Utc>>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetListingStatusResult {
    /// The listing.
    pub listing_id: String,
    /// How it stands.
    pub status: ListingStatus,
    /// Whether it was renewed.
    pub renewed: bool,
    /// Until when it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<DateTime<Utc>>,
    /// What it is called.
    #[serde(default)]
    pub title: String,
    /// How many days before it expires its owner is reminded, the longest first. In the answer, and
    /// so in history: a change of the configuration does not disturb what runs.
    #[serde(default)]
    pub reminder_days: Vec<u16>,
}

/// What expires.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpireListingInput {
    /// The listing.
    pub listing_id: ListingId,
    /// When it was to expire: a listing that was renewed beyond that does not. Without it, it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<DateTime<Utc>>,
}

/// Whether it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpireListingResult {
    /// Whether it is expired.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
    /// Whether it was renewed instead.
    #[serde(default)]
    pub renewed: bool,
    /// Until when, if it was; for ever without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: ListingStatus,
    /// The version that the search index shows: also that of a listing whose edit is under review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_version: Option<i32>,
}

/// Of what the owner is reminded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendExpirationReminderInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it expires.
    pub expiration_date: DateTime<Utc>,
    /// How many days before that this is.
    pub days_before: u16,
}

/// Whether the owner was reminded, and how the listing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendExpirationReminderResult {
    /// Whether the owner was reminded; not of a listing that is not shown, or expires at another date.
    pub sent: bool,
    /// How it stands.
    pub status: ListingStatus,
    /// Whether it was renewed.
    pub renewed: bool,
    /// Until when it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<DateTime<Utc>>,
}

/// Until when a listing shall be shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewListingInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Until when.
    pub expiration_date: DateTime<Utc>,
}

/// That it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewListingResult {
    /// Always true: a listing that cannot be renewed is a failure.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
}

/// What shall be let expire.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartListingExpirationInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Whose it is.
    pub user_id: UserId,
    /// When.
    pub expiration_date: DateTime<Utc>,
}

/// What takes care of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartListingExpirationResult {
    /// The workflow.
    pub workflow_id: String,
    /// Whether it ran already, and was told of the date.
    pub joined: bool,
}

/// The activities' dependencies.
pub struct ExpirationActivities {
    /// Until when listings are shown.
    pub expirations: ExpirationRepository,
    /// How owners are told.
    pub notifier: Arc<dyn Notifier>,
    /// What operators decide.
    pub settings: ListingSettings,
}

#[activities]
impl ExpirationActivities {
    /// Says how a listing stands, and until when it is shown.
    #[activity(name = "getListingStatus")]
    pub async fn get_listing_status(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<GetListingStatusInput>,
    ) -> Result<GetListingStatusResult, ActivityError> {
        self.status(input).await
    }

    /// Lets a listing expire, unless it was renewed.
    #[activity(name = "expireListing")]
    pub async fn expire_listing(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<ExpireListingInput>,
    ) -> Result<ExpireListingResult, ActivityError> {
        self.expire(input, &actor(&ctx)).await
    }

    /// Reminds the owner that a listing expires, if it still does.
    #[activity(name = "sendExpirationReminder")]
    pub async fn send_expiration_reminder(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<SendExpirationReminderInput>,
    ) -> Result<SendExpirationReminderResult, ActivityError> {
        let retried = ctx.info().attempt > 1;
        with_heartbeat(&ctx, self.remind(input, retried)).await
    }

    /// Puts a listing's expiration off.
    #[activity(name = "renewListing")]
    pub async fn renew_listing(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<RenewListingInput>,
    ) -> Result<RenewListingResult, ActivityError> {
        self.renew(input, &actor(&ctx)).await
    }

    /// Starts the expiration of a listing, or tells the one that runs of the date.
    #[activity(name = "startListingExpiration")]
    pub async fn start_listing_expiration(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<StartListingExpirationInput>,
    ) -> Result<StartListingExpirationResult, ActivityError> {
        let client = ProcessClient::new(ctx.client(), ctx.info().task_queue.clone());
        let input = input.into_activity_input()?;
        let (listing_id, date) = (input.listing_id.to_string(), input.expiration_date);
        let started = Self::start(input.into(), &client).await?;
        self.expirations
            .mark_told(&listing_id, date)
            .await
            .map_err(activity_error)?;
        Ok(started)
    }

    /// Starts the expiration of each listing of a page that none follows, or tells it of another date.
    #[activity(name = "startDueExpirations")]
    pub async fn start_due_expirations(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<PageInput>,
    ) -> Result<PageResult, ActivityError> {
        let input = input.into_activity_input()?;
        let own = || ctx.info().task_queue.clone();
        let task_queue = input.task_queue.clone().unwrap_or_else(own);
        let client = ProcessClient::new(ctx.client(), task_queue);
        with_heartbeat(&ctx, self.start_due(&input, &client))
            .await
            .map_err(activity_error)
    }
}

impl ExpirationActivities {
    /// `getListingStatus` without a worker around it.
    pub async fn status(
        &self,
        input: Wire<GetListingStatusInput>,
    ) -> Result<GetListingStatusResult, ActivityError> {
        let input = input.into_activity_input()?;
        let owner = input.user_id.as_ref().map(UserId::as_str);
        let found = self.expirations.lookup(&input.listing_id, owner);
        let found = found.await.map_err(activity_error)?;
        let mut reminder_days = self.settings.expiration_reminder_days.clone();
        reminder_days.sort_unstable_by(|one, other| other.cmp(one));
        reminder_days.dedup();
        Ok(GetListingStatusResult {
            listing_id: input.listing_id.into(),
            status: found.status,
            renewed: input
                .expiration_date
                .map_or(found.renewed_at.is_some(), |date| {
                    found.is_renewed_beyond(date)
                }),
            expiration_date: found.expires_at,
            title: found.title,
            reminder_days,
        })
    }

    /// `expireListing` without a worker around it.
    pub async fn expire(
        &self,
        input: Wire<ExpireListingInput>,
        actor: &str,
    ) -> Result<ExpireListingResult, ActivityError> {
        let input = input.into_activity_input()?;
        let expired = self
            .expirations
            .expire(&input.listing_id, input.expiration_date, actor)
            .await
            .map_err(activity_error)?;
        let (renewed, expiration_date, status, live_version) = match expired {
            Expired::Expired => (false, None, ListingStatus::Expired, None),
            Expired::Renewed(until) => (true, until, ListingStatus::Approved, None),
            Expired::NotApproved(status, live_version) => (false, None, status, live_version),
        };
        Ok(ExpireListingResult {
            success: status == ListingStatus::Expired,
            listing_id: input.listing_id.into(),
            renewed,
            expiration_date,
            status,
            live_version,
        })
    }

    /// `sendExpirationReminder` without a worker around it; `retried` says whether it has tried
    /// before.
    pub async fn remind(
        &self,
        input: Wire<SendExpirationReminderInput>,
        retried: bool,
    ) -> Result<SendExpirationReminderResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.tell(&input, retried).await.map_err(activity_error)
    }

    /// `renewListing` without a worker around it.
    pub async fn renew(
        &self,
        input: Wire<RenewListingInput>,
        actor: &str,
    ) -> Result<RenewListingResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.expirations
            .renew(&input.listing_id, input.expiration_date, actor)
            .await
            .map_err(activity_error)?;
        Ok(RenewListingResult {
            success: true,
            listing_id: input.listing_id.into(),
        })
    }

    /// `startListingExpiration` without a worker around it.
    pub async fn start(
        input: Wire<StartListingExpirationInput>,
        client: &ProcessClient,
    ) -> Result<StartListingExpirationResult, ActivityError> {
        let input = input.into_activity_input()?;
        let id = workflow_id::listing_expiration(&input.listing_id);
        let date = json!(input.expiration_date);
        let started = client
            .start_or_signal(
                "listingExpirationWorkflow",
                &id,
                &json!(input),
                ("renew", &date),
            )
            .await
            .map_err(|error| activity_error(ListingError::from(error)))?;
        Ok(StartListingExpirationResult {
            workflow_id: id,
            joined: started.joined,
        })
    }

    async fn tell(
        &self,
        input: &SendExpirationReminderInput,
        retried: bool,
    ) -> Result<SendExpirationReminderResult, ListingError> {
        let owner = Some(input.user_id.as_str());
        let found = self.expirations.lookup(&input.listing_id, owner).await?;
        let sent = is_due(&found, input.expiration_date);
        if sent {
            let owner = Owner {
                user_id: &found.user_id,
                listing: ListingMail {
                    listing_id: input.listing_id.as_str(),
                    title: &found.title,
                    base_url: &self.settings.portal_url,
                },
            };
            let notification = owner.expiring(input.expiration_date, input.days_before)?;
            self.notifier.notify(notification, retried).await?;
        }
        Ok(SendExpirationReminderResult {
            sent,
            status: found.status,
            renewed: found.is_renewed_beyond(input.expiration_date),
            expiration_date: found.expires_at,
        })
    }
}

/// Whether a listing is shown, and expires at this date or has none of its own on record.
///
/// The database keeps microseconds, and what callers write may be finer.
fn is_due(found: &Expiration, date: DateTime<Utc>) -> bool {
    let is_its_date = match found.expires_at {
        Some(at) => (at - date).abs() < TimeDelta::seconds(1),
        None => found.renewed_at.is_none(),
    };
    found.status == ListingStatus::Approved && is_its_date
}
