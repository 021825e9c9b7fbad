//! Who may what.

use chrono::{DateTime, Utc};
use partner_api::auth::{Scope, Secret};
use partner_api::repository::NewKey;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Api, Caller, DESCRIPTION, with_api};
use crate::support::{on_platform, until};

/// Every described operation but the probes and what other systems sign, with something in the place of its parameters.
fn operations() -> Vec<(Method, String)> {
    let paths = DESCRIPTION["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations").iter();
        let methods = methods.filter(|(_, operation)| {
            let tag = &operation["tags"][0];
            tag != "health" && tag != "webhooks"
        });
        methods.map(move |(method, _)| {
            let parts = path.split('/').map(|part| match part {
                "{period}" => "2026-12-01",
                "{messageId}" => "1",
                part if part.starts_with('{') => "x",
                part => part,
            });
            let method = method.to_uppercase().parse().expect("a method");
            (method, parts.collect::<Vec<_>>().join("/"))
        })
    });
    operations.collect()
}

#[test]
fn nothing_answers_without_valid_credentials() {
    on_platform(async |host| {
        let variables = [("PARTNER__API__FAILED_LOGINS_PER_MINUTE", "100000")];
        with_api(host, "api-credentials", &variables, async |api| {
            let revoked = key(api, None).await;
            api.keys().revoke(&revoked.id).await.expect("revoked");
            let expired = key(api, Some(DateTime::UNIX_EPOCH)).await;
            let known = key(api, None).await.expose();
            let mut guessed = known.clone();
            let last = guessed.pop().expect("a character");
            guessed.push(if last == '0' { '1' } else { '0' });
            let wrong = [
                revoked.expose(),
                expired.expose(),
                guessed,
                Secret::new().expect("randomness").expose(),
                "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEifQ.".to_owned(),
                String::new(),
            ];
            let mut callers: Vec<_> = wrong.into_iter().map(|wrong| api.with(wrong)).collect();
            callers.push(api.nobody());
            let operations = operations();
            assert!(operations.len() > 25, "{operations:?}");
            for (method, path) in operations {
                for caller in &callers {
                    let body = (method == Method::POST).then(|| json!({}));
                    let answer = caller.call(method.clone(), &path, body.as_ref(), &[]).await;
                    assert_eq!(answer.status, 401, "{method} {path}: {:#}", answer.body);
                    assert_eq!(answer.header("www-authenticate"), "Bearer");
                }
            }
            api.with(known).get("/api/v1/workflows").await.expect(200);
        })
        .await;
    });
}

#[test]
fn an_address_that_keeps_failing_is_refused_but_who_was_there_before_is_not() {
    on_platform(async |host| {
        let variables = [("PARTNER__API__FAILED_LOGINS_PER_MINUTE", "1")];
        with_api(host, "api-failures", &variables, async |api| {
            let path = "/api/v1/workflows";
            let known = api.admin().await;
            let revoked = key(api, None).await;
            let with_revoked = api.with(revoked.expose());
            known.get(path).await.expect(200);
            with_revoked.get(path).await.expect(200);
            // Who brings nothing guesses nothing.
            for _ in 0..3 {
                api.nobody().get(path).await.expect(401);
            }
            let guess = Secret::new().expect("randomness").expose();
            api.with(guess.clone()).get(path).await.expect(401);
            let refused = api.with(guess).get(path).await.expect(429);
            assert!(!refused.header("retry-after").is_empty());
            api.with("no.such.token").get(path).await.expect(429);
            // Nobody has seen this one yet, however good it is.
            api.admin().await.get(path).await.expect(429);
            known.get(path).await.expect(200);
            api.keys().revoke(&revoked.id).await.expect("revoked");
            with_revoked.get(path).await.expect(401);
            with_revoked.get(path).await.expect(429);
            known.get(path).await.expect(200);
        })
        .await;
    });
}

async fn key(api: &Api, expires_at: Option<DateTime<Utc>>) -> Secret {
    let secret = Secret::new().expect("randomness");
    let key = NewKey {
        name: "a test",
        scopes: &[Scope::Admin],
        user_id: None,
        expires_at,
    };
    api.keys().create(&secret, &key).await.expect("a key");
    secret
}

