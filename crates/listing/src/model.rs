//! The listing domain's words: what is offered, how it stands, and what was decided about it.

mod decision;
mod property;
mod status;

pub use decision::{Decision, Provenance, ReviewDecision};
pub use property::{Location, PropertyData, Quantity};
pub use status::ListingStatus;
