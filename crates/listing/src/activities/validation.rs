//! `validateListing`: the rules that a listing must keep.

use partner_core::ids::ListingId;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::model::PropertyData;
use crate::validation::{ValidateListingResult, broken_rules};

/// What is validated.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateListingInput {
    /// The listing.
    pub listing_id: ListingId,
    /// What it offers.
    pub property_data: PropertyData,
}

/// The activity needs nothing.
#[derive(Debug, Clone, Copy)]
pub struct ValidationActivities;

#[activities]
impl ValidationActivities {
    /// Says which rules a listing breaks, all of them together.
    #[activity(name = "validateListing")]
    pub fn validate_listing(
        _ctx: ActivityContext,
        input: Wire<ValidateListingInput>,
    ) -> Result<ValidateListingResult, ActivityError> {
        Self::validate(input)
    }
}

impl ValidationActivities {
    /// `validateListing` without a worker around it.
    pub fn validate(
        input: Wire<ValidateListingInput>,
    ) -> Result<ValidateListingResult, ActivityError> {
        let input = input.into_activity_input()?;
        let broken = broken_rules(&input.property_data);
        Ok(broken.as_slice().into())
    }
}
