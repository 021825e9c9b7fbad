//! What every request meets.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partner_api::auth::Scope;
use reqwest::Method;
use serde_json::json;

use super::support::with_api;
use crate::support::on_platform;

#[test]
fn every_wrong_field_is_named_at_once() {
    on_platform(async |host| {
        with_api(host, "api-fields", &[], async |api| {
            let caller = api.admin().await;
            let body = json!({ "orderId": "", "amount": "1", "currency": "usd", "attempt": 0 });
            let answer = caller.post("/api/v1/payments", &body).await.expect(400);
            assert_eq!(answer.body["code"], "VALIDATION_ERROR");
            let expected = [
                "amount",
                "attempt",
                "currency",
                "orderId",
                "paymentMethod",
                "userId",
            ];
            assert_eq!(answer.fields(), BTreeSet::from(expected));

            let body = json!({ "orderId": "o", "userId": "u", "amount": 1.005, "currency": "EUR",
                "paymentMethod": "card" });
            let answer = caller.post("/api/v1/payments", &body).await.expect(400);
            assert_eq!(
                answer.fields(),
                BTreeSet::from(["amount"]),
                "{:#}",
                answer.body
            );

            let body = json!({ "cleanupType": "logs", "retentionDays": 1, "continued": {} });
            caller.post("/api/v1/cleanups", &body).await.expect(400);
            let path = "/api/v1/workflows?limit=0";
            assert_eq!(
                caller.get(path).await.expect(400).fields(),
                BTreeSet::from(["limit"])
            );
            caller.get("/api/v1/workflows?limit=ten").await.expect(400);
            caller.get("/api/v1/workflows?cursor=x").await.expect(400);
            caller
                .get("/api/v1/workflows?status=asleep")
                .await
                .expect(400);
            let body = json!({ "userId": "u", "message": " ", "type": "info" });
            caller
                .post("/api/v1/notifications?wait=999", &body)
                .await
                .expect(400);
        })
        .await;
    });
}

#[test]
fn what_is_no_request_is_refused_in_the_same_words() {
    on_platform(async |host| {
        with_api(
            host,
            "api-protocol",
            &[("PARTNER__API__MAX_BODY_BYTES", "1000")],
            async |api| {
                let caller = api.admin().await;
                caller.get("/api/v1/nothing").await.expect(404);
                caller
                    .call(Method::DELETE, "/api/v1/payments", None, &[])
                    .await
                    .expect(405);
                caller
                    .call(Method::POST, "/api/v1/payments", None, &[])
                    .await
                    .expect(415);
                let large = json!({ "reason": "x".repeat(2_000) });
                caller
                    .post("/api/v1/workflows/w/cancel", &large)
                    .await
                    .expect(413);
                let key = "k".repeat(256);
                let body = json!({ "userId": "u", "message": "m", "type": "info" });
                caller
                    .post_once("/api/v1/notifications", &key, &body)
                    .await
                    .expect(400);

                let url = format!("{}/api/v1/payments", api.url);
                let broken = api
                    .http
                    .post(url)
                    .header("content-type", "application/json");
                let credentials = caller.credentials.clone().expect("a key");
                let broken = broken.bearer_auth(credentials).body("{\"orderId\":");
                assert_eq!(broken.send().await.expect("an answer").status(), 400);
            },
        )
        .await;
    });
}

#[test]
fn answers_are_labelled_and_browsers_are_kept_out() {
    on_platform(async |host| {
        let origin = "https://portal.example.com";
        let allowed = format!("[{origin:?}]");
        with_api(
            host,
            "api-headers",
            &[("PARTNER__API__CORS_ORIGINS", &allowed)],
            async |api| {
                let caller = api.admin().await;
                let headers = [("origin", origin), ("x-request-id", "from-the-proxy")];
                let answer = caller
                    .call(Method::GET, "/api/v1/workflows", None, &headers)
                    .await;
                assert_eq!(answer.header("x-request-id"), "from-the-proxy");
                assert_eq!(answer.header("access-control-allow-origin"), origin);
                for (name, value) in [
                    ("x-content-type-options", "nosniff"),
                    ("x-frame-options", "DENY"),
                    ("cache-control", "no-store"),
                    ("referrer-policy", "no-referrer"),
                    (
                        "content-security-policy",
                        "default-src 'none'; frame-ancestors 'none'",
                    ),
                ] {
                    assert_eq!(answer.header(name), value, "{name}");
                }
                let stranger = [("origin", "https://evil.example.com")];
                let answer = caller
                    .call(Method::GET, "/api/v1/workflows", None, &stranger)
                    .await;
                assert_eq!(answer.header("access-control-allow-origin"), "");
                assert_ne!(answer.header("x-request-id"), "");
            },
        )
        .await;
    });
}

