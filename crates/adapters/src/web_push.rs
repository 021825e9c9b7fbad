//! Web Push: messages that only the device can read (RFC 8291), from a sender that names itself
//! (RFC 8292), through whichever push service the device subscribed at (RFC 8030).
//!
//! The address of a subscription comes from a browser, and so from anyone. It is called only over
//! HTTPS and on public addresses; what a name stands for is checked on the very addresses that are
//! connected to, so that a name cannot change its mind in between.

mod endpoint;
mod vapid;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use partner_core::ports::hand_over::HandOver;
use partner_core::ports::push::{PushError, PushMessage, PushTarget, Pusher};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, Request, Response, StatusCode};
use secrecy::SecretString;
use web_push_native::Auth;
use web_push_native::p256::PublicKey;

use crate::http::{self, HttpConfigError};
use endpoint::{NotPublic, PublicResolver};
use vapid::Vapid;

/// The record size that a message declares: one record holds it all, and RFC 8291 wants the size to
/// be more than the message needs.
const RECORD_SIZE: u32 = 4096;
/// What fits into the 4,096 bytes that every push service takes (RFC 8291, section 4).
const LONGEST_PAYLOAD: usize = 3_993;
/// The most of a push service's words that are kept.
const ENOUGH_WORDS: usize = 500;

/// Who sends, and how to call push services.
#[derive(Debug, Clone)]
pub struct WebPushConfig {
    /// The sender's key: P-256, 32 bytes, base64url. Devices subscribe to its public half.
    pub vapid_private_key: SecretString,
    /// Whom a push service tells of trouble: a `mailto:` or `https:` address.
    pub subject: String,
    /// The most that connecting may take.
    pub connect_timeout: Duration,
    /// The most that a whole call may take.
    pub timeout: Duration,
    /// Whether plain HTTP, this machine and private networks are fine: for development only.
    pub allow_private_endpoints: bool,
}

/// Why a pusher cannot be built.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WebPushConfigError {
    /// The key is none.
    #[error("VAPID private key is not a P-256 key: it must have 32 bytes in base64url")]
    Key,
    /// The subject is no address.
    #[error("VAPID subject {0:?} must be a mailto: or https: address")]
    Subject(String),
    /// No client.
    #[error(transparent)]
    Http(#[from] HttpConfigError),
}

/// Every push service there is.
pub struct WebPusher {
    client: Client,
    vapid: Vapid,
    allow_private_endpoints: bool,
}

impl WebPusher {
    /// A sender with this key.
    ///
    /// # Errors
    /// [`WebPushConfigError`] names what is wrong with the configuration.
    pub fn new(config: WebPushConfig) -> Result<Self, WebPushConfigError> {
        let mut builder = http::builder(config.connect_timeout, config.timeout);
        if !config.allow_private_endpoints {
            builder = builder
                .https_only(true)
                .dns_resolver(Arc::new(PublicResolver));
        }
        Ok(Self {
            vapid: Vapid::new(&config.vapid_private_key, config.subject)?,
            client: http::build(builder)?,
            allow_private_endpoints: config.allow_private_endpoints,
        })
    }

    /// The public half of the sender's key in base64url: a browser's `applicationServerKey`.
    pub fn public_key(&self) -> &str {
        self.vapid.public_key()
    }

    /// The whole request. Nothing about the message can fail any more once there is one.
    fn request(&self, message: &PushMessage) -> Result<Request, PushError> {
        let url = endpoint::check(&message.target.endpoint, self.allow_private_endpoints)
            .map_err(PushError::Invalid)?;
        let authorization = self.vapid.authorization(&url);
        let urgency = if message.urgent { "high" } else { "normal" };
        self.client
            .post(url)
            .header(AUTHORIZATION, authorization)
            .header("TTL", message.time_to_live.as_secs())
            .header("Urgency", urgency)
            .header("Topic", topic(&message.topic)?)
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(encrypt(&message.payload, &message.target)?)
            .build()
            .map_err(|error| PushError::Invalid(http::describe(error)))
    }
}

impl fmt::Debug for WebPusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebPusher")
            .field("public_key", &self.public_key())
            .field("allow_private_endpoints", &self.allow_private_endpoints)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Pusher for WebPusher {
    async fn push(&self, message: &PushMessage, gate: &dyn HandOver) -> Result<(), PushError> {
        let request = self.request(message)?;
        gate.hand_over().await?;
        let response = self.client.execute(request).await.map_err(failed)?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(refusal(response).await)
    }
}

fn topic(topic: &str) -> Result<&str, PushError> {
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (1..=32).contains(&topic.len()) && topic.chars().all(is_base64url) {
        return Ok(topic);
    }
    Err(PushError::Invalid(format!(
        "topic {topic:?} must have 1 to 32 characters of base64url"
    )))
}

/// The body that only this device can read.
fn encrypt(payload: &[u8], target: &PushTarget) -> Result<Vec<u8>, PushError> {
    let invalid = |what: &str| PushError::Invalid(what.to_owned());
    if payload.len() > LONGEST_PAYLOAD {
        return Err(PushError::Invalid(format!(
            "payload has {} bytes, a push message has at most {LONGEST_PAYLOAD}",
            payload.len()
        )));
    }
    let key = decoded(&target.p256dh)
        .and_then(|bytes| PublicKey::from_sec1_bytes(&bytes).ok())
        .ok_or_else(|| invalid("the subscription's p256dh is no P-256 public key in base64url"))?;
    let auth = decoded(&target.auth)
        .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
        .ok_or_else(|| invalid("the subscription's auth is not 16 bytes in base64url"))?;
    let mut body = web_push_native::encrypt(payload.to_vec(), &key, &Auth::from(auth))
        .map_err(|error| PushError::Invalid(format!("cannot be encrypted: {error}")))?;
    // The crate declares exactly what the message needs. The size is no part of what is
    // authenticated: it only says where a next record would begin.
    if let Some(declared) = body.get_mut(16..20) {
        declared.copy_from_slice(&RECORD_SIZE.to_be_bytes());
    }
    Ok(body)
}

/// Base64url as browsers write it; some libraries pad it.
fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .ok()
}

/// What a call without an answer means.
fn failed(error: reqwest::Error) -> PushError {
    if let Some(refused) = not_public(&error) {
        return PushError::Invalid(refused.to_string());
    }
    if error.is_connect() {
        return PushError::Unreachable(http::describe(error));
    }
    PushError::NoAnswer(http::describe(error))
}

fn not_public(error: &reqwest::Error) -> Option<&NotPublic> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// What an answer that is not a success means.
async fn refusal(response: Response) -> PushError {
    let status = response.status();
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => PushError::Gone {
            status: status.as_u16(),
        },
        StatusCode::TOO_MANY_REQUESTS => PushError::RateLimited {
            retry_after: http::retry_after(response.headers()),
        },
        status if status.is_server_error() => PushError::Unavailable {
            status: status.as_u16(),
            message: words(response).await,
        },
        // Redirects included: nobody else than the subscription's own address gets the message.
        status => PushError::Refused {
            status: status.as_u16(),
            message: words(response).await,
        },
    }
}

/// The beginning of the answer's text, and no more of it is read: the other side may be anyone. The
/// status decides, so losing the text is no error.
async fn words(mut response: Response) -> String {
    let mut words = Vec::new();
    while words.len() < ENOUGH_WORDS
        && let Ok(Some(chunk)) = response.chunk().await
    {
        words.extend_from_slice(&chunk);
    }
    words.truncate(ENOUGH_WORDS);
    String::from_utf8_lossy(&words).into_owned()
}

#[cfg(test)]
mod tests;
