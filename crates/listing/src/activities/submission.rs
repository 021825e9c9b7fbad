//! `submitListing`: a listing is taken in for review.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use partner_core::error::activity_error;
use partner_core::ids::{ListingId, UserId};
use partner_core::ports::search_index::check_listing_id;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::actor;
use crate::error::ListingError;
use crate::model::{ListingStatus, PropertyData, ReviewDecision};
use crate::repository::{ListingRepository, Submission};
use crate::settings::ListingSettings;

/// What is submitted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmitListingInput {
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

/// How it was taken in, and how its review goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmitListingResult {
    /// The listing.
    pub listing_id: String,
    /// Its version: a new one if what is offered changed, or was decided before.
    pub version: i32,
    /// How it stood.
    pub status: ListingStatus,
    /// The version that the search index shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_version: Option<i32>,
    /// That this very version was approved before, if it was: what is missing is only to publish it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<ReviewDecision>,
    /// Until when it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<DateTime<Utc>>,
    /// How long reviewers have. In the answer, and so in history: a change of the configuration does
    /// not disturb what runs.
    pub review_window_seconds: u64,
    /// How long before the end of that the review becomes urgent; 0 if it never does.
    pub review_reminder_seconds: u64,
}

/// The activity's dependencies.
pub struct SubmissionActivities {
    /// The listings.
    pub listings: ListingRepository,
    /// What operators decide.
    pub settings: ListingSettings,
}

#[activities]
impl SubmissionActivities {
    /// Takes a listing in, gives what it offers a version, and claims its review for the workflow.
    #[activity(name = "submitListing")]
    pub async fn submit_listing(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<SubmitListingInput>,
    ) -> Result<SubmitListingResult, ActivityError> {
        self.submit(input, &actor(&ctx)).await
    }
}

impl SubmissionActivities {
    /// `submitListing` without a worker around it.
    pub async fn submit(
        &self,
        input: Wire<SubmitListingInput>,
        workflow_id: &str,
    ) -> Result<SubmitListingResult, ActivityError> {
        let input = input.into_activity_input()?;
        check_text(&input.property_data).map_err(activity_error)?;
        // What no index can address could never be published, nor taken out.
        check_listing_id(input.listing_id.as_str()).map_err(activity_error)?;
        let submission = Submission {
            listing_id: &input.listing_id,
            user_id: &input.user_id,
            property: &input.property_data,
            expires_at: input.expiration_date,
            workflow_id,
        };
        let submitted = self.listings.submit(&submission);
        let submitted = submitted.await.map_err(activity_error)?;
        Ok(SubmitListingResult {
            listing_id: input.listing_id.into(),
            version: submitted.version,
            status: submitted.status,
            live_version: submitted.live_version,
            decision: submitted.decision,
            expiration_date: submitted.expires_at,
            review_window_seconds: self.settings.review_window.as_secs(),
            review_reminder_seconds: self.settings.review_reminder.as_secs(),
        })
    }
}

/// PostgreSQL's text holds everything but this character, and so does nobody's listing.
fn check_text(property: &PropertyData) -> Result<(), ListingError> {
    let location = &property.location;
    let texts = [
        ("title", &property.title),
        ("description", &property.description),
        ("location.address", &location.address),
        ("location.city", &location.city),
        ("location.state", &location.state),
    ];
    let images = property.images.iter().map(|image| ("images", image));
    let zip_code = location.zip_code.iter();
    let zip_code = zip_code.map(|text| ("location.zipCode", text));
    let mut texts = texts.into_iter().chain(images).chain(zip_code);
    match texts.find(|(_, text)| text.contains('\0')) {
        Some((field, _)) => Err(ListingError::Invalid(format!(
            "propertyData.{field}: must not contain the character U+0000"
        ))),
        None => Ok(()),
    }
}
