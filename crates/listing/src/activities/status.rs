//! `updateListingStatus`: the listing's state machine.

use std::sync::Arc;

use partner_core::error::activity_error;
use partner_core::ids::ListingId;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::actor;
use crate::error::ListingError;
use crate::model::{Decision, ListingStatus, Provenance};
use crate::quality::Score;
use crate::repository::{DecisionRepository, ListingRepository, StatusChange, Verdict};

/// What a listing shall become.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateListingStatusInput {
    /// The listing.
    pub listing_id: ListingId,
    /// What it shall become.
    pub status: ListingStatus,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What its owner is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_comment: Option<String>,
    /// The score of the current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_check_score: Option<Score>,
    /// What went wrong; kept where `reason` is, if that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateListingStatusResult {
    /// Always true: a refused step is a failure.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
    /// What it is.
    pub status: ListingStatus,
    /// The version that the search index shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_version: Option<i32>,
}

/// The activity's dependencies.
pub struct StatusActivities {
    /// The listings.
    pub listings: ListingRepository,
    /// What was decided about them.
    pub decisions: DecisionRepository,
}

#[activities]
impl StatusActivities {
    /// Moves a listing along its state machine. `approved` and `rejected` are decisions of a person,
    /// as by `approveListing` and `rejectListing`.
    #[activity(name = "updateListingStatus")]
    pub async fn update_listing_status(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<UpdateListingStatusInput>,
    ) -> Result<UpdateListingStatusResult, ActivityError> {
        self.update(input, &actor(&ctx)).await
    }
}

impl StatusActivities {
    /// `updateListingStatus` without a worker around it.
    pub async fn update(
        &self,
        input: Wire<UpdateListingStatusInput>,
        actor: &str,
    ) -> Result<UpdateListingStatusResult, ActivityError> {
        let input = input.into_activity_input()?;
        let live_version = self
            .move_listing(&input, actor)
            .await
            .map_err(activity_error)?;
        Ok(UpdateListingStatusResult {
            success: true,
            listing_id: input.listing_id.into(),
            status: input.status,
            live_version,
        })
    }

    async fn move_listing(
        &self,
        input: &UpdateListingStatusInput,
        actor: &str,
    ) -> Result<Option<i32>, ListingError> {
        // Reasons quote other systems; PostgreSQL's text holds everything but this character.
        let reason = input.reason.as_ref().or(input.error_message.as_ref());
        let reason = reason.map(|reason| reason.replace('\0', ""));
        let comment = input.review_comment.as_deref();
        let comment = comment.map(|comment| comment.replace('\0', ""));
        let decision = match input.status {
            ListingStatus::Approved => Some(Decision::Approve),
            ListingStatus::Rejected => Some(Decision::Reject),
            _ => None,
        };
        if let Some(decision) = decision {
            let verdict = Verdict {
                listing_id: &input.listing_id,
                version: None,
                decision,
                provenance: Provenance::Human,
                reviewer: "",
                comment: comment.as_deref().or(reason.as_deref()).unwrap_or_default(),
                score: input.auto_check_score,
                decided_at: None,
                actor,
            };
            self.decisions.decide(&verdict).await?;
            return self.listings.live_version(input.listing_id.as_str()).await;
        }
        let change = StatusChange {
            listing_id: &input.listing_id,
            status: input.status,
            reason: reason.as_deref(),
            comment: comment.as_deref(),
            score: input.auto_check_score,
            actor,
        };
        self.listings.change_status(&change).await
    }
}
