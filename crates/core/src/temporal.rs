//! The connection to the Temporal service, from configuration.

use std::path::Path;

use secrecy::ExposeSecret;
use temporalio_client::{
    Client, ClientOptions, ClientTlsOptions, Connection, ConnectionOptions, GrpcCompression,
    TlsOptions,
};
use temporalio_common::telemetry::metrics::TemporalMeter;
use url::Url;

use crate::config::{Compression, TemporalConfig};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("temporal.address {0:?} is not host:port")]
    InvalidAddress(String),
    /// A certificate or key cannot be read.
    #[error("temporal.tls: cannot read {path}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody answered in time.
    #[error(
        "no Temporal service answered at {0} within temporal.connect_timeout: is it up, and is TEMPORAL_ADDRESS right?"
    )]
    TimedOut(String),
    /// The service, or the way to it, refused.
    #[error(
        "cannot connect to the Temporal service at {address}: is it up, and is TEMPORAL_ADDRESS right?"
    )]
    Refused {
        /// Where.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Connects, within the configured time.
///
/// # Errors
/// [`ConnectError`] names the key of the configuration that is to be looked at.
pub async fn connect(
    config: &TemporalConfig,
    identity: &str,
    meter: Option<TemporalMeter>,
) -> Result<Client, ConnectError> {
    let scheme = if config.tls.enabled || config.api_key.is_some() {
        "https"
    } else {
        "http"
    };
    let target = Url::parse(&format!("{scheme}://{}", config.address))
        .map_err(|_| ConnectError::InvalidAddress(config.address.clone()))?;
    let options = ConnectionOptions::new(target)
        .identity(identity)
        .connect_timeout(config.connect_timeout)
        .grpc_compression(match config.compression {
            Compression::None => GrpcCompression::None,
            Compression::Gzip => GrpcCompression::Gzip,
        })
        .maybe_tls_options(tls(config)?)
        .maybe_api_key(
            config
                .api_key
                .as_ref()
                .map(|key| key.expose_secret().to_owned()),
        )
        .maybe_metrics_meter(meter)
        .build();
    let refused = |source| ConnectError::Refused {
        address: config.address.clone(),
        source,
    };
    // The SDK's own timeout covers the first connection only, not the retries of the first call.
    let connection = tokio::time::timeout(config.connect_timeout, Connection::connect(options))
        .await
        .map_err(|_| ConnectError::TimedOut(config.address.clone()))?
        .map_err(|error| refused(error.into()))?;
    Client::new(
        connection,
        ClientOptions::new(config.namespace.clone()).build(),
    )
    .map_err(|error| refused(error.into()))
}

fn tls(config: &TemporalConfig) -> Result<Option<TlsOptions>, ConnectError> {
    let tls = &config.tls;
    if !tls.enabled && config.api_key.is_none() {
        return Ok(None);
    }
    let client = match (&tls.cert_file, &tls.key_file) {
        (Some(cert), Some(key)) => Some(
            ClientTlsOptions::builder()
                .client_cert(read(cert)?)
                .client_private_key(read(key)?)
                .build(),
        ),
        _ => None,
    };
    let authority = tls.ca_file.as_deref().map(read).transpose()?;
    let options = TlsOptions::builder()
        .maybe_server_root_ca_cert(authority)
        .maybe_domain(tls.server_name.clone())
        .maybe_client_tls_options(client)
        .build();
    Ok(Some(options))
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|source| ConnectError::Unreadable {
        path: path.display().to_string(),
        source,
    })
}
