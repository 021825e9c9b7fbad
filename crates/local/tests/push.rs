//! The push simulator through real sockets.

use std::time::Duration;

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::try_join;
use partner_local::push::{
    PushDevice, PushFault, PushFaultMode, PushOptions, PushSimulator, new_vapid_key,
};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use web_push_native::Auth;
use web_push_native::p256::PublicKey;
use web_push_native::p256::ecdsa::signature::Signer;
use web_push_native::p256::ecdsa::{Signature, SigningKey};

const PATIENCE: Duration = Duration::from_secs(10);

struct Sender {
    http: reqwest::Client,
    key: SigningKey,
}

async fn start() -> Result<(PushSimulator, Sender)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let service = PushSimulator::start(PushOptions::default()).await?;
    let sender = Sender {
        http: reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()?,
        key: SigningKey::from_slice(&decoded(&new_vapid_key())?)?,
    };
    Ok((service, sender))
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    Ok(BASE64_URL_SAFE_NO_PAD.decode(text)?)
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn encrypted(device: &PushDevice, text: &str) -> Result<Vec<u8>> {
    let key = PublicKey::from_sec1_bytes(&decoded(&device.p256dh)?)?;
    let auth: [u8; 16] = decoded(&device.auth)?
        .try_into()
        .map_err(|auth| anyhow!("{auth:?} is not 16 bytes"))?;
    Ok(web_push_native::encrypt(
        text.into(),
        &key,
        &Auth::from(auth),
    )?)
}

impl Sender {
    fn public_key(&self) -> String {
        encoded(self.key.verifying_key().to_encoded_point(false))
    }

    fn authorization(&self, claims: &Value) -> String {
        let header = encoded(json!({"typ": "JWT", "alg": "ES256"}).to_string());
        let signed = format!("{header}.{}", encoded(claims.to_string()));
        let signature: Signature = self.key.sign(signed.as_bytes());
        let signature = encoded(signature.to_bytes());
        format!("vapid t={signed}.{signature}, k={}", self.public_key())
    }

    /// A message as it should be; a header that is set again stands beside this one.
    fn message(
        &self,
        service: &PushSimulator,
        device: &PushDevice,
        text: &str,
    ) -> Result<RequestBuilder> {
        let authorization = self.authorization(&claims(service.url(), 3_600));
        Ok(self
            .http
            .post(&device.endpoint)
            .header("Authorization", authorization)
            .header("TTL", "60")
            .header("Topic", "order-1")
            .header("Urgency", "high")
            .header("Content-Encoding", "aes128gcm")
            .body(encrypted(device, text)?))
    }

    async fn push(
        &self,
        service: &PushSimulator,
        device: &PushDevice,
        text: &str,
    ) -> Result<Response> {
        Ok(self.message(service, device, text)?.send().await?)
    }
}

/// A sender's claims, good for so many seconds.
fn claims(audience: &str, seconds: i64) -> Value {
    let now = now();
    json!({"aud": audience, "exp": now + seconds, "sub": "mailto:ops@example.com"})
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token's end is compared with the clock"
)]
fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[tokio::test]
async fn a_device_reads_what_was_pushed_to_it_and_no_other_does() -> Result<()> {
    let (service, sender) = start().await?;
    let (phone, laptop) = (service.device("ana's phone"), service.device("laptop"));
    assert_eq!(service.device("laptop"), laptop);
    assert_ne!(phone.p256dh, laptop.p256dh);
    for _ in 0..2 {
        let answer = sender.push(&service, &phone, r#"{"title":"Paid"}"#).await?;
        assert_eq!(answer.status(), 201);
    }
    sender.push(&service, &phone, "another").await?;
    let messages = service.messages_of("ana's phone");
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].json()["title"], "Paid");
    assert_eq!((messages[0].times, messages[1].times), (2, 1));
    assert_eq!(messages[0].topic.as_deref(), Some("order-1"));
    assert_eq!(messages[0].urgency, "high");
    assert_eq!(messages[0].time_to_live, 60);
    assert_eq!(messages[0].sender, sender.public_key());
    assert_eq!(service.messages_of("laptop"), []);

    // What is encrypted for one device is nothing to another.
    let mut misled = laptop.clone();
    misled.p256dh.clone_from(&phone.p256dh);
    assert_eq!(sender.push(&service, &misled, "x").await?.status(), 400);
    Ok(())
}