#[test]
fn a_request_keeps_its_id_if_it_is_one_and_gets_one_otherwise() {
    on_platform(async |host| {
        with_api(host, "api-request-ids", &[], async |api| {
            let caller = api.nobody();
            let answered = async |headers: &[(&str, &str)]| {
                let answer = caller.call(Method::GET, "/livez", None, headers).await;
                answer.header("x-request-id").to_owned()
            };
            let longest = "a".repeat(128);
            for id in ["0", "Proxy_1.a-b", &longest] {
                assert_eq!(answered(&[("x-request-id", id)]).await, id);
            }
            let too_long = "a".repeat(129);
            for id in ["", "a b", "a\tb", "<script>", "a/b", "id=1", &too_long] {
                let given = answered(&[("x-request-id", id)]).await;
                assert_eq!(given.len(), 36, "{id:?}: {given}");
            }
            let twice = [("x-request-id", "a"), ("x-request-id", "b")];
            assert_eq!(answered(&twice).await.len(), 36);
        })
        .await;
    });
}

#[test]
fn a_caller_who_asks_too_often_waits_and_nobody_else_does() {
    on_platform(async |host| {
        let variables = [
            ("PARTNER__API__REQUESTS_PER_SECOND", "1"),
            ("PARTNER__API__REQUEST_BURST", "3"),
        ];
        with_api(host, "api-limits", &variables, async |api| {
            let eager = api.admin().await;
            let mut statuses = Vec::new();
            for _ in 0..5 {
                let answer = eager.get("/api/v1/workflows/none").await;
                if answer.status == 429 {
                    assert!(!answer.header("retry-after").is_empty());
                }
                statuses.push(answer.status);
            }
            assert_eq!(statuses[..3], [404, 404, 404]);
            assert!(statuses.contains(&429), "{statuses:?}");
            let patient = api.caller(&[Scope::Read], None).await;
            patient.get("/api/v1/workflows/none").await.expect(404);
        })
        .await;
    });
}

#[test]
fn the_description_and_its_page_are_served() {
    on_platform(async |host| {
        with_api(host, "api-description", &[], async |api| {
            let get = async |path: &str| {
                let answer = api
                    .http
                    .get(format!("{}{path}", api.url))
                    .send()
                    .await
                    .expect("an answer");
                (
                    answer.status().as_u16(),
                    answer.text().await.expect("a body"),
                )
            };
            let (status, text) = get("/api/openapi.json").await;
            let served: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!((status, &served["openapi"]), (200, &json!("3.1.0")));
            let paths = served["paths"].as_object().expect("paths").values();
            let operations = paths.flat_map(|item| item.as_object().expect("operations").values());
            let ids: Vec<_> = operations
                .map(|operation| operation["operationId"].as_str())
                .collect();
            let different: BTreeSet<_> = ids.iter().collect();
            assert_eq!(different.len(), ids.len(), "{ids:?}");
            let (status, page) = get("/api/docs/").await;
            assert!(status == 200 && page.contains("Swagger UI"), "{page}");
            let (status, page) = get("/api/docs/swagger-ui-bundle.js").await;
            assert!(status == 200 && page.len() > 100_000, "{status}");
        })
        .await;
    });
}

#[test]
fn what_the_database_cannot_keep_is_refused_at_the_door() {
    on_platform(async |host| {
        with_api(host, "api-nul", &[], async |api| {
            let caller = api.admin().await;
            let body = json!({ "userId": "u", "message": "a\0b", "type": "info", "metadata": { "x": ["\0"] } });
            let answer = caller.post("/api/v1/notifications", &body).await.expect(400);
            assert_eq!(answer.fields(), BTreeSet::from(["message", "metadata.x[0]"]));
            caller.get("/api/v1/users/a%00b/inbox").await.expect(400);
            caller.get("/api/v1/workflows/a%00b").await.expect(404);
            for position in [
                json!({ "at": "2026-01-01T00:00:00Z", "id": "a\0b" }),
                json!({ "at": "-200000-01-01T00:00:00Z", "id": "a" }),
                json!("x"),
            ] {
                let cursor = URL_SAFE_NO_PAD.encode(position.to_string());
                caller.get(&format!("/api/v1/reviews?cursor={cursor}")).await.expect(400);
            }
            let long = json!({ "userId": "u".repeat(200), "reminderType": "x".repeat(64), "message": "m",
                "scheduledTime": "2126-01-01T00:00:00Z" });
            caller.post("/api/v1/reminders", &long).await.expect(400);
            // A cursor for another store of Temporal's than this one.
            let cursor = URL_SAFE_NO_PAD.encode(json!("AAAA").to_string());
            caller.get(&format!("/api/v1/workflows?cursor={cursor}")).await.expect(400);
            caller.get("/api/v1/workflows?workflowType=a%00b").await.expect(400);
            let vast = r#"{"userId":"u","message":"m","type":"info","metadata":{"x":1e200000}}"#;
            let vast: serde_json::Value = serde_json::from_str(vast).expect("JSON");
            let answer = caller.post("/api/v1/notifications", &vast).await.expect(400);
            assert_eq!(answer.fields(), BTreeSet::from(["metadata.x"]));
        })
        .await;
    });
}
