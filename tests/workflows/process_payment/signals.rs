//! Signals that nobody meant, and payloads that nobody can read.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_tests::books::{Books, CANCELLED};
use partner_tests::branches::process_payment::HOLD_FULFILLMENT;
use partner_tests::stage::{PATIENCE, on_stage, payload};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// Payloads that are no reason: none, several, other types, broken JSON, bytes, unknown encodings.
fn malformed() -> Vec<Vec<Payload>> {
    let encoded = |encoding: &str, data: &[u8]| Payload {
        metadata: [("encoding".to_owned(), encoding.as_bytes().to_vec())].into(),
        data: data.to_vec(),
        ..Payload::default()
    };
    vec![
        Vec::new(),
        vec![payload(&json!("a")), payload(&json!("b"))],
        vec![payload(&json!({ "reason": "x" }))],
        vec![payload(&json!(7))],
        vec![payload(&json!([["deep"]]))],
        vec![payload(&Value::Null)],
        vec![encoded("json/plain", b"{broken")],
        vec![encoded("json/plain", &[0xFF, 0xFE])],
        vec![encoded("binary/plain", &[0, 1, 2])],
        vec![encoded("binary/encrypted", &[9; 64])],
        vec![Payload::default()],
    ]
}

#[test]
fn malformed_and_unknown_signals_never_stick_the_workflow() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let service = &stage.platform.fulfillment;
        service.set_fault(&order.id, HOLD_FULFILLMENT);
        let process = stage.pay(&order).await?;
        service.wait_until_held(&order.id, PATIENCE).await?;
        for payloads in malformed() {
            // Out of season: there is no decline to answer.
            stage
                .signal_raw(&process, "retryPayment", payloads.clone())
                .await?;
            stage.signal_raw(&process, "noSuchSignal", payloads).await?;
        }
        stage.reached(&process, "handing_over").await?;
        service.release(&order.id);
        stage.completes(&order, &process, &Books::paid()).await?;
        Ok(())
    })
}

#[test]
fn cancel_payment_cancels_with_any_payload() -> Result<()> {
    on_stage(async |stage| {
        for payloads in malformed() {
            let order = stage.order("order").await?;
            let service = &stage.platform.fulfillment;
            service.set_fault(&order.id, HOLD_FULFILLMENT);
            let process = stage.pay(&order).await?;
            service.wait_until_held(&order.id, PATIENCE).await?;
            stage
                .signal_raw(&process, "cancelPayment", payloads)
                .await?;
            service.release(&order.id);
            let books = Books::given_back("refunded", &[CANCELLED, "is paid"]);
            stage
                .fails(&order, &process, ErrorCode::Cancelled, &books)
                .await?;
        }
        Ok(())
    })
}