/// A body that each operation takes, so that nothing but the scope is in the way.
fn body(path: &str) -> Value {
    let property =
        json!({ "title": "", "description": "", "price": 1, "location": {}, "images": [] });
    let money = json!({ "userId": "x", "amount": 1, "currency": "EUR", "paymentMethod": "card",
        "billingPeriod": "weekly", "orderId": "x", "subscriptionId": "x" });
    match path {
        "/api/v1/listings" => json!({ "listingId": "x", "userId": "x", "propertyData": property }),
        path if path.ends_with("/expiration") => {
            json!({ "listingId": "x", "userId": "x", "expirationDate": "2126-01-01T00:00:00Z" })
        }
        path if path.ends_with("/decision") => json!({ "decision": "approve" }),
        path if path.contains("notification") => {
            json!({ "userId": "x", "message": "m", "type": "info" })
        }
        path if path.contains("onboarding") => {
            json!({ "userId": "x", "email": "x@example.com", "name": "X" })
        }
        "/api/v1/reports" => json!({ "reportType": "sales", "recipients": ["x@example.com"] }),
        "/api/v1/cleanups" => json!({ "cleanupType": "logs", "retentionDays": 30 }),
        "/api/v1/reminders" => json!({ "userId": "x", "reminderType": "r", "message": "m",
            "scheduledTime": "2126-01-01T00:00:00Z" }),
        "/api/v1/payments" => money,
        path if path.contains("/payments/2026-12-01") && !path.ends_with("cancel") => money,
        _ => json!({}),
    }
}

#[test]
fn a_scope_allows_what_it_names_and_nothing_else() {
    on_platform(async |host| {
        with_api(host, "api-scopes", &[], async |api| {
            for scope in [Scope::Read, Scope::Write, Scope::Review] {
                let caller = api.caller(&[scope], None).await;
                for (method, path) in operations() {
                    let needed = match (&method, path.as_str()) {
                        (_, "/api/v1/reports" | "/api/v1/cleanups") => Scope::Admin,
                        (_, "/api/v1/reviews") => Scope::Review,
                        (_, path) if path.ends_with("/decision") => Scope::Review,
                        (&Method::GET, _) => Scope::Read,
                        _ => Scope::Write,
                    };
                    // Whoever decides sees what about.
                    let is_review = scope == Scope::Review && path.ends_with("/approval");
                    // What is allowed starts things, or finds none: that is for other tests.
                    if needed == scope || is_review {
                        continue;
                    }
                    let body = (method == Method::POST).then(|| body(&path));
                    let answer = caller.call(method.clone(), &path, body.as_ref(), &[]).await;
                    assert_eq!(
                        answer.status, 403,
                        "{scope}: {method} {path}: {:#}",
                        answer.body
                    );
                }
            }
        })
        .await;
    });
}

fn reminder(user: &str) -> Value {
    json!({ "userId": user, "reminderType": "visit", "message": "Come and see",
        "scheduledTime": "2126-01-01T00:00:00Z" })
}

async fn reminded(caller: &Caller<'_>, user: &str) -> String {
    let started = caller
        .post("/api/v1/reminders", &reminder(user))
        .await
        .expect(202);
    started.body["statusUrl"]
        .as_str()
        .expect("a path")
        .to_owned()
}

#[test]
fn a_caller_who_is_bound_to_a_user_sees_and_starts_what_is_theirs_alone() {
    on_platform(async |host| {
        with_api(host, "api-bound", &[], async |api| {
            let (ana, ben) = ("api-bound-ana", "api-bound-ben");
            let service = api.admin().await;
            let own = api.caller(&[Scope::Read, Scope::Write], Some(ana)).await;
            let of_ana = reminded(&own, ana).await;
            let of_ben = reminded(&service, ben).await;

            own.get(&of_ana).await.expect(200);
            own.get(&of_ben).await.expect(404);
            own.get(&format!("{of_ben}/events")).await.expect(404);
            own.get(&format!("{of_ben}/queries/getDetails"))
                .await
                .expect(404);
            own.post(&format!("{of_ben}/cancel"), &json!({}))
                .await
                .expect(404);
            own.post("/api/v1/reminders", &reminder(ben))
                .await
                .expect(403);
            own.get(&format!("/api/v1/users/{ben}/inbox"))
                .await
                .expect(403);
            service.get(&of_ana).await.expect(200);

            let listed = own.get("/api/v1/workflows").await.expect(200).body;
            let listed = listed["workflows"].as_array().expect("a list").iter();
            let ids: Vec<_> = listed
                .map(|run| run["workflowId"].as_str().expect("an id"))
                .collect();
            assert!(ids.iter().all(|id| id.contains(ana)), "{ids:?}");
            until("it is listed", async || {
                let listed = own.get("/api/v1/workflows").await.expect(200).body;
                listed.to_string().contains(ana).then_some(())
            })
            .await;
        })
        .await;
    });
}

