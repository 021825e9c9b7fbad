//! `publishToSearchIndex` and `removeFromSearchIndex`: what the public finds.

use std::sync::Arc;

use partner_core::error::{activity_error, undo_error};
use partner_core::heartbeat::with_heartbeat;
use partner_core::ids::ListingId;
use partner_core::ports::search_index::{SearchDocument, SearchIndex, SearchIndexError};
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::actor;
use crate::error::ListingError;
use crate::model::{PropertyData, Quantity};
use crate::repository::{IndexWriteRepository, Publication};

/// What is published.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishToSearchIndexInput {
    /// The listing.
    pub listing_id: ListingId,
    /// What it offers: that which was approved.
    pub property_data: PropertyData,
    /// Which version that is; the latest without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing_version: Option<i32>,
}

/// What is taken out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoveFromSearchIndexInput {
    /// The listing.
    pub listing_id: ListingId,
}

/// That it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchIndexResult {
    /// Always true: what could not be done is a failure.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
}

/// The activities' dependencies.
pub struct SearchActivities {
    /// The order of the writes.
    pub writes: IndexWriteRepository,
    /// The index.
    pub index: Arc<dyn SearchIndex>,
}

#[activities]
impl SearchActivities {
    /// Lets the public find an approved listing.
    #[activity(name = "publishToSearchIndex")]
    pub async fn publish_to_search_index(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<PublishToSearchIndexInput>,
    ) -> Result<SearchIndexResult, ActivityError> {
        let actor = actor(&ctx);
        with_heartbeat(&ctx, self.publish(input, &actor)).await
    }

    /// Lets nobody find a listing any more. It is done in the end, whatever is down.
    #[activity(name = "removeFromSearchIndex")]
    pub async fn remove_from_search_index(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<RemoveFromSearchIndexInput>,
    ) -> Result<SearchIndexResult, ActivityError> {
        let actor = actor(&ctx);
        with_heartbeat(&ctx, self.remove(input, &actor)).await
    }
}

impl SearchActivities {
    /// `publishToSearchIndex` without a worker around it.
    pub async fn publish(
        &self,
        input: Wire<PublishToSearchIndexInput>,
        actor: &str,
    ) -> Result<SearchIndexResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.bring_in(&input, actor).await.map_err(activity_error)?;
        Ok(done(input.listing_id))
    }

    /// `removeFromSearchIndex` without a worker around it.
    pub async fn remove(
        &self,
        input: Wire<RemoveFromSearchIndexInput>,
        actor: &str,
    ) -> Result<SearchIndexResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.take_out(&input.listing_id, actor)
            .await
            .map_err(|error| match error {
                // No index and no time makes this listing exist.
                ListingError::NotFound(_) => activity_error(error),
                error => undo_error(error),
            })?;
        Ok(done(input.listing_id))
    }

    async fn bring_in(
        &self,
        input: &PublishToSearchIndexInput,
        actor: &str,
    ) -> Result<(), ListingError> {
        let id = &input.listing_id;
        let publication = self
            .writes
            .begin_publication(id, input.listing_version)
            .await?;
        if publication.property != input.property_data {
            return Err(ListingError::NotPublishable {
                listing: id.to_string(),
                reason: "propertyData is not what was approved".to_owned(),
            });
        }
        let (write, version) = (publication.write, publication.version);
        let is_written = is_newest(self.index.publish(&document(id, publication)).await)?;
        if is_written
            && self
                .writes
                .complete(id, write, Some(version), actor)
                .await?
        {
            return Ok(());
        }
        // A later write has begun: another attempt of this, or one that took the listing out.
        if self.writes.is_shown(id, version).await? {
            return Ok(());
        }
        Err(ListingError::Overtaken(id.to_string()))
    }

    async fn take_out(&self, id: &ListingId, actor: &str) -> Result<(), ListingError> {
        let write = self.writes.begin_removal(id).await?;
        if is_newest(self.index.remove(id.as_str(), write.number).await)? {
            // If a later write has begun, what the index shows is that one's to put down.
            self.writes.complete(id, write, None, actor).await?;
        } else if self.writes.is_latest(id, write).await? {
            return Err(ListingError::Overtaken(id.to_string()));
        }
        Ok(())
    }
}

/// Whether a write is in the index; if not, a later one is.
fn is_newest(written: Result<(), SearchIndexError>) -> Result<bool, SearchIndexError> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.is_superseded() => Ok(false),
        Err(error) => Err(error),
    }
}

fn document(listing_id: &ListingId, publication: Publication) -> SearchDocument {
    let Publication {
        write, property, ..
    } = publication;
    let location = property.location;
    let number = |quantity: Option<Quantity>| quantity.map(Quantity::value);
    SearchDocument {
        listing_id: listing_id.to_string(),
        version: write.number,
        title: property.title,
        description: property.description,
        price: property.price.value(),
        city: location.city,
        state: location.state,
        address: location.address,
        zip_code: location.zip_code,
        bedrooms: number(property.bedrooms),
        bathrooms: number(property.bathrooms),
        area: number(property.area),
        images: property.images,
    }
}

fn done(listing_id: ListingId) -> SearchIndexResult {
    SearchIndexResult {
        success: true,
        listing_id: listing_id.into(),
    }
}
