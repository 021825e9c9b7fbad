//! What the listing domain decides, one file a workflow.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod expiring_listings;
pub mod listing_approval;
pub mod listing_expiration;