#[test]
fn nobody_joins_a_workflow_that_is_somebody_elses() {
    on_platform(async |host| {
        with_api(host, "api-joins", &[], async |api| {
            let input = json!({ "orderId": "api-joins", "userId": "ben", "amount": 1, "currency": "EUR",
                "paymentMethod": "card" });
            // Started by a service that knows Temporal only: nobody has said whose it is.
            api.stage.start("processPaymentWorkflow", "payment", &input).await;
            let own = api.caller(&[Scope::Read, Scope::Write], Some("ana")).await;
            let mine = json!({ "orderId": "api-joins", "userId": "ana", "amount": 1, "currency": "EUR",
                "paymentMethod": "card" });
            own.post("/api/v1/payments", &mine).await.expect(409);
            own.get("/api/v1/payments/api-joins").await.expect(404);
            own.post("/api/v1/payments/api-joins/cancel", &json!({})).await.expect(404);
        })
        .await;
    });
}

#[test]
fn a_run_is_whose_it_was_started_for_and_not_of_who_was_first_to_name_it() {
    on_platform(async |host| {
        with_api(host, "api-owner", &[], async |api| {
            let payment = |user: &str| {
                json!({ "orderId": "api-owner", "userId": user, "amount": 1,
                "currency": "EUR", "paymentMethod": "card" })
            };
            let ana = api.caller(&[Scope::Read, Scope::Write], Some("ana")).await;
            let ben = api.caller(&[Scope::Read, Scope::Write], Some("ben")).await;
            let shop = api.admin().await;
            let path = "/api/v1/payments";
            // The order is Ben's; Ana's run would fail, and until then it is in the way.
            ana.post(path, &payment("ana")).await.expect(202);
            shop.post(path, &payment("ben")).await.expect(409);
            ben.post(path, &payment("ben")).await.expect(409);
            let first = api.stage.processes().process("payment-api-owner");
            first.terminate("the test goes on").await.expect("ended");
            shop.post(path, &payment("ben")).await.expect(202);
            ana.get("/api/v1/payments/api-owner").await.expect(404);
            ana.post("/api/v1/payments/api-owner/cancel", &json!({}))
                .await
                .expect(404);
            let details = "/api/v1/workflows/payment-api-owner/queries/getDetails";
            ana.get(details).await.expect(404);
            ben.get("/api/v1/payments/api-owner").await.expect(200);
        })
        .await;
    });
}

#[test]
fn who_gets_a_report_is_an_administrators_to_say_also_by_signal() {
    on_platform(async |host| {
        with_api(host, "api-report", &[], async |api| {
            let report = json!({ "reportType": "sales", "recipients": ["x@example.com"],
                "scheduleTime": "2126-02-03T00:00:00Z" });
            let started = api
                .admin()
                .await
                .post("/api/v1/reports", &report)
                .await
                .expect(202)
                .body;
            let status = started["statusUrl"].as_str().expect("a path");
            let writer = api.caller(&[Scope::Read, Scope::Write], None).await;
            writer.get(status).await.expect(200);
            let change = json!({ "payload": { "recipients": ["me@example.com"] } });
            writer
                .post(&format!("{status}/signals/updateConfig"), &change)
                .await
                .expect(403);
            writer
                .post(&format!("{status}/cancel"), &json!({}))
                .await
                .expect(403);
            api.admin()
                .await
                .post(&format!("{status}/cancel"), &json!({}))
                .await
                .expect(202);
        })
        .await;
    });
}
