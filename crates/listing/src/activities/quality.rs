//! `runAutomatedChecks`: the score of a listing.

use partner_core::ids::ListingId;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::model::PropertyData;
use crate::quality::{AutomatedChecksResult, check};

/// What is checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAutomatedChecksInput {
    /// The listing.
    pub listing_id: ListingId,
    /// What it offers.
    pub property_data: PropertyData,
}

/// The activity needs nothing.
#[derive(Debug, Clone, Copy)]
pub struct QualityActivities;

#[activities]
impl QualityActivities {
    /// Says how good a listing is, and what costs it a part of the score.
    #[activity(name = "runAutomatedChecks")]
    pub fn run_automated_checks(
        _ctx: ActivityContext,
        input: Wire<RunAutomatedChecksInput>,
    ) -> Result<AutomatedChecksResult, ActivityError> {
        Self::run(input)
    }
}

impl QualityActivities {
    /// `runAutomatedChecks` without a worker around it.
    pub fn run(
        input: Wire<RunAutomatedChecksInput>,
    ) -> Result<AutomatedChecksResult, ActivityError> {
        let input = input.into_activity_input()?;
        Ok(check(&input.property_data))
    }
}
