//! Who sends: a signed token for every push service (VAPID, RFC 8292).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;
use web_push_native::p256::ecdsa::signature::Signer as _;
use web_push_native::p256::ecdsa::{Signature, SigningKey};

use super::WebPushConfigError;

/// How long a token is good for: half of what RFC 8292 allows, so that clocks may differ.
const LIFETIME: TimeDelta = TimeDelta::hours(12);

/// The sender.
pub(super) struct Vapid {
    key: SigningKey,
    public_key: String,
    subject: String,
}

impl Vapid {
    pub(super) fn new(key: &SecretString, subject: String) -> Result<Self, WebPushConfigError> {
        if !(subject.starts_with("mailto:") || subject.starts_with("https://")) {
            return Err(WebPushConfigError::Subject(subject));
        }
        let key = super::decoded(key.expose_secret())
            .and_then(|bytes| SigningKey::from_slice(&bytes).ok())
            .ok_or(WebPushConfigError::Key)?;
        let public_key = key.verifying_key().to_encoded_point(false);
        Ok(Self {
            public_key: BASE64_URL_SAFE_NO_PAD.encode(public_key.as_bytes()),
            key,
            subject,
        })
    }

    pub(super) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The `Authorization` header for the push service of this address.
    pub(super) fn authorization(&self, endpoint: &Url) -> String {
        let claims = json!({
            "aud": endpoint.origin().ascii_serialization(),
            "exp": (now() + LIFETIME).timestamp(),
            "sub": self.subject,
        });
        let encode = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let header = encode(json!({"typ": "JWT", "alg": "ES256"}));
        let signed = format!("{header}.{}", encode(claims));
        let signature: Signature = self.key.sign(signed.as_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes());
        format!("vapid t={signed}.{signature}, k={}", self.public_key)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the push service compares the token's end with its own clock; no workflow sees it"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}
