//! Input that breaks the contract is an answer at once, never a stuck workflow.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_tests::books::Books;
use partner_tests::orders::{Order, WORKFLOW};
use partner_tests::stage::{Stage, on_stage, payload};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// What replaces the good input's fields, and the field that the message must name.
fn bad_fields() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "amount": "19.99" }), "amount"),
        (json!({ "amount": 0 }), "amount"),
        (json!({ "amount": -19.99 }), "amount"),
        (json!({ "amount": 19.999 }), "amount"),
        (json!({ "amount": 1e300 }), "amount"),
        (json!({ "amount": null }), "amount"),
        (json!({ "currency": "GBP" }), "currency"),
        (json!({ "currency": "eur" }), "currency"),
        (json!({ "currency": 978 }), "currency"),
        (json!({ "paymentMethod": "cash" }), "paymentMethod"),
        (json!({ "orderId": "" }), "orderId"),
        (json!({ "orderId": 7 }), "orderId"),
        (json!({ "userId": "" }), "userId"),
        (json!({ "userId": ["a"] }), "userId"),
        (json!({ "attempt": 0 }), "attempt"),
        (json!({ "attempt": -1 }), "attempt"),
        (json!({ "retryWindowSeconds": "10" }), "retryWindowSeconds"),
        (json!({ "retryWindowSeconds": -1 }), "retryWindowSeconds"),
    ]
}

#[test]
fn ill_typed_fields_fail_at_once_and_are_named() -> Result<()> {
    on_stage(async |stage| {
        try_join_all(bad_fields().iter().map(async |(fields, named)| {
            let order = stage.order("order").await?;
            let process = stage.pay_with(&order, &order.input_with(fields)).await?;
            refused(stage, &order, &process, named)
                .await
                .with_context(|| fields.to_string())
        }))
        .await?;
        Ok(())
    })
}

#[test]
fn missing_fields_fail_at_once_and_are_named() -> Result<()> {
    on_stage(async |stage| {
        for field in ["orderId", "userId", "amount", "currency", "paymentMethod"] {
            let order = stage.order("order").await?;
            let mut input = order.input();
            input
                .as_object_mut()
                .context("the input is an object")?
                .remove(field);
            let process = stage.pay_with(&order, &input).await?;
            refused(stage, &order, &process, field)
                .await
                .context(field)?;
        }
        Ok(())
    })
}

#[test]
fn input_that_is_no_object_fails_at_once() -> Result<()> {
    on_stage(async |stage| {
        let binary = Payload {
            metadata: [("encoding".to_owned(), b"binary/plain".to_vec())].into(),
            data: vec![0xFF, 0x00],
            ..Payload::default()
        };
        let broken = Payload {
            data: b"{\"orderId\":".to_vec(),
            ..payload(&Value::Null)
        };
        let inputs = [
            Vec::new(),
            vec![Payload::default()],
            vec![binary],
            vec![broken],
            vec![payload(&Value::Null)],
            vec![payload(&json!("order-1"))],
            vec![payload(&json!([1, 2]))],
        ];
        for input in inputs {
            let order = stage.order("order").await?;
            let process = stage
                .start_raw(WORKFLOW, &order.workflow_id(), input.clone(), |_| {})
                .await?;
            refused(stage, &order, &process, "")
                .await
                .with_context(|| format!("{input:?}"))?;
        }
        Ok(())
    })
}

#[test]
fn unknown_fields_are_ignored() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let input = order.input_with(&json!({ "since2031": { "a": [1] } }));
        let process = stage.pay_with(&order, &input).await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        Ok(())
    })
}

/// What contradicts the shop's books is refused by `validatePayment`.
#[test]
fn input_that_contradicts_the_order_is_refused() -> Result<()> {
    on_stage(async |stage| {
        let others = stage.order("other").await?;
        let cases = [
            (json!({ "amount": 20 }), "costs 19.99 EUR, not 20.00 EUR"),
            (
                json!({ "currency": "USD" }),
                "costs 19.99 EUR, not 19.99 USD",
            ),
            (
                json!({ "userId": others.user_id }),
                "belongs to another user",
            ),
            (json!({ "userId": "nobody" }), "user nobody does not exist"),
            (
                json!({ "orderId": "no-order" }),
                "order no-order does not exist",
            ),
        ];
        for (fields, message) in cases {
            let order = stage.order("order").await?;
            let process = stage.pay_with(&order, &order.input_with(&fields)).await?;
            let found = stage
                .fails(
                    &order,
                    &process,
                    ErrorCode::ValidationError,
                    &Books::untouched(),
                )
                .await?;
            assert!(found.contains(message), "{fields}: {found}");
        }
        Ok(())
    })
}

/// Refused in the first workflow task: started, its task, failed.
async fn refused(stage: &Stage, order: &Order, process: &Process, named: &str) -> Result<()> {
    let message = stage
        .fails(
            order,
            process,
            ErrorCode::ValidationError,
            &Books::untouched(),
        )
        .await?;
    ensure!(message.contains(named), "{message:?} does not name {named}");
    let events = process.history().await?.len();
    ensure!(events == 5, "{events} events");
    Ok(())
}
