//! Against a push service that reads what only the device and it can read.

use std::sync::atomic::{AtomicUsize, Ordering};

use partner_core::error::Failure as _;
use partner_core::ports::hand_over::Withheld;
use serde_json::Value;
use web_push_native::p256::SecretKey;
use web_push_native::p256::ecdsa::signature::Verifier as _;
use web_push_native::p256::ecdsa::{Signature, VerifyingKey};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request as Received, ResponseTemplate};

use super::*;
use crate::testing::{
    LONG, Misbehaviour, SHORT, Unrecorded, closed_port, http_at, misbehaving_server,
};

/// The keys of RFC 8291's example (appendix A).
const DEVICE_KEY: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
const DEVICE_PUBLIC_KEY: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const DEVICE_AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
/// Some key of a sender, and its public half.
const SENDER_KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const SENDER_PUBLIC_KEY: &str =
    "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
const SUBJECT: &str = "mailto:ops@example.com";

fn config() -> WebPushConfig {
    WebPushConfig {
        vapid_private_key: SENDER_KEY.into(),
        subject: SUBJECT.to_owned(),
        connect_timeout: LONG,
        timeout: LONG,
        allow_private_endpoints: true,
    }
}

fn pusher() -> WebPusher {
    WebPusher::new(config()).unwrap()
}

fn message(endpoint: impl Into<String>) -> PushMessage {
    PushMessage {
        target: PushTarget {
            endpoint: endpoint.into(),
            p256dh: DEVICE_PUBLIC_KEY.to_owned(),
            auth: DEVICE_AUTH.to_owned(),
        },
        topic: "order-1_x".to_owned(),
        time_to_live: Duration::from_hours(24),
        urgent: false,
        payload: br#"{"title":"Paid"}"#.to_vec(),
    }
}

