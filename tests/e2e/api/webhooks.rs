//! What the payment gateway tells by itself: signed, stored once, and handed to the workflow.

use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use partner_local::gateway::{Fault, FaultMode, GatewayOptions, GatewaySimulator, WebhookOptions};
use partner_payment::repository::GatewayEventRepository;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use super::support::{Answer, Api, with_api};
use crate::support::{PATIENCE, Stage, on_platform, until};

const PATH: &str = "/api/v1/webhooks/gateway";

/// What the embedded platform's gateway signs with.
const SECRET: &str = "whsec_partner_local";

fn event(id: &str, kind: &str, payment: &str) -> Value {
    json!({
        "id": id,
        "type": kind,
        "created": 1_790_000_000,
        "data": { "object": { "object": "payment_intent", "id": payment } },
    })
}

fn signature(event: &Value, secret: &str, time: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{time}.{event}").as_bytes());
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

impl Api {
    async fn send_event(&self, event: &Value, signature: &str) -> Answer {
        let headers = [("stripe-signature", signature)];
        let nobody = self.nobody();
        nobody.call(Method::POST, PATH, Some(event), &headers).await
    }

    /// Sends an event as the gateway does; what became of it.
    async fn tell(&self, event: &Value) -> String {
        let now = self.stage.shop().now().await.expect("the time");
        let signature = signature(event, SECRET, now.timestamp());
        let answer = self.send_event(event, &signature).await.expect(200);
        answer.body["outcome"].as_str().expect("text").to_owned()
    }
}

/// How often an event came, and what became of it.
async fn stored(stage: &Stage, id: &str) -> Option<(i32, Option<String>)> {
    sqlx::query_as("SELECT deliveries, outcome FROM gateway_events WHERE id = $1")
        .bind(id)
        .fetch_optional(stage.shop().pool())
        .await
        .expect("the database answers")
}

#[test]
fn only_what_the_gateway_signed_just_now_is_taken() {
    on_platform(async |host| {
        with_api(host, "webhook-signatures", &[], async |api| {
            let event = event("evt_forged", "payment_intent.succeeded", "pi_1");
            let now = api.stage.shop().now().await.expect("the time").timestamp();
            let of_another = signature(&json!({}), SECRET, now);
            for wrong in [
                String::new(),
                "garbage".to_owned(),
                signature(&event, "whsec_other", now),
                signature(&event, SECRET, now - 600),
                of_another,
            ] {
                let answer = api.send_event(&event, &wrong).await.expect(400);
                assert_eq!(answer.body["code"], "VALIDATION_ERROR");
                assert!(answer.fields().contains("Stripe-Signature"), "{wrong}");
            }
            assert_eq!(stored(&api.stage, "evt_forged").await, None);
            let mut unkeepable = event.clone();
            unkeepable["type"] = json!("x".repeat(300));
            let mut never = event.clone();
            never["created"] = json!(-9_000_000_000_000_i64);
            for wrong in [json!({ "id": "evt_forged" }), unkeepable, never] {
                let signed = signature(&wrong, SECRET, now);
                api.send_event(&wrong, &signed).await.expect(400);
            }
            assert_eq!(stored(&api.stage, "evt_forged").await, None);
        })
        .await;
    });
}

#[test]
fn without_a_secret_no_event_is_taken() {
    on_platform(async |host| {
        let none = [("PARTNER__GATEWAY__WEBHOOK_SECRET", "")];
        with_api(host, "webhook-off", &none, async |api| {
            let event = event("evt_off", "payment_intent.succeeded", "pi_1");
            let now = api.stage.shop().now().await.expect("the time").timestamp();
            let answer = api.send_event(&event, &signature(&event, "", now)).await;
            let answer = answer.expect(404);
            let detail = answer.body["detail"].as_str().expect("text");
            assert!(detail.contains("gateway.webhook_secret"), "{detail}");
        })
        .await;
    });
}

#[test]
fn an_event_is_stored_once_however_often_it_comes() {
    on_platform(async |host| {
        with_api(host, "webhook-repeats", &[], async |api| {
            let unknown = event("evt_unknown", "payment_intent.succeeded", "pi_of_others");
            let outcomes = join_all((0..20).map(|_| api.tell(&unknown))).await;
            assert!(outcomes.iter().all(|outcome| outcome == "unknown"));
            let expected = Some((20, Some("unknown".to_owned())));
            assert_eq!(stored(&api.stage, "evt_unknown").await, expected);

            let mut customer = event("evt_customer", "customer.created", "");
            customer["data"]["object"] = json!({ "object": "customer", "id": "cus_1" });
            assert_eq!(api.tell(&customer).await, "recorded");
        })
        .await;
    });
}

/// An order whose charge has reached the gateway, and whose answer is held there.
async fn charging(api: &Api) -> (partner_core::client::Process, String) {
    let (stage, name) = (&api.stage, &api.stage.name);
    let gateway = &stage.platform().gateway;
    gateway.set_fault(name, Fault::once(FaultMode::Hold));
    let process = stage.pay().await;
    let held = gateway.wait_until_held(name, PATIENCE).await;
    held.expect("the charge reaches the gateway");
    let payment = gateway.payments_of(name)[0].id.clone();
    (process, payment)
}

#[test]
fn a_workflow_is_told_once_in_whatever_order_events_come() {
    on_platform(async |host| {
        let name = "webhook-told";
        drop(Stage::with_order(host, name).await);
        with_api(host, name, &[], async |api| {
            let worker = api.stage.worker().await;
            let (process, payment) = charging(api).await;
            let events = [
                ("evt_told_4", "payment_intent.succeeded"),
                ("evt_told_2", "payment_intent.payment_failed"),
                ("evt_told_3", "payment_intent.processing"),
                ("evt_told_1", "payment_intent.canceled"),
            ];
            for (id, kind) in events.iter().chain(&events) {
                assert_eq!(api.tell(&event(id, kind, &payment)).await, "told", "{id}");
            }
            let signals = async || {
                let history = process.history().await.expect("a history");
                let signalled = |event: &&_| is_signal(event);
                history.iter().filter(signalled).count()
            };
            assert_eq!(signals().await, events.len());
            // Nobody else speaks for the gateway.
            let path = format!("/api/v1/workflows/{}/signals/gatewayEvent", process.id);
            let said = api.admin().await.post(&path, &json!({})).await;
            assert!(said.expect(400).fields().contains("name"));
            api.stage.platform().gateway.release(name);
            api.stage.expect_paid_once(&process).await;

            // All that comes later is known.
            let late = event("evt_told_5", "payment_intent.succeeded", &payment);
            assert_eq!(api.tell(&late).await, "known");
            assert_eq!(signals().await, events.len());
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

fn is_signal(event: &temporalio_common::protos::temporal::api::history::v1::HistoryEvent) -> bool {
    event.event_type() == EventType::WorkflowExecutionSignaled
}

#[test]
fn money_is_not_kept_without_an_order_when_a_workflow_was_ended_by_force() {
    on_platform(async |host| {
        let name = "webhook-restart";
        drop(Stage::with_order(host, name).await);
        with_api(host, name, &[], async |api| {
            let stage = &api.stage;
            let worker = stage.worker().await;
            let (process, payment) = charging(api).await;
            process.terminate("a mistake").await.expect("it ends");
            stage.platform().gateway.release(name);
            let order = stage.shop().order(name).await.expect("the order");
            assert_eq!(order.status, "pending");

            let succeeded = event("evt_restart", "payment_intent.succeeded", &payment);
            let outcomes = join_all((0..5).map(|_| api.tell(&succeeded))).await;
            assert!(
                outcomes.iter().any(|outcome| outcome == "restarted"),
                "{outcomes:?}"
            );
            let again = stage.processes().process(&process.id);
            stage.expect_paid_once(&again).await;
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

#[test]
fn an_event_that_could_not_be_handed_over_is_when_it_comes_again() {
    on_platform(async |host| {
        let name = "webhook-later";
        drop(Stage::with_order(host, name).await);
        let apart = [
            ("PARTNER__TEMPORAL__ADDRESS", "127.0.0.1:1"),
            ("PARTNER__API__DEPENDENCY_TIMEOUT", "1s"),
        ];
        with_api(host, name, &[], async |api| {
            let worker = api.stage.worker().await;
            let (process, payment) = charging(api).await;
            let succeeded = event("evt_later", "payment_intent.succeeded", &payment);
            with_api(host, "webhook-apart", &apart, async |apart| {
                let now = api.stage.shop().now().await.expect("the time").timestamp();
                let signed = signature(&succeeded, SECRET, now);
                let answer = apart.send_event(&succeeded, &signed).await.expect(503);
                assert!(!answer.header("retry-after").is_empty());
            })
            .await;
            assert_eq!(stored(&api.stage, "evt_later").await, Some((1, None)));
            assert_eq!(api.tell(&succeeded).await, "told");
            let expected = Some((2, Some("told".to_owned())));
            assert_eq!(stored(&api.stage, "evt_later").await, expected);
            api.stage.platform().gateway.release(name);
            api.stage.expect_paid_once(&process).await;
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

#[test]
fn what_the_gateway_posts_arrives() {
    on_platform(async |host| {
        let name = "webhook-gateway";
        drop(Stage::with_order(host, name).await);
        with_api(host, name, &[], async |api| {
            let stage = &api.stage;
            let webhook = WebhookOptions {
                url: format!("{}{PATH}", api.url),
                secret: SECRET.to_owned(),
            };
            let options = GatewayOptions {
                webhook: Some(webhook),
                ..GatewayOptions::default()
            };
            let gateway = GatewaySimulator::start(options).await.expect("a gateway");
            let own = [("PARTNER__GATEWAY__BASE_URL", gateway.url())];
            let worker = stage.worker_with(&own).await;
            let result = stage.result(&stage.pay().await).await;
            let payment = result["transactionId"].as_str().expect("an id");
            let outcome = async |kind: &str| {
                until(kind, async || {
                    let outcome: Option<Option<String>> = sqlx::query_scalar(
                        "SELECT outcome FROM gateway_events WHERE payment_id = $1 AND kind = $2",
                    )
                    .bind(payment)
                    .bind(kind)
                    .fetch_optional(stage.shop().pool())
                    .await
                    .expect("the database answers");
                    outcome.flatten()
                })
                .await
            };
            let paid = outcome("payment_intent.succeeded").await;
            assert!(matches!(paid.as_str(), "told" | "known"), "{paid}");

            // Somebody gives it back at the gateway, which the books do not have.
            let refund = api
                .http
                .post(format!("{}/v1/refunds", gateway.url()))
                .bearer_auth(gateway.api_key())
                .header("idempotency-key", "by-hand")
                .form(&[("payment_intent", payment)])
                .send()
                .await
                .expect("an answer");
            assert!(refund.status().is_success(), "{refund:?}");
            assert_eq!(outcome("charge.refunded").await, "contradicts");
            let events = GatewayEventRepository::new(stage.shop().pool().clone());
            let found = events.to_look_at().await.expect("the database answers");
            assert!(found.contradicting >= 1, "{found:?}");
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

#[test]
fn a_subscriptions_workflow_is_told_under_whichever_id_it_runs() {
    on_platform(async |host| {
        let name = "webhook-subscription";
        with_api(host, name, &[], async |api| {
            let stage = &api.stage;
            stage.add_user("active").await;
            let anchor = stage.shop().now().await.expect("the time");
            let subscription = partner_local::shop::NewSubscription {
                id: name,
                user_id: name,
                plan: "Pro",
                amount_minor: 999,
                currency: "EUR",
                billing_period: "monthly",
                payment_method: "card",
                stored_method: None,
                anchor_date: anchor,
                next_payment_date: None,
            };
            let added = stage.shop().add_subscription(&subscription).await;
            added.expect("a new subscription");
            let worker = stage.worker().await;
            let gateway = &stage.platform().gateway;
            gateway.set_fault(name, Fault::once(FaultMode::Hold));
            let input = json!({
                "subscriptionId": name, "userId": name, "amount": 9.99, "currency": "EUR",
                "billingPeriod": "monthly",
            });
            let process = stage
                .start("subscriptionPaymentWorkflow", "an-id-of-its-own", &input)
                .await;
            let held = gateway.wait_until_held(name, PATIENCE).await;
            held.expect("the charge reaches the gateway");
            let payment = gateway.payments_of(name)[0].id.clone();
            let succeeded = event("evt_subscription", "payment_intent.succeeded", &payment);
            assert_eq!(api.tell(&succeeded).await, "told");
            let history = process.history().await.expect("a history");
            assert_eq!(history.iter().filter(|event| is_signal(event)).count(), 1);
            gateway.release(name);
            assert_eq!(stage.result(&process).await["success"], true);
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}
