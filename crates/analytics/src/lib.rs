//! Reports that people read, and the cleanup of old data.
//!
//! `repository` reads the figures from PostgreSQL and `ports` names those that Temporal has;
//! `metrics` is the document that both fill; `report` renders it as PDF, Excel or CSV. `cleanup`
//! plans, backs up, deletes and restores.

pub mod activities;
pub mod cleanup;
mod emails;
pub mod error;
pub mod metrics;
pub mod model;
mod notices;
pub mod ports;
pub mod registry;
pub mod reminder;
pub mod report;
pub mod repository;
pub mod settings;
pub mod workflows;

pub use registry::{Dependencies, catalog, register};

// The samples of the tests speak of this crate as other crates do.
#[cfg(test)]
extern crate self as partner_analytics;