/// A push service that answers every message like this.
async fn service(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/s/1"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

async fn push(server: &MockServer, change: fn(&mut PushMessage)) -> Result<(), PushError> {
    let mut message = message(format!("{}/s/1", server.uri()));
    change(&mut message);
    pusher().push(&message, &Unrecorded).await
}

/// What a push service with this answer means to the sender.
async fn pushed(answer: ResponseTemplate) -> Result<(), PushError> {
    push(&service(answer).await, |_| {}).await
}

async fn received(server: &MockServer) -> Vec<Received> {
    server.received_requests().await.unwrap()
}

fn decrypted(body: &[u8]) -> Vec<u8> {
    let key = SecretKey::from_slice(&decoded(DEVICE_KEY).unwrap()).unwrap();
    let auth: [u8; 16] = decoded(DEVICE_AUTH).unwrap().try_into().unwrap();
    web_push_native::decrypt(body.to_vec(), &key, &Auth::from(auth)).unwrap()
}

#[tokio::test]
async fn the_device_reads_what_was_sent() {
    let server = service(ResponseTemplate::new(201)).await;
    push(&server, |_| {}).await.unwrap();
    let [request] = &received(&server).await[..] else {
        panic!("one request")
    };
    assert_eq!(decrypted(&request.body), br#"{"title":"Paid"}"#);
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-encoding"), "aes128gcm");
    assert_eq!(header("ttl"), "86400");
    assert_eq!(header("urgency"), "normal");
    assert_eq!(header("topic"), "order-1_x");
    // Strictly more than the message, its delimiter and its tag need.
    assert_eq!(request.body[16..20], RECORD_SIZE.to_be_bytes());
    assert!(LONGEST_PAYLOAD + 17 < RECORD_SIZE as usize);
}

#[tokio::test]
async fn every_message_is_encrypted_anew() {
    let server = service(ResponseTemplate::new(201)).await;
    for _ in 0..2 {
        push(&server, |message| message.urgent = true)
            .await
            .unwrap();
    }
    let requests = received(&server).await;
    assert_ne!(requests[0].body[..16], requests[1].body[..16]);
    assert_ne!(requests[0].body[21..86], requests[1].body[21..86]);
    assert_eq!(requests[0].headers["urgency"], "high");
}

#[test]
fn the_example_of_the_rfc_is_decrypted() {
    let body = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6\
                TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
    let text = decrypted(&decoded(body).unwrap());
    assert_eq!(text, b"When I grow up, I want to be a watermelon");
}

#[tokio::test]
async fn the_sender_names_itself_and_signs() {
    let server = service(ResponseTemplate::new(201)).await;
    push(&server, |_| {}).await.unwrap();
    let request = received(&server).await.remove(0);
    let authorization = request.headers["authorization"].to_str().unwrap();
    let (token, key) = authorization
        .strip_prefix("vapid t=")
        .and_then(|rest| rest.split_once(", k="))
        .unwrap();
    assert_eq!(key, SENDER_PUBLIC_KEY);
    assert_eq!(key, pusher().public_key());

    let (signed, signature) = token.rsplit_once('.').unwrap();
    let key = VerifyingKey::from_sec1_bytes(&decoded(key).unwrap()).unwrap();
    let signature = Signature::from_slice(&decoded(signature).unwrap()).unwrap();
    key.verify(signed.as_bytes(), &signature).unwrap();

    let (header, claims) = signed.split_once('.').unwrap();
    let json = |part: &str| -> Value { serde_json::from_slice(&decoded(part).unwrap()).unwrap() };
    assert_eq!(json(header)["alg"], "ES256");
    let claims = json(claims);
    // With its port, which is not the scheme's own.
    assert_eq!(claims["aud"], server.uri());
    assert_eq!(claims["sub"], SUBJECT);
    let left = claims["exp"].as_i64().unwrap() - now();
    assert!((1..=24 * 60 * 60).contains(&left), "{left}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the push service compares a token's end with its clock"
)]
fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[tokio::test]
async fn every_success_is_one() {
    for status in [200, 201, 202, 204] {
        pushed(ResponseTemplate::new(status)).await.unwrap();
    }
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_dead() {
    for status in [404, 410] {
        let error = pushed(ResponseTemplate::new(status)).await.unwrap_err();
        assert!(error.is_gone(), "{error:?}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn too_many_messages_wait_as_long_as_the_service_says() {
    let answer = ResponseTemplate::new(429).insert_header("Retry-After", "17");
    let error = pushed(answer).await.unwrap_err();
    assert!(matches!(error, PushError::RateLimited { .. }), "{error:?}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    let error = pushed(ResponseTemplate::new(429)).await.unwrap_err();
    assert_eq!((error.retry_after(), error.is_retryable()), (None, true));
}

#[tokio::test]
async fn a_service_that_fails_did_not_take_the_message() {
    for status in [500, 502, 503] {
        let answer = ResponseTemplate::new(status).set_body_string("over capacity");
        let error = pushed(answer).await.unwrap_err();
        assert!(
            matches!(&error, PushError::Unavailable { status: s, message } if *s == status && message == "over capacity"),
            "{error:?}"
        );
        assert!(error.is_retryable() && !error.outcome_is_unknown());
    }
}

#[tokio::test]
async fn any_other_answer_is_a_refusal_for_good() {
    for status in [302, 307, 400, 401, 403, 413] {
        let answer = ResponseTemplate::new(status)
            .insert_header("Location", "/elsewhere")
            .set_body_string("no".repeat(10_000));
        let server = service(answer).await;
        let error = push(&server, |_| {}).await.unwrap_err();
        let PushError::Refused { status: s, message } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((*s, message.len()), (status, ENOUGH_WORDS));
        assert!(!error.is_retryable());
        assert_eq!(received(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_got_nothing() {
    let endpoint = http_at(closed_port());
    let error = pusher()
        .push(&message(endpoint), &Unrecorded)
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::Unreachable(_)), "{error:?}");
    assert!(error.is_retryable() && !error.outcome_is_unknown());
}

#[tokio::test]
async fn without_an_answer_the_outcome_is_open() {
    for (misbehaviour, timeout) in [(Misbehaviour::Drop, LONG), (Misbehaviour::Silence, SHORT)] {
        let endpoint = misbehaving_server(misbehaviour);
        let pusher = WebPusher::new(WebPushConfig {
            timeout,
            ..config()
        })
        .unwrap();
        let error = pusher
            .push(&message(endpoint), &Unrecorded)
            .await
            .unwrap_err();
        assert!(
            matches!(error, PushError::NoAnswer(_)),
            "{misbehaviour:?}: {error:?}"
        );
        assert!(error.outcome_is_unknown());
    }
}

/// A gate that counts who passes it, and may be closed.
#[derive(Default)]
struct Gate {
    passed: AtomicUsize,
    is_closed: bool,
}

impl Gate {
    fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl HandOver for Gate {
    async fn hand_over(&self) -> Result<(), Withheld> {
        self.passed.fetch_add(1, Ordering::Relaxed);
        if self.is_closed {
            return Err(Withheld("another attempt took over".to_owned()));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_message_that_is_withheld_is_not_sent() {
    let server = service(ResponseTemplate::new(201)).await;
    let message = message(format!("{}/s/1", server.uri()));
    let closed = Gate {
        is_closed: true,
        ..Gate::default()
    };
    let error = pusher().push(&message, &closed).await.unwrap_err();
    assert!(matches!(error, PushError::Withheld(_)), "{error:?}");
    assert!(received(&server).await.is_empty());

    let open = Gate::default();
    pusher().push(&message, &open).await.unwrap();
    assert_eq!((open.passed(), received(&server).await.len()), (1, 1));
}

#[tokio::test]
async fn what_breaks_a_rule_never_opens_the_gate() {
    type Break = fn(&mut PushMessage);
    let broken: [(Break, &str); 10] = [
        (|m| m.target.endpoint = "nowhere".to_owned(), "no URL"),
        (
            |m| m.target.endpoint = "ftp://push.example/".to_owned(),
            "scheme",
        ),
        (|m| m.target.p256dh = "BCVx".to_owned(), "p256dh"),
        (|m| m.target.p256dh = "!".to_owned(), "p256dh"),
        (|m| m.target.auth = "BTBZ".to_owned(), "auth"),
        (|m| m.topic = String::new(), "topic"),
        (|m| m.topic = "a/b".to_owned(), "topic"),
        (|m| m.topic = "x".repeat(33), "topic"),
        (|m| m.topic = "a\r\nb".to_owned(), "topic"),
        (|m| m.payload = vec![b'x'; LONGEST_PAYLOAD + 1], "at most"),
    ];
    for (break_it, expected) in broken {
        let mut message = message("https://push.example/s/1");
        break_it(&mut message);
        let gate = Gate::default();
        let error = pusher().push(&message, &gate).await.unwrap_err();
        assert!(matches!(error, PushError::Invalid(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(gate.passed(), 0, "{expected}");
    }
}

#[tokio::test]
async fn the_longest_payload_and_the_shortest_arrive() {
    let server = service(ResponseTemplate::new(201)).await;
    push(&server, |m| m.payload = vec![b'x'; LONGEST_PAYLOAD])
        .await
        .unwrap();
    push(&server, |m| m.payload = Vec::new()).await.unwrap();
    let requests = received(&server).await;
    assert_eq!(requests[0].body.len(), 4_096);
    assert_eq!(decrypted(&requests[0].body), vec![b'x'; LONGEST_PAYLOAD]);
    assert_eq!(decrypted(&requests[1].body), b"");
}

#[tokio::test]
async fn names_of_this_machine_are_refused_when_they_are_connected_to() {
    let server = service(ResponseTemplate::new(201)).await;
    let pusher = WebPusher::new(WebPushConfig {
        allow_private_endpoints: false,
        ..config()
    })
    .unwrap();
    let endpoint = format!("https://localhost:{}/s/1", server.address().port());
    let error = pusher
        .push(&message(endpoint), &Unrecorded)
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::Invalid(_)), "{error:?}");
    assert!(error.to_string().contains("localhost"), "{error}");

    let gate = Gate::default();
    let endpoint = format!("{}/s/1", server.uri());
    let error = pusher.push(&message(endpoint), &gate).await.unwrap_err();
    assert!(matches!(error, PushError::Invalid(_)), "{error:?}");
    assert_eq!((gate.passed(), received(&server).await.len()), (0, 0));
}

#[test]
fn a_configuration_that_cannot_work_is_named() {
    type Break = fn(&mut WebPushConfig);
    let broken: [(Break, &str); 5] = [
        (|c| c.vapid_private_key = "".into(), "32 bytes"),
        (|c| c.vapid_private_key = "not base64!".into(), "32 bytes"),
        (
            // Zero is no key.
            |c| c.vapid_private_key = "A".repeat(43).into(),
            "32 bytes",
        ),
        (|c| c.subject = "ops@example.com".to_owned(), "mailto:"),
        (|c| c.subject = "http://example.com".to_owned(), "mailto:"),
    ];
    for (break_it, expected) in broken {
        let mut config = config();
        break_it(&mut config);
        let error = WebPusher::new(config).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_private_key_never_shows() {
    let shown = format!("{:?} {:?}", config(), pusher());
    assert!(!shown.contains(SENDER_KEY), "{shown}");
}
