//! Access tokens of an identity provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{Either, select};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::support::with_api;
use crate::support::{PATIENCE, on_platform, until};

/// A key pair for these tests alone (Ed25519, PKCS #8).
const PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIBl9WoD25IHhCzuPPkFgPCVXOtPUPv3H0csmd4wcCDN8";
const PUBLIC: &str = "k-BQYVOlmUlZw9GSx7Jax3Lcc_40pS4CnGmlpSBsCnI";

/// The year 2100.
const LATER: u64 = 4_102_444_800;

/// The configuration of an API that takes this provider's tokens.
const fn provided(url: &str) -> [(&str, &str); 3] {
    [
        ("PARTNER__API__JWT__JWKS_URL", url),
        ("PARTNER__API__JWT__ISSUER", "https://id.example.com/"),
        ("PARTNER__API__JWT__AUDIENCE", "partner-platform"),
    ]
}

fn claims(changes: &Value) -> Value {
    let mut claims = json!({ "iss": "https://id.example.com/", "aud": "partner-platform", "sub": "api-jwt-ana",
        "scope": "openid read write", "exp": LATER });
    for (name, value) in changes.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    claims
}

fn token(key_id: &str, claims: &Value) -> String {
    let header = Header {
        kid: Some(key_id.to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let key = EncodingKey::from_ed_der(&STANDARD.decode(PRIVATE).expect("a key"));
    encode(&header, claims, &key).expect("a token")
}

/// What makes a token one that is not for us, or not now.
fn wrong() -> [Value; 5] {
    [
        json!({ "iss": "https://evil.example.com/" }),
        json!({ "aud": "somebody-else" }),
        json!({ "exp": 1 }),
        json!({ "nbf": LATER - 1 }),
        json!({ "sub": null }),
    ]
}

/// The token with a shared secret in the public key's place, or with none at all.
fn forged() -> [String; 2] {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".to_owned());
    let secret = EncodingKey::from_secret(PUBLIC.as_bytes());
    let shared = encode(&header, &claims(&json!({})), &secret).expect("a token");
    let signed = token("k1", &claims(&json!({})));
    let payload = signed.split('.').nth(1).expect("a payload");
    let none =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#);
    [shared, format!("{none}.{payload}.")]
}

#[test]
fn a_token_of_the_provider_is_its_users_and_no_other_is_taken() {
    on_platform(async |host| {
        let provider = MockServer::start().await;
        let key = |id: &str, usage: &str| {
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA",
            "use": usage, "x": PUBLIC })
        };
        // One that we do not know is none of ours, and no reason to refuse the others.
        let unknown = json!({ "kty": "EC", "crv": "P-521", "kid": "k0", "alg": "ES512", "x": "AA", "y": "AA" });
        let keys = json!({ "keys": [unknown, key("k1", "sig"), key("k3", "enc")] });
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_json(keys))
            .expect(1)
            .mount(&provider)
            .await;
        let url = provider.uri();
        with_api(host, "api-jwt", &provided(&url), async |api| {
            let ana = api.with(token("k1", &claims(&json!({}))));
            let reminder = json!({ "userId": "api-jwt-ana", "reminderType": "visit", "message": "m",
                "scheduledTime": "2126-01-01T00:00:00Z" });
            ana.post("/api/v1/reminders", &reminder).await.expect(202);
            ana.get("/api/v1/users/api-jwt-ana/inbox").await.expect(200);
            ana.get("/api/v1/users/api-jwt-ben/inbox").await.expect(403);
            ana.get("/api/v1/reviews").await.expect(403);
            let admin = api.with(token("k1", &claims(&json!({ "scope": "admin" }))));
            admin
                .get("/api/v1/users/api-jwt-ben/inbox")
                .await
                .expect(200);

            for changes in wrong() {
                let caller = api.with(token("k1", &claims(&changes)));
                assert_eq!(
                    caller.get("/api/v1/workflows").await.status,
                    401,
                    "{changes}"
                );
            }
            api.with(token("k3", &claims(&json!({}))))
                .get("/api/v1/workflows")
                .await
                .expect(401);
            api.with(token("k2", &claims(&json!({}))))
                .get("/api/v1/workflows")
                .await
                .expect(401);
            for forged in forged() {
                api.with(forged).get("/api/v1/workflows").await.expect(401);
            }
        })
        .await;
    });
}

/// What a provider publishes: one key, for signatures.
fn published() -> ResponseTemplate {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "use": "sig",
        "x": PUBLIC });
    ResponseTemplate::new(200).set_body_json(json!({ "keys": [key] }))
}