#[tokio::test]
async fn what_breaks_the_rules_is_not_taken() -> Result<()> {
    type Break = fn(RequestBuilder) -> RequestBuilder;
    let (service, sender) = start().await?;
    let device = service.device("phone");
    let bad: [(Break, u16); 4] = [
        (|request| request.header("Content-Type", "x").body("x"), 400),
        (|request| request.body("x".repeat(4_097)), 413),
        (|request| request.body("\0".repeat(100)), 400),
        (|request| request.body("\u{7f}".repeat(100)), 400),
    ];
    for (index, (break_it, expected)) in bad.into_iter().enumerate() {
        let request = break_it(sender.message(&service, &device, "x")?);
        assert_eq!(request.send().await?.status(), expected, "{index}");
    }
    for (missing, expected) in [
        ("authorization", 401),
        ("ttl", 400),
        ("content-encoding", 415),
    ] {
        let mut request = sender.message(&service, &device, "x")?.build()?;
        request.headers_mut().remove(missing);
        let answer = sender.http.execute(request).await?;
        assert_eq!(answer.status(), expected, "{missing}");
    }
    for (header, value) in [
        ("topic", "a/b"),
        ("topic", "123456789012345678901234567890123"),
        ("urgency", "urgent"),
        ("ttl", "soon"),
    ] {
        let mut request = sender.message(&service, &device, "x")?.build()?;
        request.headers_mut().insert(header, value.parse()?);
        let answer = sender.http.execute(request).await?;
        assert_eq!(answer.status(), 400, "{header}: {value}");
    }
    let nowhere = PushDevice {
        endpoint: format!("{}/push/nobody", service.url()),
        ..device.clone()
    };
    let answer = sender.push(&service, &nowhere, "x").await?;
    assert_eq!(answer.status(), 404);
    assert_eq!(service.messages_of("phone"), []);
    Ok(())
}

#[tokio::test]
async fn a_sender_whose_token_does_not_hold_is_not_heard() -> Result<()> {
    let (service, sender) = start().await?;
    let device = service.device("phone");
    let good = sender.authorization(&claims(service.url(), 3_600));
    let other = SigningKey::from_slice(&decoded(&new_vapid_key())?)?;
    let other = encoded(other.verifying_key().to_encoded_point(false));
    let mut no_address = claims(service.url(), 3_600);
    no_address["sub"] = json!("ops");
    for authorization in [
        sender.authorization(&claims("https://elsewhere.example", 3_600)),
        sender.authorization(&claims(service.url(), 0)),
        sender.authorization(&claims(service.url(), 25 * 3_600)),
        sender.authorization(&no_address),
        good.replace(&sender.public_key(), &other),
        good.replace("t=", "t=A"),
        good.replace("vapid", "Bearer"),
    ] {
        let mut request = sender.message(&service, &device, "x")?.build()?;
        request
            .headers_mut()
            .insert("authorization", authorization.parse()?);
        let answer = sender.http.execute(request).await?;
        assert_eq!(answer.status(), 401, "{authorization}");
    }
    assert_eq!(service.messages_of("phone"), []);
    Ok(())
}

#[tokio::test]
async fn a_fault_says_whether_the_message_was_taken() -> Result<()> {
    let (service, sender) = start().await?;
    for (mode, status, taken) in [
        (PushFaultMode::Gone, Some(410), 0),
        (PushFaultMode::RateLimit, Some(429), 0),
        (PushFaultMode::Error, Some(500), 0),
        (PushFaultMode::Refuse, Some(400), 0),
        (PushFaultMode::DropBeforeTake, None, 0),
        (PushFaultMode::DropAfterTake, None, 1),
    ] {
        let name = format!("{mode:?}");
        let device = service.device(&name);
        let fault = PushFault {
            mode,
            times: Some(1),
            retry_after_seconds: None,
        };
        service.set_fault(&name, fault);
        let answer = sender.push(&service, &device, "x").await;
        let answered = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        assert_eq!(answered, status, "{mode:?}");
        assert_eq!(service.messages_of(&name).len(), taken, "{mode:?}");
        if mode == PushFaultMode::RateLimit {
            assert_eq!(answer?.headers()["retry-after"], "1");
        }
        let answer = sender.push(&service, &device, "x").await?;
        assert_eq!(answer.status(), 201, "{mode:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_held_message_is_taken_and_answered_when_it_is_released() -> Result<()> {
    let (service, sender) = start().await?;
    let device = service.device("phone");
    let fault = json!({ "mode": "hold", "times": 1 });
    let url = format!("{}/_control/faults/phone", service.url());
    sender.http.put(url).json(&fault).send().await?;
    let released = async {
        service.wait_until_held("phone", PATIENCE).await?;
        assert_eq!(service.messages_of("phone").len(), 1);
        assert_eq!(service.release("phone"), 1);
        anyhow::Ok(())
    };
    let (answer, ()) = try_join!(sender.push(&service, &device, "x"), released)?;
    assert_eq!(answer.status(), 201);
    let message = service
        .wait_for("phone", |message| message.text == "x", PATIENCE)
        .await?;
    assert_eq!(message.times, 1);
    Ok(())
}
