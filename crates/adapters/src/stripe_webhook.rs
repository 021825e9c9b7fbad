//! Stripe's webhooks: proves that Stripe sent an event, and reads what it is about.
//!
//! An event is a hint that something changed, never a source of truth: whoever receives one reads
//! the payment from the gateway.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

/// How old, or how far ahead of our clock, a signature may be: Stripe's own recommendation.
const TOLERANCE: TimeDelta = TimeDelta::seconds(300);

/// Why a webhook is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The `Stripe-Signature` header is not `t=<seconds>,v1=<hex>`.
    #[error("webhook signature header has no {0}")]
    Header(&'static str),
    /// No signature fits the body: it was changed, or the secret is another endpoint's.
    #[error("webhook signature does not fit its body and secret")]
    Signature,
    /// It was signed too long ago (a replay), or by a clock far ahead of ours.
    #[error("webhook was signed at {signed_at}, more than 5 minutes away from {now}")]
    OutOfTime {
        /// When it was signed.
        signed_at: DateTime<Utc>,
        /// Our time.
        now: DateTime<Utc>,
    },
    /// The signature fits, and the body is not an event.
    #[error("webhook body is not an event: {0}")]
    Body(String),
}

/// An event that Stripe surely sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Stripe's id: the same on every delivery, so that repeats can be dropped by it.
    pub id: String,
    /// What happened, such as `payment_intent.succeeded`.
    pub kind: String,
    /// When it happened.
    pub created: DateTime<Utc>,
    /// The payment that it is about, if it is about one.
    pub payment_id: Option<String>,
    /// Our reference of that payment, if the event carries it.
    pub reference: Option<String>,
    /// How the thing stands that it is about: `succeeded`, `failed`.
    pub status: Option<String>,
}

/// One webhook endpoint.
#[derive(Debug, Clone)]
pub struct StripeWebhook {
    secret: SecretString,
}

impl StripeWebhook {
    /// The endpoint with this signing secret (`whsec_...`).
    pub const fn new(secret: SecretString) -> Self {
        Self { secret }
    }

    /// Reads an event, if its `Stripe-Signature` header proves that Stripe sent this very body.
    ///
    /// # Errors
    /// [`WebhookError`]; all but [`WebhookError::Body`] mean that it may come from anyone.
    pub fn verify(
        &self,
        header: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<WebhookEvent, WebhookError> {
        let signature = Signature::parse(header)?;
        if !signature.fits(body, &self.secret) {
            return Err(WebhookError::Signature);
        }
        // Only now: before, the time was anyone's claim.
        let signed_at = DateTime::from_timestamp_secs(signature.seconds)
            .ok_or(WebhookError::Header("timestamp"))?;
        if (now - signed_at).abs() > TOLERANCE {
            return Err(WebhookError::OutOfTime { signed_at, now });
        }
        read(body)
    }
}

/// What the header claims.
struct Signature<'a> {
    /// As written: the signature is over these characters.
    timestamp: &'a str,
    seconds: i64,
    /// Several while the endpoint's secret is being rotated: one per secret.
    candidates: Vec<Vec<u8>>,
}

impl<'a> Signature<'a> {
    fn parse(header: &'a str) -> Result<Self, WebhookError> {
        let fields = || {
            header
                .split(',')
                .filter_map(|field| field.trim().split_once('='))
        };
        let (timestamp, seconds) = fields()
            .find(|(name, _)| *name == "t")
            .and_then(|(_, text)| Some((text, text.parse().ok()?)))
            .ok_or(WebhookError::Header("timestamp"))?;
        // Other schemes are passed over: `v0` is a fake signature for test events.
        let candidates: Vec<_> = fields()
            .filter(|(name, _)| *name == "v1")
            .filter_map(|(_, text)| hex::decode(text).ok())
            .collect();
        if candidates.is_empty() {
            return Err(WebhookError::Header("v1 signature"));
        }
        Ok(Self {
            timestamp,
            seconds,
            candidates,
        })
    }

