//! Payments: an order is charged once, marked paid, and handed over, or everything is undone.
//!
//! `workflows` decide, `activities` do. Other services use [`register`] to run them in a worker of
//! their own, and the input and result types to start them.

pub mod activities;
pub mod billing_calendar;
pub mod due;
pub mod dunning;
pub mod emails;
pub mod error;
pub mod gateway_events;
pub mod ledger;
pub mod model;
mod registry;
pub mod repository;
pub mod settings;
pub mod workflows;

pub use registry::{Dependencies, catalog, register};
pub use settings::BillingSettings;
