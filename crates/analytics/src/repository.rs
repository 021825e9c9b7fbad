//! The tables that reports read, and those of the analytics domain itself, one file an aggregate.

pub mod cleanup;
mod metrics;

pub use metrics::MetricsRepository;
