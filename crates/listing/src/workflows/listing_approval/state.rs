//! What an approval is started with, what it results in, and where it stands.

use chrono::{DateTime, Utc};
use partner_core::ids::{ListingId, UserId};
use partner_core::progress;
use serde::{Deserialize, Serialize};

use crate::model::{ListingStatus, PropertyData, ReviewDecision};
use crate::quality::Score;

/// What is to be approved.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListingApprovalInput {
    /// The listing. One that does not exist is created.
    pub listing_id: ListingId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it offers.
    pub property_data: PropertyData,
    /// Until when it shall be shown; what is on record stays without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<DateTime<Utc>>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingApprovalResult {
    /// Whether it is approved.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
    /// `approved`, `rejected` or `validation_failed`.
    pub status: ListingStatus,
    /// What the review says, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_comment: Option<String>,
    /// The rules that it breaks, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
    /// What went less than well without changing what came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingApprovalDetails {
    /// The listing.
    pub listing_id: Option<String>,
    /// Whose it is.
    pub user_id: Option<String>,
    /// The version that is reviewed.
    pub version: Option<i32>,
    /// What the automated checks say of it.
    pub score: Option<Score>,
    /// What cost it a part of the score.
    pub issues: Vec<String>,
    /// When it is decided without a person.
    pub deadline: Option<DateTime<Utc>>,
    /// Whether the reviewers were reminded.
    pub urgent: bool,
    /// What was decided, once it is on record.
    pub decision: Option<ReviewDecision>,
    /// The hash that stands for the audit trail up to the decision.
    pub audit_hash: Option<String>,
    /// How many decisions came too late to count.
    pub late_decisions: u32,
    /// How often the listing was edited under review.
    pub edits: u32,
    /// Why the last edit that could not be read was ignored.
    pub ignored_edit: Option<String>,
    /// What went less than well.
    pub warnings: Vec<String>,
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Submitting,
    Checking,
    NotifyingReviewers,
    Reviewing,
    Recording,
    Publishing,
    TakingDown,
    Telling,
    Undoing,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 6;

    fn name(self) -> &'static str {
        match self {
            Self::Submitting => "submitting",
            Self::Checking => "checking",
            Self::NotifyingReviewers => "notifying_reviewers",
            Self::Reviewing => "reviewing",
            Self::Recording => "recording",
            Self::Publishing => "publishing",
            Self::TakingDown => "taking_down",
            Self::Telling => "telling",
            Self::Undoing => "undoing",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Submitting | Self::Undoing => 0,
            Self::Checking => 1,
            Self::NotifyingReviewers | Self::Reviewing => 2,
            Self::Recording => 3,
            Self::Publishing | Self::TakingDown => 4,
            Self::Telling => 5,
            Self::Done => Self::TOTAL,
        }
    }
}
