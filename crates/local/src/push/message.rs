//! What a push service checks, and what a device reads.

use std::fmt;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use web_push_native::Auth;
use web_push_native::p256::SecretKey;
use web_push_native::p256::ecdsa::signature::Verifier;
use web_push_native::p256::ecdsa::{Signature, VerifyingKey};
use web_push_native::p256::elliptic_curve::rand_core::{OsRng, RngCore};
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint;

use super::PushedMessage;
use crate::loopback::now;

/// What a push service takes at least, and ours at most (RFC 8291, section 4).
const LARGEST_BODY: usize = 4_096;
/// How long a token may be good for (RFC 8292, section 2).
const LONGEST_TOKEN: i64 = 24 * 60 * 60;

/// What a device keeps to itself, and what it tells.
pub(super) struct DeviceKeys {
    key: SecretKey,
    auth: Auth,
}

impl DeviceKeys {
    pub(super) fn new() -> Self {
        let mut auth = Auth::default();
        OsRng.fill_bytes(&mut auth);
        Self {
            key: SecretKey::random(&mut OsRng),
            auth,
        }
    }

    pub(super) fn p256dh(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.key.public_key().to_encoded_point(false).as_bytes())
    }

    pub(super) fn auth(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.auth)
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKeys").finish_non_exhaustive()
    }
}

/// Why a message is not taken.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, &'static str);

impl Refusal {
    pub(super) const fn no_such_device() -> Self {
        Self(StatusCode::NOT_FOUND, "there is no such subscription")
    }

    const fn unauthorized(words: &'static str) -> Self {
        Self(StatusCode::UNAUTHORIZED, words)
    }

    const fn bad(words: &'static str) -> Self {
        Self(StatusCode::BAD_REQUEST, words)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    sub: String,
}

/// Checks the sender and the headers, and decrypts.
pub(super) fn read(
    origin: &str,
    device: &DeviceKeys,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<PushedMessage, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (sender, claims) = authorize(text("authorization"), origin)?;
    let time_to_live = text("ttl")
        .and_then(|ttl| ttl.parse().ok())
        .ok_or(Refusal::bad("TTL is missing or no number of seconds"))?;
    let topic = text("topic");
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if topic.is_some_and(|topic| topic.len() > 32 || !topic.chars().all(is_base64url)) {
        return Err(Refusal::bad(
            "Topic has more than 32 characters, or others than base64url's",
        ));
    }
    let urgency = text("urgency").unwrap_or("normal");
    if !matches!(urgency, "very-low" | "low" | "normal" | "high") {
        return Err(Refusal::bad("Urgency is none of RFC 8030's"));
    }
    Ok(PushedMessage {
        text: decrypt(device, text("content-encoding"), body)?,
        topic: topic.map(ToOwned::to_owned),
        urgency: urgency.to_owned(),
        time_to_live,
        sender,
        subject: claims.sub,
        times: 1,
    })
}

/// The sender's public key, and what its token claims.
fn authorize(header: Option<&str>, origin: &str) -> Result<(String, Claims), Refusal> {
    let parameters = header
        .and_then(|header| header.strip_prefix("vapid "))
        .ok_or(Refusal::unauthorized("the vapid authorization is missing"))?;
    let parameter = |name: &str| {
        let mut all = parameters.split(',').map(str::trim);
        all.find_map(|one| one.strip_prefix(name)?.strip_prefix('='))
    };
    let unsigned = Refusal::unauthorized("the token is not signed by the key");
    let (Some(token), Some(key)) = (parameter("t"), parameter("k")) else {
        return Err(unsigned);
    };
    let claims = verified(token, key).ok_or(unsigned)?;
    if claims.aud != origin {
        return Err(Refusal::unauthorized(
            "the token's aud is not this push service",
        ));
    }
    let left = claims.exp - now().timestamp();
    if !(1..=LONGEST_TOKEN).contains(&left) {
        return Err(Refusal::unauthorized(
            "the token's exp is over, or more than 24 hours from now",
        ));
    }
    if !(claims.sub.starts_with("mailto:") || claims.sub.starts_with("https:")) {
        return Err(Refusal::unauthorized("the token's sub is no address"));
    }
    Ok((key.to_owned(), claims))
}

/// The claims of a token that this key signed.
fn verified(token: &str, key: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let key = VerifyingKey::from_sec1_bytes(&decoded(key)?).ok()?;
    let signature = Signature::from_slice(&decoded(signature)?).ok()?;
    key.verify(signed.as_bytes(), &signature).ok()?;
    let header: TokenHeader = json(header)?;
    if header.alg != "ES256" {
        return None;
    }
    json(claims)
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&decoded(part)?).ok()
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

fn decrypt(device: &DeviceKeys, encoding: Option<&str>, body: &[u8]) -> Result<String, Refusal> {
    if encoding != Some("aes128gcm") {
        return Err(Refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Encoding is not aes128gcm",
        ));
    }
    if body.len() > LARGEST_BODY {
        return Err(Refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the message has more than 4096 bytes",
        ));
    }
    // A record size below RFC 8188's least would be a division by nothing.
    let record_size = body
        .get(16..20)
        .and_then(|size| size.try_into().ok())
        .map(u32::from_be_bytes);
    if record_size.is_none_or(|size| size < 18) {
        return Err(Refusal::bad("the message's header is broken"));
    }
    let unreadable = Refusal::bad("the device cannot decrypt the message");
    web_push_native::decrypt(body.to_vec(), &device.key, &device.auth)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(unreadable)
}
