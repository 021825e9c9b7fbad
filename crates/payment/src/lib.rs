//! Payments: an order is charged once, marked paid, and handed over, or everything is undone.
//!
//! `workflows` decide, `activities` do. Other services use [`register`] to run them in a worker of
//! their own, and the input and result types to start them.

pub mod activities;
pub mod emails;
pub mod error;
pub mod ledger;
pub mod model;
mod registry;
pub mod repository;
pub mod workflows;

pub use registry::{Dependencies, catalog, register};
