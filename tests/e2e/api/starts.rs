//! Starting: each of the nine, once, however often it is asked for.

use std::collections::BTreeSet;

use chrono::DateTime;
use futures::{StreamExt as _, join, stream};
use partner_core::client::Filter;
use partner_local::shop::NewSubscription;
use serde_json::{Value, json};

use super::support::{Api, Caller, with_api};
use crate::support::{Stage, on_platform, until};

/// How long the API may wait here for a workflow's end.
const WAIT: &str = "wait=30";

async fn result(caller: &Caller<'_>, path: &str, body: &Value) -> Value {
    let answer = caller
        .post(&format!("{path}?{WAIT}"), body)
        .await
        .expect(200);
    assert_eq!(answer.body["status"], "completed", "{:#}", answer.body);
    answer.body["result"].clone()
}

#[test]
fn each_workflow_is_started_and_brings_its_result() {
    on_platform(async |host| {
        // The order and what it needs has the name of the stage.
        drop(Stage::with_order(host, "api-nine").await);
        with_api(host, "api-nine", &[], async |api| {
            let worker = api.stage.worker().await;
            let caller = api.admin().await;
            payments(api, &caller).await;
            people(&caller).await;
            listings(&caller).await;
            operations(&caller).await;
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

async fn payments(api: &Api, caller: &Caller<'_>) {
    let name = "api-nine";
    let payment = json!({ "orderId": name, "userId": name, "amount": 49.99, "currency": "USD",
        "paymentMethod": "card" });
    let paid = result(caller, "/api/v1/payments", &payment).await;
    assert_eq!(
        (&paid["success"], &paid["amount"]),
        (&json!(true), &json!(49.99))
    );
    // Once more: the same payment.
    assert_eq!(result(caller, "/api/v1/payments", &payment).await, paid);
    let stands = caller
        .get("/api/v1/payments/api-nine")
        .await
        .expect(200)
        .body;
    assert_eq!(stands["result"], paid);

    let first = DateTime::from_timestamp_nanos(1_769_850_000_000_000_000);
    let subscription = NewSubscription {
        id: name,
        user_id: name,
        plan: "Partner",
        amount_minor: 999,
        currency: "EUR",
        billing_period: "monthly",
        payment_method: "card",
        stored_method: Some("pm_card_visa"),
        anchor_date: first,
        next_payment_date: Some(first),
    };
    api.stage
        .shop()
        .add_subscription(&subscription)
        .await
        .expect("a subscription");
    let billing = json!({ "subscriptionId": name, "userId": name, "amount": 9.99, "currency": "EUR",
        "billingPeriod": "monthly" });
    let path = "/api/v1/subscriptions/api-nine/payments/2026-01-31";
    let billed = result(caller, path, &billing).await;
    assert_eq!(billed["success"], true, "{billed:#}");
    let other = "/api/v1/subscriptions/another/payments/2026-01-31";
    let refused = caller.post(other, &billing).await.expect(400);
    assert_eq!(refused.fields(), BTreeSet::from(["subscriptionId"]));
}

async fn people(caller: &Caller<'_>) {
    let onboarding =
        json!({ "userId": "api-nine-new", "email": "api-nine-new@example.com", "name": "Noa" });
    let done = result(caller, "/api/v1/onboardings", &onboarding).await;
    assert_eq!(done["success"], true, "{done:#}");
    let notification = json!({ "userId": "api-nine-new", "message": "Hello", "type": "info" });
    let told = result(caller, "/api/v1/notifications", &notification).await;
    assert_eq!(
        (&told["success"], &told["emailSent"]),
        (&json!(true), &json!(true)),
        "{told:#}"
    );
    let reminder = json!({ "userId": "api-nine-new", "reminderType": "visit", "message": "Today",
        "scheduledTime": "2020-01-01T00:00:00Z" });
    let told = result(caller, "/api/v1/reminders", &reminder).await;
    assert_eq!(told["success"], true, "{told:#}");
}

async fn listings(caller: &Caller<'_>) {
    let submitted = json!({ "listingId": "api-nine", "userId": "api-nine-new", "propertyData": {
        "title": "", "description": "", "price": 1, "location": {}, "images": [],
    } });
    let checked = result(caller, "/api/v1/listings", &submitted).await;
    assert_eq!(checked["status"], "validation_failed", "{checked:#}");
    let expiration = json!({ "listingId": "api-nine", "userId": "api-nine-new",
        "expirationDate": "2020-01-01T00:00:00Z" });
    let ended = result(caller, "/api/v1/listings/api-nine/expiration", &expiration).await;
    assert_eq!(ended["listingId"], "api-nine", "{ended:#}");
    caller
        .get("/api/v1/listings/api-nine/approval")
        .await
        .expect(200);
}

async fn operations(caller: &Caller<'_>) {
    let report = json!({ "reportType": "performance", "recipients": ["api-nine@example.com"] });
    let made = result(caller, "/api/v1/reports", &report).await;
    assert_eq!(made["recipientCount"], 1, "{made:#}");
    let cleanup = json!({ "cleanupType": "sessions", "retentionDays": 30, "dryRun": true });
    let counted = result(caller, "/api/v1/cleanups", &cleanup).await;
    assert_eq!(counted["itemsDeleted"], 0, "{counted:#}");
}

fn notification(user: &str, message: &str) -> Value {
    json!({ "userId": user, "message": message, "type": "info" })
}

#[test]
fn under_one_key_there_is_one_request() {
    on_platform(async |host| {
        with_api(host, "api-key", &[], async |api| {
            let (caller, other) = (api.admin().await, api.admin().await);
            let path = "/api/v1/notifications";
            let hello = notification("api-key", "Hello");
            let first = caller.post_once(path, "k-1", &hello).await.expect(202);
            assert_eq!(
                first.header("location"),
                first.body["statusUrl"].as_str().expect("a path")
            );
            let again = caller.post_once(path, "k-1", &hello).await.expect(202);
            assert_eq!(again.body, first.body);
            let changed = notification("api-key", "Goodbye");
            caller.post_once(path, "k-1", &changed).await.expect(409);
            // Another caller's key is another key, and without one each request is its own.
            let theirs = other.post_once(path, "k-1", &hello).await.expect(202);
            assert_ne!(theirs.body, first.body);
            let one = caller.post(path, &hello).await.expect(202);
            let two = caller.post(path, &hello).await.expect(202);
            assert_ne!(one.body, two.body);
        })
        .await;
    });
}

#[test]
fn the_path_is_a_part_of_the_request_under_a_key() {
    on_platform(async |host| {
        with_api(host, "api-path", &[], async |api| {
            let caller = api.admin().await;
            let billing = json!({ "subscriptionId": "api-path", "userId": "u", "amount": 9.99, "currency": "EUR",
                "billingPeriod": "monthly" });
            let january = "/api/v1/subscriptions/api-path/payments/2026-01-01";
            let february = "/api/v1/subscriptions/api-path/payments/2026-02-01";
            caller.post_once(january, "k", &billing).await.expect(202);
            caller.post_once(february, "k", &billing).await.expect(409);
        })
        .await;
    });
}

#[test]
fn a_repeat_under_a_key_starts_nothing_anew_however_the_first_ended() {
    on_platform(async |host| {
        with_api(host, "api-repeat", &[], async |api| {
            let caller = api.admin().await;
            let path = "/api/v1/notifications";
            let hello = notification("api-repeat", "Hello");
            let first = caller.post_once(path, "k", &hello).await.expect(202).body;
            let process = api
                .stage
                .processes()
                .process(first["workflowId"].as_str().expect("an id"));
            process.terminate("the test goes on").await.expect("ended");
            let run = process.describe().await.expect("a run").summary.run_id;
            let again = caller.post_once(path, "k", &hello).await.expect(202).body;
            assert_eq!(again, first);
            let last = process.describe().await.expect("a run").summary;
            assert!(last.run_id == run && last.closed_at.is_some(), "{last:?}");
        })
        .await;
    });
}

#[test]
fn an_old_key_is_forgotten_and_a_young_one_stays() {
    on_platform(async |host| {
        let stage = Stage::new(host, "api-old-keys").await;
        let pool = stage.shop().pool();
        sqlx::query(
            "INSERT INTO api_requests (caller, key, request_hash, workflow_id, created_at)
             VALUES ('api-old-keys', 'old', '', 'w', now() - interval '31 days'),
                    ('api-old-keys', 'young', '', 'w', now() - interval '29 days')",
        )
        .execute(pool)
        .await
        .expect("two keys");
        with_api(host, "api-old-keys", &[], async |_| {
            let left = until("the old key is forgotten", async || {
                let left: Vec<String> = sqlx::query_scalar(
                    "SELECT key FROM api_requests WHERE caller = 'api-old-keys'",
                )
                .fetch_all(pool)
                .await
                .expect("the keys");
                (left.len() < 2).then_some(left)
            });
            assert_eq!(left.await, ["young"]);
        })
        .await;
    });
}

/// How often the same start is asked for.
const REPEATS: usize = 10_000;

#[test]
fn a_caller_waits_so_often_at_once_and_who_is_refused_has_started_nothing() {
    on_platform(async |host| {
        let variables = [
            ("PARTNER__API__MAX_WAITS_PER_CALLER", "1"),
            ("PARTNER__API__MAX_WAIT", "10m"),
        ];
        with_api(host, "api-waits", &variables, async |api| {
            let caller = api.admin().await;
            let reminder = |kind: &str| {
                json!({ "userId": "api-waits", "reminderType": kind, "message": "m",
                    "scheduledTime": "2020-01-01T00:00:00Z" })
            };
            let process = |kind: &str| {
                let id = format!("reminder-{kind}-api-waits-2020-01-01T00:00:00Z");
                api.stage.processes().process(&id)
            };
            // Nobody works on this queue: who waits waits until the workflow is ended from outside.
            let path = "/api/v1/reminders?wait=600";
            let first = reminder("first");
            let waiting = caller.post(path, &first);
            let meanwhile = async {
                let found = until("the first is started", async || {
                    let process = process("first");
                    process.describe().await.ok().map(|_| process)
                });
                let found = found.await;
                let refused = caller.post(path, &reminder("second")).await.expect(429);
                assert!(!refused.header("retry-after").is_empty());
                process("second")
                    .describe()
                    .await
                    .expect_err("nothing was started");
                // Who does not wait needs no place, and others have their own.
                let at_once = reminder("third");
                caller.post("/api/v1/reminders", &at_once).await.expect(202);
                let other = api.admin().await;
                other
                    .post("/api/v1/reminders?wait=1", &at_once)
                    .await
                    .expect(202);
                found.terminate("the test goes on").await.expect("ended");
            };
            let (answer, ()) = join!(waiting, meanwhile);
            let answer = answer.expect(200);
            assert_eq!(
                answer.body["failure"]["code"], "CANCELLED",
                "{:#}",
                answer.body
            );
            let next = reminder("fourth");
            caller
                .post("/api/v1/reminders?wait=1", &next)
                .await
                .expect(202);
        })
        .await;
    });
}

#[test]
fn ten_thousand_repeats_of_a_start_are_one_workflow() {
    on_platform(async |host| {
        let variables = [
            ("PARTNER__API__REQUESTS_PER_SECOND", "100000"),
            ("PARTNER__API__REQUEST_BURST", "100000"),
        ];
        with_api(host, "api-repeats", &variables, async |api| {
            let caller = api.admin().await;
            let hello = notification("api-repeats", "Hello");
            let starts = stream::iter(0..REPEATS).map(|_| async {
                let answer = caller
                    .post_once("/api/v1/notifications", "once", &hello)
                    .await;
                answer.expect(202).body["workflowId"]
                    .as_str()
                    .expect("an id")
                    .to_owned()
            });
            let ids: BTreeSet<_> = starts.buffer_unordered(32).collect().await;
            assert_eq!(ids.len(), 1, "{ids:?}");
            let filter = Filter {
                id_prefix: Some("notification-api-repeats".to_owned()),
                ..Filter::default()
            };
            let runs = until("the workflow is listed", async || {
                let runs = api
                    .stage
                    .processes()
                    .list(&filter, 10)
                    .await
                    .expect("a list");
                (!runs.is_empty()).then_some(runs)
            });
            let runs = runs.await;
            assert_eq!(runs.len(), 1, "{runs:?}");
        })
        .await;
    });
}

#[test]
fn the_kept_routes_answer_as_they_always_did() {
    on_platform(async |host| {
        with_api(host, "api-kept", &[], async |api| {
            let worker = api.stage.worker().await;
            let caller = api.admin().await;
            let onboarding =
                json!({ "userId": "api-kept", "email": "api-kept@example.com", "name": "Kim" });
            let path = "/api/temporal/onboarding/execute";
            let done = caller.post(path, &onboarding).await.expect(200).body;
            assert_eq!(
                (&done["success"], &done["userId"]),
                (&json!(true), &json!("api-kept"))
            );
            let missing = caller
                .post(path, &json!({ "userId": "api-kept" }))
                .await
                .expect(400);
            assert_eq!(missing.fields(), BTreeSet::from(["email", "name"]));
            let path = "/api/temporal/notification/start";
            let started = caller
                .post(path, &notification("api-kept", "Hello"))
                .await
                .expect(202)
                .body;
            let id = started["workflowId"].as_str().expect("an id");
            let status = format!("/api/temporal/workflow/{id}/status");
            until("the notification is sent", async || {
                let status = caller.get(&status).await.expect(200).body;
                (status["status"] == "completed").then_some(())
            })
            .await;
            // It has ended: there is nothing to cancel any more.
            let cancel = format!("/api/temporal/workflow/{id}/cancel");
            caller
                .call(reqwest::Method::POST, &cancel, None, &[])
                .await
                .expect(404);
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}
