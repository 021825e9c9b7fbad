//! `notifyReviewers`, `approveListing` and `rejectListing`: a listing's review.

mod told;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::ids::{ListingId, UserId};
use partner_core::ports::notifier::Notifier;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::actor;
use crate::error::ListingError;
use crate::model::{Decision, PropertyData, Provenance, ReviewDecision};
use crate::quality::Score;
use crate::repository::{AuditRepository, DecisionRepository, ReviewerRepository, Verdict};
use crate::settings::ListingSettings;

/// What reviewers are told of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifyReviewersInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it offers.
    pub property_data: PropertyData,
    /// What the automated checks say.
    pub auto_check_score: Score,
    /// Which version it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing_version: Option<i32>,
    /// When it is decided without a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// Whether they were asked before, and time runs out: then their leads are asked too.
    #[serde(default)]
    pub urgent: bool,
}

/// How many were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifyReviewersResult {
    /// Always true: a request that reached none of the reviewers is a failure.
    pub success: bool,
    /// How many reviewers were told.
    #[serde(default)]
    pub notified: u32,
    /// How many could not be told.
    #[serde(default)]
    pub failed: u32,
}

/// A decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideListingInput {
    /// The listing.
    pub listing_id: ListingId,
    /// What its owner is told.
    #[serde(default)]
    pub review_comment: Option<String>,
    /// The version that was looked at; the latest without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing_version: Option<i32>,
    /// What the decision rests on; a person without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    /// The score that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// When it was decided; by the database's clock without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

/// That it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideListingResult {
    /// Always true: a decision that cannot stand is a failure.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
    /// The decision that stands.
    pub decision: ReviewDecision,
    /// The hash that stands for the listing's audit trail so far: in the workflow's history it bears
    /// witness against a trail that was written anew.
    pub audit_hash: Option<String>,
}

/// The activities' dependencies.
pub struct ReviewActivities {
    /// What was decided.
    pub decisions: DecisionRepository,
    /// What happened.
    pub audit: AuditRepository,
    /// Who decides.
    pub reviewers: ReviewerRepository,
    /// How they are told.
    pub notifier: Arc<dyn Notifier>,
    /// What operators decide.
    pub settings: ListingSettings,
}

#[activities]
impl ReviewActivities {
    /// Tells everyone who reviews that a listing waits for a decision.
    #[activity(name = "notifyReviewers")]
    pub async fn notify_reviewers(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<NotifyReviewersInput>,
    ) -> Result<NotifyReviewersResult, ActivityError> {
        let retried = ctx.info().attempt > 1;
        let actor = actor(&ctx);
        with_heartbeat(&ctx, self.notify(input, retried, &actor)).await
    }

    /// Approves a version of a listing.
    #[activity(name = "approveListing")]
    pub async fn approve_listing(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<DecideListingInput>,
    ) -> Result<DecideListingResult, ActivityError> {
        self.decide(input, Decision::Approve, &actor(&ctx)).await
    }

    /// Rejects a version of a listing.
    #[activity(name = "rejectListing")]
    pub async fn reject_listing(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<DecideListingInput>,
    ) -> Result<DecideListingResult, ActivityError> {
        self.decide(input, Decision::Reject, &actor(&ctx)).await
    }
}

impl ReviewActivities {
    /// `notifyReviewers` without a worker around it; `retried` says whether it has tried before.
    pub async fn notify(
        &self,
        input: Wire<NotifyReviewersInput>,
        retried: bool,
        actor: &str,
    ) -> Result<NotifyReviewersResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.tell(&input, retried, actor)
            .await
            .map_err(activity_error)
    }

    /// `approveListing` and `rejectListing` without a worker around them.
    pub async fn decide(
        &self,
        input: Wire<DecideListingInput>,
        decision: Decision,
        actor: &str,
    ) -> Result<DecideListingResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.record(input, decision, actor)
            .await
            .map_err(activity_error)
    }

    async fn record(
        &self,
        input: DecideListingInput,
        decision: Decision,
        actor: &str,
    ) -> Result<DecideListingResult, ListingError> {
        let text = |text: Option<String>| text.unwrap_or_default().replace('\0', "");
        let verdict = Verdict {
            listing_id: &input.listing_id,
            version: input.listing_version,
            decision,
            provenance: input.provenance.unwrap_or(Provenance::Human),
            reviewer: &text(input.reviewer),
            comment: &text(input.review_comment),
            score: input.score,
            decided_at: input.decided_at,
            actor,
        };
        let decision = self.decisions.decide(&verdict).await?;
        let audit_hash = self.audit.head(input.listing_id.as_str()).await?;
        Ok(DecideListingResult {
            success: true,
            listing_id: input.listing_id.into(),
            decision,
            audit_hash,
        })
    }
}
