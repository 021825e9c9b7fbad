//! Listings: what a listing must have, and how good it is.
//!
//! Pure so far: `validation` says which of the rules a listing breaks, `quality` gives it a score,
//! and `contact_detection` finds the phone numbers and email addresses that cost some of it. The
//! workflows and activities that use them follow.

pub mod contact_detection;
pub mod model;
pub mod quality;
pub mod validation;
