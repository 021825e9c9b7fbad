//! Users: what reaches them. So far `sendEmail`, which every domain calls.

pub mod activities;
pub mod error;
mod registry;
pub mod repository;

pub use registry::{Dependencies, catalog, register};
