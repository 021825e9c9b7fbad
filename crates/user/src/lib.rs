//! Users: what reaches them on every channel, and how they become partners.

pub mod activities;
pub mod channels;
pub mod emails;
pub mod error;
pub mod ledger;
pub mod model;
pub mod notification;
mod notifier;
pub mod quiet_hours;
mod registry;
pub mod repository;
pub mod settings;
pub mod workflows;

pub use registry::{Dependencies, catalog, notifier, register};