    fn fits(&self, body: &[u8], secret: &SecretString) -> bool {
        // HMAC takes keys of any length, so the error cannot happen; if it did, nothing fits.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
            return false;
        };
        let mac = mac
            .chain_update(self.timestamp)
            .chain_update(".")
            .chain_update(body);
        self.candidates
            .iter()
            .any(|candidate| mac.clone().verify_slice(candidate).is_ok())
    }
}

/// The event as Stripe writes it.
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: Value,
}

fn read(body: &[u8]) -> Result<WebhookEvent, WebhookError> {
    let event: Event =
        serde_json::from_slice(body).map_err(|error| WebhookError::Body(error.to_string()))?;
    let created = DateTime::from_timestamp_secs(event.created)
        .ok_or_else(|| WebhookError::Body(format!("created at {}", event.created)))?;
    let object = &event.data.object;
    Ok(WebhookEvent {
        id: event.id,
        kind: event.kind,
        created,
        payment_id: payment_id(object),
        reference: text(&object["metadata"]["reference"]),
        status: text(&object["status"]),
    })
}

/// The payment of an event about a payment itself, a charge, a refund or a dispute.
fn payment_id(object: &Value) -> Option<String> {
    if object["object"] == "payment_intent" {
        return text(&object["id"]);
    }
    let payment = &object["payment_intent"];
    // An id, or the whole payment if the endpoint is set up to expand it.
    text(payment).or_else(|| text(&payment["id"]))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "whsec_current";
    const SIGNED_AT: i64 = 1_790_000_000;

    fn now(seconds_later: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_secs(SIGNED_AT + seconds_later).unwrap()
    }

    fn sign(secret: &str, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .unwrap()
            .chain_update(format!("{SIGNED_AT}."))
            .chain_update(body);
        hex::encode(mac.finalize().into_bytes())
    }

    fn header(body: &[u8]) -> String {
        format!("t={SIGNED_AT},v1={}", sign(SECRET, body))
    }

    fn verify(header: &str, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        StripeWebhook::new(SECRET.into()).verify(header, body, now(1))
    }

    fn event(object: Value) -> Vec<u8> {
        json!({
            "id": "evt_1",
            "type": "payment_intent.succeeded",
            "created": 1_789_999_000,
            "data": {"object": object},
        })
        .to_string()
        .into_bytes()
    }

    fn payment_event() -> Vec<u8> {
        event(json!({
            "object": "payment_intent",
            "id": "pi_1",
            "status": "succeeded",
            "metadata": {"reference": "charge:order-1"},
        }))
    }

    #[test]
    fn a_signed_event_is_read() {
        let body = payment_event();
        assert_eq!(
            verify(&header(&body), &body).unwrap(),
            WebhookEvent {
                id: "evt_1".to_owned(),
                kind: "payment_intent.succeeded".to_owned(),
                created: DateTime::from_timestamp_secs(1_789_999_000).unwrap(),
                payment_id: Some("pi_1".to_owned()),
                reference: Some("charge:order-1".to_owned()),
                status: Some("succeeded".to_owned()),
            }
        );
    }

    #[test]
    fn the_signature_is_the_one_that_others_compute() {
        // printf '1790000000.{}' | openssl dgst -sha256 -hmac whsec_current
        assert_eq!(
            sign(SECRET, b"{}"),
            "c316de190540edeae316c1c2e2215fa498e45009a3d88a97e1c7935ad779ca6a"
        );
    }

    #[test]
    fn an_event_about_a_charge_or_a_refund_names_its_payment() {
        for (object, expected) in [
            (
                json!({"object": "charge", "id": "ch_1", "payment_intent": "pi_2"}),
                Some("pi_2"),
            ),
            (
                json!({"object": "refund", "payment_intent": {"id": "pi_3"}}),
                Some("pi_3"),
            ),
            (json!({"object": "customer", "id": "cus_1"}), None),
            (json!({"object": "charge", "payment_intent": null}), None),
        ] {
            let body = event(object);
            let event = verify(&header(&body), &body).unwrap();
            assert_eq!(event.payment_id.as_deref(), expected);
            assert_eq!(event.reference, None);
        }
    }

    #[test]
    fn one_fitting_signature_of_several_is_enough() {
        let body = payment_event();
        let (old, current) = (sign("whsec_old", &body), sign(SECRET, &body));
        for signatures in [
            format!("v1={old},v1={current}"),
            format!("v1={current}, v1={old}, v0=00"),
            format!("v1=not-hex,v1=,v1=00,v1={current}"),
        ] {
            let header = format!("t={SIGNED_AT},{signatures}");
            assert!(verify(&header, &body).is_ok(), "{header}");
        }
        let header = format!("t={SIGNED_AT},v1={old},v0={current}");
        assert_eq!(verify(&header, &body), Err(WebhookError::Signature));
    }

    #[test]
    fn a_signature_holds_for_five_minutes_either_way() {
        let body = payment_event();
        let header = header(&body);
        for (later, is_in_time) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let verified = StripeWebhook::new(SECRET.into()).verify(&header, &body, now(later));
            assert_eq!(verified.is_ok(), is_in_time, "{later}: {verified:?}");
            if let Err(error) = verified {
                assert!(matches!(error, WebhookError::OutOfTime { .. }), "{error:?}");
            }
        }
    }

    #[test]
    fn moving_the_timestamp_breaks_the_signature() {
        let body = payment_event();
        let signature = sign(SECRET, &body);
        for timestamp in [
            format!("{}", SIGNED_AT + 1),
            format!("0{SIGNED_AT}"),
            "-1".to_owned(),
        ] {
            let header = format!("t={timestamp},v1={signature}");
            assert_eq!(verify(&header, &body), Err(WebhookError::Signature));
        }
    }

    #[test]
    fn a_header_that_is_none_is_named_so() {
        let body = payment_event();
        let signature = sign(SECRET, &body);
        for (header, missing) in [
            (String::new(), "timestamp"),
            ("garbage".to_owned(), "timestamp"),
            (format!("v1={signature}"), "timestamp"),
            (format!("t=soon,v1={signature}"), "timestamp"),
            (format!("t={SIGNED_AT}"), "v1 signature"),
            (format!("t={SIGNED_AT},v1=xyz"), "v1 signature"),
            (format!("t={SIGNED_AT},v0={signature}"), "v1 signature"),
        ] {
            let expected = Err(WebhookError::Header(missing));
            assert_eq!(verify(&header, &body), expected, "{header}");
        }
    }

    #[test]
    fn a_signed_body_that_is_no_event_is_named_so() {
        for body in ["", "{}", "[]", "null", "{\"id\":\"evt_1\"}"] {
            let error = verify(&header(body.as_bytes()), body.as_bytes()).unwrap_err();
            assert!(matches!(error, WebhookError::Body(_)), "{body}: {error:?}");
        }
    }

    #[test]
    fn the_secret_never_shows() {
        let webhook = StripeWebhook::new(SECRET.into());
        let error = verify("t=1,v1=00", b"{}").unwrap_err();
        assert!(!format!("{webhook:?} {error:?} {error}").contains(SECRET));
    }

    proptest! {
        #[test]
        fn no_changed_byte_goes_unnoticed(position: prop::sample::Index, flip in 1_u8..) {
            let mut body = payment_event();
            let header = header(&body);
            let position = position.index(body.len());
            body[position] ^= flip;
            prop_assert_eq!(verify(&header, &body), Err(WebhookError::Signature));
        }

        #[test]
        fn no_header_makes_it_panic_or_believe(header in "(t=[0-9-]{0,25}|v1=[0-9a-f]{0,70}|,| |=|\\PC){0,8}") {
            prop_assert!(verify(&header, &payment_event()).is_err());
        }
    }
}
