//! The HTTP API.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

/// The HTTP API.
#[derive(Debug, Clone, Deserialize)]
pub struct ApiConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// How many connections may be open at once; the next ones wait.
    pub max_connections: NonZeroUsize,
    /// How long the headers of a request may take to come, the first or the next of a connection.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How long the body of a request may take to come.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// How long the answer of the Temporal service or of the database may take.
    #[serde(with = "humantime_serde")]
    pub dependency_timeout: Duration,
    /// The longest that `?wait=` waits for a result.
    #[serde(with = "humantime_serde")]
    pub max_wait: Duration,
    /// How long a stream of events lasts at most; its reader then asks for it again.
    #[serde(with = "humantime_serde")]
    pub max_stream: Duration,
    /// How many streams of events there may be at once.
    pub max_streams: NonZeroUsize,
    /// How many of them one caller may have.
    pub max_streams_per_caller: NonZeroUsize,
    /// How many requests of one caller may wait for a result at once.
    pub max_waits_per_caller: NonZeroUsize,
    /// How many bytes the body of a request may have.
    pub max_body_bytes: NonZeroUsize,
    /// How many requests a caller may make a second, in the long run.
    pub requests_per_second: NonZeroU32,
    /// How many a caller that was quiet may make at once.
    pub request_burst: NonZeroU32,
    /// How many failed authentications a minute one address may make, and at once after a quiet time.
    pub failed_logins_per_minute: NonZeroU32,
    /// How long an idempotency key stands for its request.
    #[serde(with = "humantime_serde")]
    pub idempotency_ttl: Duration,
    /// The origins whose pages may call the API from a browser; none without any.
    pub cors_origins: Vec<String>,
    /// How long requests under way may take to end after a signal to stop.
    #[serde(with = "humantime_serde")]
    pub shutdown_grace: Duration,
    /// Access tokens of an identity provider.
    pub jwt: JwtConfig,
}

/// Access tokens (JWT) of an identity provider. Without `jwks_url` none is taken.
#[derive(Debug, Clone, Deserialize)]
pub struct JwtConfig {
    /// Where the provider publishes its keys (RFC 7517).
    #[serde(default)]
    pub jwks_url: Option<Url>,
    /// The `iss` that a token must have.
    #[serde(default)]
    pub issuer: String,
    /// The `aud` that a token must have.
    #[serde(default)]
    pub audience: String,
    /// How long keys that were read are good.
    #[serde(with = "humantime_serde")]
    pub keys_ttl: Duration,
    /// How long they are used at most while the provider does not answer.
    #[serde(with = "humantime_serde")]
    pub keys_max_age: Duration,
}
