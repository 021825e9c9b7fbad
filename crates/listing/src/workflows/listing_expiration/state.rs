//! What an expiration is started with, what it results in, and where it stands.

use chrono::{DateTime, Utc};
use partner_core::ids::{ListingId, UserId};
use partner_core::progress;
use partner_core::text_enum;
use serde::{Deserialize, Serialize};

/// What expires.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListingExpirationInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Whose it is.
    pub user_id: UserId,
    /// When. A date that has passed expires the listing at once.
    pub expiration_date: DateTime<Utc>,
}

text_enum! {
    /// What an expiration comes to.
    ExpirationStatus {
        /// The listing is not shown any more.
        Expired = "expired",
        /// It was renewed, and does not expire.
        Renewed = "renewed",
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingExpirationResult {
    /// Whether it expired or was renewed; not if it was not shown at the date.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
    /// What came of it.
    pub status: ExpirationStatus,
    /// For a person.
    pub message: String,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingExpirationDetails {
    /// The listing.
    pub listing_id: Option<String>,
    /// Whose it is.
    pub user_id: Option<String>,
    /// When it expires.
    pub expiration_date: Option<DateTime<Utc>>,
    /// How often it was renewed in this run.
    pub renewals: u32,
    /// How often the owner was reminded in this run.
    pub reminders: u32,
    /// Why the last renewal that did not count was ignored.
    pub ignored_renewal: Option<String>,
    /// What went less than well.
    pub warnings: Vec<String>,
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Reading,
    Waiting,
    Reminding,
    Renewing,
    Expiring,
    TakingDown,
    Telling,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 5;

    fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Waiting => "waiting",
            Self::Reminding => "reminding",
            Self::Renewing => "renewing",
            Self::Expiring => "expiring",
            Self::TakingDown => "taking_down",
            Self::Telling => "telling",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Reading => 0,
            Self::Waiting | Self::Reminding | Self::Renewing => 1,
            Self::Expiring => 2,
            Self::TakingDown => 3,
            Self::Telling => 4,
            Self::Done => Self::TOTAL,
        }
    }
}
