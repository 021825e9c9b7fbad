//! Reports: what happened on the platform in a period, gathered and rendered.
//!
//! `repository` reads the figures from PostgreSQL and `ports` names those that Temporal has;
//! `metrics` is the document that both fill.

pub mod error;
pub mod metrics;
pub mod model;
pub mod ports;
pub mod repository;