/// A provider that answers once, and is down from then on.
async fn provider_that_goes_down() -> MockServer {
    let provider = MockServer::start().await;
    let once = Mock::given(method("GET")).respond_with(published());
    once.up_to_n_times(1).mount(&provider).await;
    let down = Mock::given(method("GET")).respond_with(ResponseTemplate::new(500));
    down.mount(&provider).await;
    provider
}

#[test]
fn keys_that_were_read_are_used_while_the_provider_is_down() {
    on_platform(async |host| {
        let provider = provider_that_goes_down().await;
        let url = provider.uri();
        let mut variables = provided(&url).to_vec();
        variables.push(("PARTNER__API__JWT__KEYS_TTL", "1ms"));
        with_api(host, "api-jwks-kept", &variables, async |api| {
            let ana = api.with(token("k1", &claims(&json!({}))));
            until("the provider was asked in vain", async || {
                ana.get("/api/v1/workflows").await.expect(200);
                let asked = provider.received_requests().await.expect("they are kept");
                (asked.len() > 2).then_some(())
            })
            .await;
        })
        .await;
    });
}

#[test]
fn keys_that_are_too_old_are_not_used() {
    on_platform(async |host| {
        let provider = provider_that_goes_down().await;
        let url = provider.uri();
        let mut variables = provided(&url).to_vec();
        variables.push(("PARTNER__API__JWT__KEYS_TTL", "1ms"));
        variables.push(("PARTNER__API__JWT__KEYS_MAX_AGE", "1ms"));
        with_api(host, "api-jwks-old", &variables, async |api| {
            let ana = api.with(token("k1", &claims(&json!({}))));
            ana.get("/api/v1/workflows").await.expect(200);
            let refused = until("the keys are too old", async || {
                let answer = ana.get("/api/v1/workflows").await;
                (answer.status != 200).then_some(answer)
            });
            let refused = refused.await.expect(503);
            assert_eq!(refused.body["code"], "EXTERNAL_SERVICE_ERROR");
            assert!(!refused.header("retry-after").is_empty());
            // Keys of programs need no provider.
            api.admin().await.get("/api/v1/workflows").await.expect(200);
            provider.reset().await;
            let up = Mock::given(method("GET")).respond_with(published());
            up.mount(&provider).await;
            until("the keys are read anew", async || {
                let answer = ana.get("/api/v1/workflows").await;
                (answer.status == 200).then_some(())
            })
            .await;
        })
        .await;
    });
}

#[test]
fn who_asks_first_and_hangs_up_does_not_keep_the_keys_from_others() {
    on_platform(async |host| {
        let provider = MockServer::start().await;
        // The first question is answered when nobody waits for it any more.
        let late = Mock::given(method("GET")).respond_with(published().set_delay(PATIENCE));
        late.up_to_n_times(1).mount(&provider).await;
        let then = Mock::given(method("GET")).respond_with(published());
        then.expect(1).mount(&provider).await;
        let url = provider.uri();
        with_api(host, "api-jwks-first", &provided(&url), async |api| {
            let ana = api.with(token("k1", &claims(&json!({}))));
            let hung_up = {
                let asked = std::pin::pin!(until("the provider is asked", async || {
                    let asked = provider.received_requests().await.expect("they are kept");
                    (!asked.is_empty()).then_some(())
                }));
                let answer = std::pin::pin!(ana.get("/api/v1/workflows"));
                matches!(select(asked, answer).await, Either::Left(_))
            };
            assert!(hung_up, "the first caller was answered");
            let ben = api.with(token(
                "k1",
                &claims(&json!({ "sub": "api-jwks-first-ben" })),
            ));
            ben.get("/api/v1/workflows").await.expect(200);
        })
        .await;
    });
}

#[test]
fn a_provider_that_is_down_is_asked_once_and_nobody_waits_for_it() {
    on_platform(async |host| {
        let provider = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(500))
            .expect(1)
            .mount(&provider)
            .await;
        let url = provider.uri();
        with_api(host, "api-jwks-down", &provided(&url), async |api| {
            let ana = api.with(token("k1", &claims(&json!({}))));
            for _ in 0..3 {
                let answer = ana.get("/api/v1/workflows").await.expect(503);
                assert!(!answer.header("retry-after").is_empty());
            }
            // Keys of programs need no provider.
            api.admin().await.get("/api/v1/workflows").await.expect(200);
        })
        .await;
    });
}
