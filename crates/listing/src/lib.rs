//! Listings: what a listing must have, how good it is, who decides about it, and until when it is
//! shown.

pub mod activities;
pub mod contact_detection;
pub mod emails;
pub mod error;
pub mod model;
pub mod notices;
pub mod quality;
mod registry;
pub mod repository;
pub mod settings;
pub mod validation;
pub mod workflows;

pub use registry::{Dependencies, catalog, register};
