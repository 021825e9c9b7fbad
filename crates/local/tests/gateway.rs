//! The gateway simulator through real sockets.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use axum::http::{HeaderMap, StatusCode};
use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use partner_local::gateway::{
    CurrencySums, Fault, FaultMode, GatewayOptions, GatewaySimulator, IntentStatus, Operation,
    WebhookOptions,
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(10);

/// A caller of the gateway's API.
struct Caller {
    http: reqwest::Client,
    url: String,
    api_key: String,
}

struct Answer {
    status: u16,
    replayed: bool,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn error(&self, field: &str) -> &str {
        self.body["error"][field].as_str().unwrap_or_default()
    }

    fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_default().to_owned()
    }
}

impl Caller {
    fn new(gateway: &GatewaySimulator) -> Result<Self> {
        Self::patient(gateway, PATIENCE)
    }

    fn patient(gateway: &GatewaySimulator, patience: Duration) -> Result<Self> {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(patience)
                .no_proxy()
                .build()?,
            url: gateway.url().to_owned(),
            api_key: gateway.api_key().to_owned(),
        })
    }

    async fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let request = self.http.post(format!("{}{path}", self.url)).form(form);
        self.send(request.header("Idempotency-Key", key)).await
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer> {
        self.send(self.http.get(format!("{}{path}", self.url)).query(query))
            .await
    }

    async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(self.http.put(format!("{}{path}", self.url)).json(&body))
            .await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let response = request.bearer_auth(&self.api_key).send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        Ok(Answer {
            status,
            replayed: headers.contains_key("idempotent-replayed"),
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        })
    }

    async fn create_with(&self, order: &str, more: &[(&str, &str)]) -> Result<Answer> {
        let reference = format!("ref-{order}");
        let mut form = vec![
            ("amount", "1999"),
            ("currency", "usd"),
            ("confirm", "false"),
            ("payment_method", "pm_card_visa"),
            ("payment_method_types[]", "card"),
            ("metadata[order_id]", order),
            ("metadata[reference]", &reference),
        ];
        form.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        form.extend(more);
        self.post("/v1/payment_intents", &format!("create-{order}"), &form)
            .await
    }

    /// The id of a new intent of this order over 19.99 USD.
    async fn create(&self, order: &str) -> Result<String> {
        let answer = self.create_with(order, &[]).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Ok(answer.id())
    }

    async fn confirm(&self, id: &str, key: &str) -> Result<Answer> {
        self.post(&format!("/v1/payment_intents/{id}/confirm"), key, &[])
            .await
    }

    async fn refund(&self, id: &str, key: &str, amount: &str) -> Result<Answer> {
        let form = [("payment_intent", id), ("amount", amount)];
        self.post("/v1/refunds", key, &form).await
    }

    async fn status(&self, id: &str) -> Result<String> {
        let answer = self.get(&format!("/v1/payment_intents/{id}"), &[]).await?;
        Ok(answer.body["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }
}

async fn start() -> Result<(GatewaySimulator, Caller)> {
    let gateway = GatewaySimulator::start(GatewayOptions::default()).await?;
    let caller = Caller::new(&gateway)?;
    Ok((gateway, caller))
}

fn times_charged(gateway: &GatewaySimulator, order: &str) -> usize {
    let payments = gateway.payments_of(order);
    payments.iter().map(|payment| payment.times_charged).sum()
}

#[tokio::test]
async fn creating_moves_no_money_and_confirming_charges() -> Result<()> {
    let (gateway, caller) = start().await?;
    let created = caller.create_with("o", &[]).await?;
    assert_eq!(created.body["status"], "requires_confirmation");
    assert_eq!(created.body["latest_charge"], Value::Null);
    assert_eq!(times_charged(&gateway, "o"), 0);

    let confirmed = caller.confirm(&created.id(), "c").await?;
    assert_eq!(confirmed.body["status"], "succeeded");
    assert_eq!(confirmed.body["amount_received"], 1999);
    assert_eq!(confirmed.body["metadata"]["reference"], "ref-o");
    assert!(confirmed.body["latest_charge"].is_string());
    let path = format!("/v1/payment_intents/{}", created.id());
    let shown = caller.get(&path, &[("expand[]", "latest_charge")]).await?;
    let charge = &shown.body["latest_charge"];
    assert_eq!(charge["amount_captured"], 1999);
    assert_eq!(charge["amount_refunded"], 0);
    assert_eq!(charge["refunded"], false);

    let payment = gateway.payments_of("o").remove(0);
    assert_eq!(payment.state, IntentStatus::Succeeded);
    assert_eq!((payment.received, payment.times_charged), (1999, 1));
    Ok(())
}

#[tokio::test]
async fn creating_and_confirming_at_once_charges() -> Result<()> {
    let (gateway, caller) = start().await?;
    let answer = caller.create_with("o", &[("confirm", "true")]).await?;
    assert_eq!(answer.body["status"], "succeeded");
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn refuses_wrong_keys_and_unknown_payments_and_paths() -> Result<()> {
    let (_gateway, mut caller) = start().await?;
    let unknown = caller.confirm("pi_none", "c").await?;
    assert_eq!(
        (unknown.status, unknown.error("code")),
        (404, "resource_missing")
    );
    let nowhere = caller.get("/v1/nowhere", &[]).await?;
    assert_eq!(
        (nowhere.status, nowhere.error("type")),
        (404, "invalid_request_error")
    );
    caller.api_key = "sk_wrong".to_owned();
    let wrong = caller.create_with("o", &[]).await?;
    assert_eq!(
        (wrong.status, wrong.error("type")),
        (401, "invalid_request_error")
    );
    Ok(())
}

#[tokio::test]
async fn refuses_parameters_that_are_wrong_missing_or_unknown() -> Result<()> {
    let (gateway, caller) = start().await?;
    for (more, code) in [
        (("amount", "19.99"), "parameter_invalid_integer"),
        (("amount", ""), "parameter_missing"),
        (("currency", "USD"), "parameter_invalid_string"),
        (("capture_methot", "manual"), "parameter_unknown"),
    ] {
        let answer = caller.create_with("o", &[more]).await?;
        assert_eq!((answer.status, answer.error("code")), (400, code));
    }
    assert!(gateway.payments().is_empty());
    // None of them was executed, so the key is still free.
    caller.create("o").await?;
    Ok(())
}

#[tokio::test]
async fn replays_the_answer_for_the_same_key_and_parameters() -> Result<()> {
    let (gateway, caller) = start().await?;
    let first = caller.create_with("o", &[]).await?;
    let second = caller.create_with("o", &[]).await?;
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.body, second.body);
    assert_eq!(gateway.payments().len(), 1);

    caller.confirm(&first.id(), "c").await?;
    let again = caller.confirm(&first.id(), "c").await?;
    assert_eq!((again.status, again.replayed), (200, true));
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn replays_a_decline() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let code = "insufficient_funds".to_owned();
    gateway.set_fault("o", Fault::once(FaultMode::Decline { code }));
    let first = caller.confirm(&id, "c").await?;
    let second = caller.confirm(&id, "c").await?;
    assert_eq!((first.status, second.status), (402, 402));
    assert_eq!(first.body, second.body);
    assert!(second.replayed);
    Ok(())
}

#[tokio::test]
async fn refuses_the_same_key_with_other_parameters_or_another_endpoint() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let other = caller.create_with("o", &[("amount", "2000")]).await?;
    assert_eq!(
        (other.status, other.error("type")),
        (400, "idempotency_error")
    );
    let elsewhere = caller.confirm(&id, "create-o").await?;
    assert_eq!(
        (elsewhere.status, elsewhere.error("type")),
        (400, "idempotency_error")
    );
    assert_eq!(times_charged(&gateway, "o"), 0);
    Ok(())
}

#[tokio::test]
async fn a_key_whose_request_is_under_way_is_in_use() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    gateway.set_fault("o", Fault::once(FaultMode::Hold));
    let test = async {
        gateway.wait_until_held("o", PATIENCE).await?;
        assert_eq!(times_charged(&gateway, "o"), 1);
        let second = caller.confirm(&id, "c").await?;
        assert_eq!(
            (second.status, second.error("code")),
            (409, "idempotency_key_in_use")
        );
        assert_eq!(gateway.release("o"), 1);
        anyhow::Ok(())
    };
    let (first, test) = futures::join!(caller.confirm(&id, "c"), test);
    test?;
    assert_eq!(first?.status, 200);
    assert!(caller.confirm(&id, "c").await?.replayed);
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn many_callers_with_one_key_charge_once() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let answers = join_all((0..20).map(|_| caller.confirm(&id, "c"))).await;
    for answer in answers {
        assert_eq!(answer?.status, 200);
    }
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn a_pruned_key_is_executed_again() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    caller.confirm(&id, "c").await?;
    assert_eq!(gateway.prune_keys(), 2);
    let again = caller.confirm(&id, "c").await?;
    assert_eq!(
        (again.status, again.error("code")),
        (400, "payment_intent_unexpected_state")
    );
    assert_eq!(again.body["error"]["payment_intent"]["status"], "succeeded");
    assert_ne!(
        caller.create("o").await?,
        id,
        "a second intent, as at the real gateway"
    );
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn a_declined_payment_can_be_confirmed_with_another_method() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let code = "insufficient_funds".to_owned();
    gateway.set_fault("o", Fault::once(FaultMode::Decline { code }));
    let declined = caller.confirm(&id, "c1").await?;
    assert_eq!(
        (declined.status, declined.error("type")),
        (402, "card_error")
    );
    assert_eq!(declined.error("code"), "card_declined");
    assert_eq!(declined.error("decline_code"), "insufficient_funds");
    let intent = &declined.body["error"]["payment_intent"];
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(
        intent["last_payment_error"]["decline_code"],
        "insufficient_funds"
    );
    assert_eq!(times_charged(&gateway, "o"), 0);

    let without = caller.confirm(&id, "c2").await?;
    assert_eq!(without.error("code"), "payment_intent_unexpected_state");
    let path = format!("/v1/payment_intents/{id}/confirm");
    let paid = caller
        .post(&path, "c3", &[("payment_method", "pm_card_visa")])
        .await?;
    assert_eq!(paid.body["status"], "succeeded");
    assert_eq!(paid.body["last_payment_error"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn the_test_payment_methods_of_the_gateway_are_declined() -> Result<()> {
    let (_gateway, caller) = start().await?;
    let method = ("payment_method", "pm_card_visa_chargeDeclinedExpiredCard");
    let id = caller.create_with("o", &[method]).await?.id();
    let declined = caller.confirm(&id, "c").await?;
    assert_eq!(
        (declined.status, declined.error("code")),
        (402, "expired_card")
    );
    Ok(())
}

#[tokio::test]
async fn commits_then_drops_the_connection() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    gateway.set_fault("o", Fault::once(FaultMode::DropAfterCommit));
    assert!(caller.confirm(&id, "c").await.is_err());
    assert_eq!(times_charged(&gateway, "o"), 1);
    let again = caller.confirm(&id, "c").await?;
    assert_eq!((again.status, again.replayed), (200, true));
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn a_replay_can_be_dropped_like_a_first_answer() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    gateway.set_fault("o", Fault::new(FaultMode::DropAfterCommit).times(2));
    assert!(caller.confirm(&id, "c").await.is_err());
    assert!(caller.confirm(&id, "c").await.is_err());
    assert_eq!(caller.confirm(&id, "c").await?.body["status"], "succeeded");
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn drops_the_connection_before_the_commit() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    gateway.set_fault("o", Fault::once(FaultMode::DropBeforeCommit));
    assert!(caller.confirm(&id, "c").await.is_err());
    assert_eq!(times_charged(&gateway, "o"), 0);
    assert!(!caller.confirm(&id, "c").await?.replayed);
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

#[tokio::test]
async fn fails_with_and_without_a_commit() -> Result<()> {
    let (gateway, caller) = start().await?;
    for (order, mode, charged) in [
        ("after", FaultMode::ErrorAfterCommit, 1),
        ("without", FaultMode::Error, 0),
    ] {
        let id = caller.create(order).await?;
        gateway.set_fault(order, Fault::once(mode));
        let key = format!("confirm-{order}");
        let failed = caller.confirm(&id, &key).await?;
        assert_eq!((failed.status, failed.error("type")), (500, "api_error"));
        assert_eq!(times_charged(&gateway, order), charged);
        assert_eq!(caller.confirm(&id, &key).await?.body["status"], "succeeded");
        assert_eq!(times_charged(&gateway, order), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_caller_that_gives_up_on_a_slow_answer_frees_the_key() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let delay = Duration::from_hours(1);
    gateway.set_fault("o", Fault::once(FaultMode::Slow { delay }));
    let hasty = Caller::patient(&gateway, Duration::from_millis(100))?;
    assert!(hasty.confirm(&id, "c").await.is_err());
    assert_eq!(times_charged(&gateway, "o"), 1);
    let freed = async {
        loop {
            // The gateway notices a moment later that the caller has left.
            let answer = caller.confirm(&id, "c").await?;
            if answer.status != 409 {
                return anyhow::Ok(answer);
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, freed).await??;
    assert_eq!((answer.status, answer.replayed), (200, true));
    Ok(())
}

#[tokio::test]
async fn refuses_and_limits_the_rate_without_effect() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let limit = FaultMode::RateLimit {
        retry_after_seconds: 7,
    };
    gateway.set_faults(
        "o",
        vec![Fault::once(FaultMode::Refuse), Fault::once(limit)],
    );
    let refused = caller.confirm(&id, "c").await?;
    assert_eq!(
        (refused.status, refused.error("type")),
        (400, "invalid_request_error")
    );
    let limited = caller.confirm(&id, "c").await?;
    assert_eq!((limited.status, limited.error("code")), (429, "rate_limit"));
    assert_eq!(limited.headers["retry-after"], "7");
    assert_eq!(times_charged(&gateway, "o"), 0);
    assert_eq!(caller.confirm(&id, "c").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_fault_meets_its_own_operation_and_order_only() -> Result<()> {
    let (gateway, caller) = start().await?;
    gateway.set_fault("o", Fault::new(FaultMode::Error).on(Operation::Cancel));
    gateway.set_fault("o", Fault::new(FaultMode::Error).on(Operation::Retrieve));
    let (id, other) = (caller.create("o").await?, caller.create("p").await?);
    let cancel = |id: String| format!("/v1/payment_intents/{id}/cancel");
    assert_eq!(
        caller.post(&cancel(id.clone()), "x", &[]).await?.status,
        500
    );
    assert_eq!(
        caller.post(&cancel(other), "y", &[]).await?.body["status"],
        "canceled"
    );
    let path = format!("/v1/payment_intents/{id}");
    assert_eq!(caller.get(&path, &[]).await?.status, 500);
    assert_eq!(caller.confirm(&id, "c").await?.status, 200);
    gateway.clear_faults();
    assert_eq!(caller.status(&id).await?, "succeeded");
    Ok(())
}

#[tokio::test]
async fn processing_settles_after_some_retrievals() -> Result<()> {
    let (gateway, caller) = start().await?;
    for (order, then_decline, end) in [
        ("paid", None, "succeeded"),
        (
            "declined",
            Some("lost_card".to_owned()),
            "requires_payment_method",
        ),
    ] {
        let mode = FaultMode::Processing {
            retrieves: 2,
            then_decline,
        };
        gateway.set_fault(order, Fault::once(mode));
        let id = caller.create(order).await?;
        let confirmed = caller.confirm(&id, order).await?;
        assert_eq!(confirmed.body["status"], "processing");
        let again = caller.confirm(&id, &format!("again-{order}")).await?;
        assert_eq!(again.error("code"), "payment_intent_unexpected_state");
        for expected in ["processing", "processing", end, end] {
            assert_eq!(caller.status(&id).await?, expected);
        }
    }
    assert_eq!(times_charged(&gateway, "paid"), 1);
    assert_eq!(times_charged(&gateway, "declined"), 0);
    assert_eq!(
        gateway.payments_of("declined")[0].declined.as_deref(),
        Some("lost_card")
    );
    Ok(())
}

#[tokio::test]
async fn captures_a_part_and_lets_the_rest_go() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller
        .create_with("o", &[("capture_method", "manual")])
        .await?
        .id();
    let confirmed = caller.confirm(&id, "c").await?;
    assert_eq!(confirmed.body["status"], "requires_capture");
    assert_eq!(confirmed.body["amount_capturable"], 1999);
    assert_eq!(gateway.summary().currencies["usd"].held, 1999);

    let path = format!("/v1/payment_intents/{id}/capture");
    let too_much = caller
        .post(&path, "k1", &[("amount_to_capture", "2000")])
        .await?;
    assert_eq!(
        (too_much.status, too_much.error("code")),
        (400, "amount_too_large")
    );
    let captured = caller
        .post(&path, "k2", &[("amount_to_capture", "1500")])
        .await?;
    assert_eq!(captured.body["status"], "succeeded");
    assert_eq!(captured.body["amount_received"], 1500);
    let twice = caller.post(&path, "k3", &[]).await?;
    assert_eq!(twice.error("code"), "payment_intent_unexpected_state");
    let too_much = caller.refund(&id, "r", "1501").await?;
    assert_eq!((too_much.status, too_much.error("param")), (400, "amount"));
    let expected = CurrencySums {
        charged: 1500,
        refunded: 0,
        held: 0,
    };
    assert_eq!(gateway.summary().currencies["usd"], expected);
    Ok(())
}

#[tokio::test]
async fn never_refunds_more_than_was_taken() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let early = caller.refund(&id, "r0", "1").await?;
    assert_eq!(early.status, 400);
    caller.confirm(&id, "c").await?;
    let part = caller.refund(&id, "r1", "1000").await?;
    assert_eq!((part.status, &part.body["amount"]), (200, &json!(1000)));
    assert!(caller.refund(&id, "r1", "1000").await?.replayed);
    assert_eq!(caller.refund(&id, "r2", "1000").await?.status, 400);
    let rest = caller
        .post("/v1/refunds", "r3", &[("payment_intent", &id)])
        .await?;
    assert_eq!(rest.body["amount"], 999);
    let over = caller.refund(&id, "r4", "1").await?;
    assert_eq!(
        (over.status, over.error("code")),
        (400, "charge_already_refunded")
    );

    let path = format!("/v1/payment_intents/{id}");
    let shown = caller.get(&path, &[("expand[]", "latest_charge")]).await?;
    assert_eq!(shown.body["latest_charge"]["amount_refunded"], 1999);
    assert_eq!(shown.body["latest_charge"]["refunded"], true);
    let listed = caller
        .get("/v1/refunds", &[("payment_intent", &id)])
        .await?;
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(gateway.payments()[0].refunded, 1999);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_payment_is_never_charged() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    let path = format!("/v1/payment_intents/{id}/cancel");
    let reason = [("cancellation_reason", "abandoned")];
    let cancelled = caller.post(&path, "x", &reason).await?;
    assert_eq!(cancelled.body["status"], "canceled");
    assert_eq!(cancelled.body["cancellation_reason"], "abandoned");
    for answer in [
        caller.confirm(&id, "c").await?,
        caller.post(&path, "y", &[]).await?,
    ] {
        assert_eq!(answer.status, 400);
        assert_eq!(answer.error("code"), "payment_intent_unexpected_state");
        assert_eq!(answer.body["error"]["payment_intent"]["status"], "canceled");
    }
    assert_eq!(times_charged(&gateway, "o"), 0);

    let paid = caller.create("p").await?;
    caller.confirm(&paid, "cp").await?;
    let path = format!("/v1/payment_intents/{paid}/cancel");
    let late = caller.post(&path, "z", &[]).await?;
    assert_eq!(late.error("code"), "payment_intent_unexpected_state");
    Ok(())
}

#[tokio::test]
async fn finds_a_payment_by_its_reference() -> Result<()> {
    let (gateway, caller) = start().await?;
    caller.create("other").await?;
    let id = caller.create("it's").await?;
    let query = r"metadata['reference']:'ref-it\'s'";
    let search = "/v1/payment_intents/search";
    let found = caller
        .get(search, &[("query", query), ("limit", "2")])
        .await?;
    assert_eq!(found.body["object"], "search_result");
    assert_eq!(found.body["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(found.body["data"][0]["id"], id);

    gateway.set_fault("it's", Fault::once(FaultMode::Stale));
    let stale = caller.get(search, &[("query", query)]).await?;
    assert_eq!(stale.body["data"], json!([]));
    let nothing = caller
        .get(search, &[("query", "metadata['reference']:'x'")])
        .await?;
    assert_eq!(nothing.body["data"], json!([]));
    let wrong = caller.get(search, &[("query", "reference:'x'")]).await?;
    assert_eq!(wrong.status, 400);
    gateway.set_fault(
        "it's",
        Fault::once(FaultMode::DropAfterCommit).on(Operation::Search),
    );
    assert!(caller.get(search, &[("query", query)]).await.is_err());
    Ok(())
}

#[tokio::test]
async fn lists_payments_in_pages_newest_first() -> Result<()> {
    let (_gateway, caller) = start().await?;
    let mut ids = Vec::new();
    for order in ["a", "b", "c"] {
        ids.push(caller.create(order).await?);
    }
    let first = caller.get("/v1/payment_intents", &[("limit", "2")]).await?;
    assert_eq!(first.body["data"][0]["id"], ids[2]);
    assert_eq!(first.body["has_more"], true);
    let query = [("limit", "2"), ("starting_after", ids[1].as_str())];
    let second = caller.get("/v1/payment_intents", &query).await?;
    assert_eq!(second.body["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(second.body["data"][0]["id"], ids[0]);
    assert_eq!(second.body["has_more"], false);
    Ok(())
}

#[tokio::test]
async fn books_and_keys_survive_a_restart_with_a_state_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = GatewayOptions {
        state_file: Some(folder.path().join("gateway/state.json")),
        ..GatewayOptions::default()
    };
    let gateway = GatewaySimulator::start(options.clone()).await?;
    let caller = Caller::new(&gateway)?;
    let id = caller.create("o").await?;
    caller.confirm(&id, "c").await?;
    let (payments, summary) = (gateway.payments(), gateway.summary());
    drop(gateway);

    let gateway = GatewaySimulator::start(options).await?;
    let caller = Caller::new(&gateway)?;
    assert_eq!(gateway.payments(), payments);
    assert_eq!(gateway.summary(), summary);
    assert!(caller.confirm(&id, "c").await?.replayed);
    assert_ne!(caller.create("p").await?, id);
    Ok(())
}

#[tokio::test]
async fn says_which_state_file_is_broken() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "{")?;
    let options = GatewayOptions {
        state_file: Some(file.path().to_owned()),
        ..GatewayOptions::default()
    };
    let error = GatewaySimulator::start(options)
        .await
        .err()
        .context("it started")?;
    assert!(
        error
            .to_string()
            .contains(&file.path().display().to_string())
    );
    Ok(())
}

#[tokio::test]
async fn is_steered_and_seen_over_http() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("<b>o</b>").await?;
    let path = "/_control/faults/%3Cb%3Eo%3C%2Fb%3E";
    let faults = json!([
        { "mode": "rate_limit", "retryAfterSeconds": 3, "times": 1 },
        { "mode": "slow", "delayMs": 1, "times": 1 },
    ]);
    assert_eq!(caller.put(path, faults).await?.status, 204);
    assert_eq!(caller.confirm(&id, "c").await?.headers["retry-after"], "3");
    assert_eq!(caller.confirm(&id, "c").await?.status, 200);
    assert_eq!(
        caller.put(path, json!({ "mode": "vanish" })).await?.status,
        400
    );

    let payments = caller.get("/_control/payments", &[]).await?.body;
    assert_eq!(payments[0]["orderId"], "<b>o</b>");
    assert_eq!(payments[0]["state"], "succeeded");
    assert_eq!(payments[0]["timesCharged"], 1);
    let summary = caller.get("/_control/summary", &[]).await?.body;
    let sums = json!({ "charged": 1999, "refunded": 0, "held": 0 });
    assert_eq!(summary["currencies"]["usd"], sums);
    assert_eq!(summary["requests"]["confirm"], 2);
    let pruned = caller.post("/_control/prune-keys", "", &[]).await?.body;
    assert_eq!(pruned["pruned"], 2);
    let released = caller.post("/_control/release/o", "", &[]).await?.body;
    assert_eq!(released["released"], 0);

    let page = caller.get("/", &[]).await?.body;
    let page = page.as_str().context("a page")?;
    assert!(page.contains("19.99 USD"));
    assert!(!page.contains("<b>"));
    drop(gateway);
    assert!(caller.get("/", &[]).await.is_err(), "it stops when dropped");
    Ok(())
}

#[tokio::test]
async fn a_caller_that_dies_while_held_leaves_a_charged_payment() -> Result<()> {
    let (gateway, caller) = start().await?;
    let id = caller.create("o").await?;
    gateway.set_fault("o", Fault::once(FaultMode::Hold));
    let dying = Caller::new(&gateway)?;
    let held = gateway.wait_until_held("o", PATIENCE);
    {
        let call = std::pin::pin!(dying.confirm(&id, "c"));
        let held = std::pin::pin!(held);
        let first = futures::future::select(call, held).await;
        assert!(matches!(first, futures::future::Either::Right((Ok(()), _))));
    }
    drop(dying);
    assert_eq!(caller.status(&id).await?, "succeeded");
    assert_eq!(times_charged(&gateway, "o"), 1);
    Ok(())
}

type Posted = (String, String);

/// Takes webhooks; fails the first one, so that it must come again.
async fn receiver() -> Result<(
    String,
    mpsc::UnboundedReceiver<Posted>,
    tokio::task::JoinSet<()>,
)> {
    let (sender, posted) = mpsc::unbounded_channel();
    let failed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let take = move |headers: HeaderMap, body: String| async move {
        if !failed.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        let signature = headers
            .get("stripe-signature")
            .and_then(|value| value.to_str().ok());
        let _ = sender.send((signature.unwrap_or_default().to_owned(), body));
        StatusCode::OK
    };
    let routes = axum::Router::new().route("/hook", axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let _ = axum::serve(listener, routes).await;
    });
    Ok((url, posted, server))
}

fn verify(signature: &str, body: &str, secret: &str) -> Result<()> {
    let (time, mac) = signature
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .context("a signature")?;
    let mut expected = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    expected.update(format!("{time}.{body}").as_bytes());
    expected
        .verify_slice(&hex::decode(mac)?)
        .map_err(|_mismatch| anyhow!("the signature does not fit"))
}

#[tokio::test]
async fn posts_signed_events_and_repeats_them_until_they_are_taken() -> Result<()> {
    let (url, mut posted, _server) = receiver().await?;
    let secret = "whsec_test".to_owned();
    let options = GatewayOptions {
        webhook: Some(WebhookOptions { url, secret }),
        ..GatewayOptions::default()
    };
    let gateway = GatewaySimulator::start(options).await?;
    let caller = Caller::new(&gateway)?;
    let id = caller.create("o").await?;
    let code = "lost_card".to_owned();
    gateway.set_fault("o", Fault::once(FaultMode::Decline { code }));
    caller.confirm(&id, "c1").await?;
    let path = format!("/v1/payment_intents/{id}/confirm");
    caller
        .post(&path, "c2", &[("payment_method", "pm_card_visa")])
        .await?;
    caller.refund(&id, "r", "500").await?;
    for (kind, field) in [
        ("payment_intent.payment_failed", "id"),
        ("payment_intent.succeeded", "id"),
        ("charge.refunded", "payment_intent"),
    ] {
        let next = tokio::time::timeout(PATIENCE, posted.recv()).await?;
        let (signature, body) = next.context("an event")?;
        verify(&signature, &body, "whsec_test")?;
        let event: Value = serde_json::from_str(&body)?;
        assert_eq!(event["type"], kind);
        assert_eq!(event["data"]["object"][field], id);
    }
    Ok(())
}
