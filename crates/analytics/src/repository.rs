//! The tables that reports read, and those of the analytics domain itself.

mod metrics;

pub use metrics::MetricsRepository;
