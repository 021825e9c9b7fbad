//! Logs: JSON for machines, lines for people, always on stderr.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("log.filter {0:?} cannot be read, expected something like \"info,partner=debug\"")]
    InvalidFilter(String),
    /// A subscriber was already installed in this process.
    #[error("logging is already set up in this process")]
    AlreadySet,
}

/// Installs the process-wide log subscriber.
///
/// # Errors
/// [`TelemetryError`] if the filter is malformed or a subscriber is already there.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|_| TelemetryError::InvalidFilter(config.filter.clone()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE);
    match config.format {
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_span_list(false))
            .try_init(),
        LogFormat::Human => registry.with(layer.with_target(false)).try_init(),
    }
    .map_err(|_| TelemetryError::AlreadySet)
}
