//! Declines, and the window in which the buyer may try again.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_local::gateway::{Fault, FaultMode};
use partner_tests::books::{Books, NOT_PAID};
use partner_tests::branches::process_payment::decline;
use partner_tests::history;
use partner_tests::stage::on_stage;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

#[test]
fn a_decline_without_a_window_fails_at_once() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage.platform.gateway.set_fault(&order.id, decline());
        let process = stage.pay(&order).await?;
        let books = Books::not_charged("payment_failed", &[NOT_PAID]);
        let message = stage
            .fails(&order, &process, ErrorCode::PaymentFailed, &books)
            .await?;
        assert!(message.contains("card_declined"), "{message}");
        assert_eq!(
            history::count(&process.history().await?, EventType::TimerStarted),
            0
        );
        Ok(())
    })
}

#[test]
fn retry_payment_within_the_window_pays_as_the_next_attempt() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage
            .platform
            .gateway
            .set_fault(&order.id, decline().times(2));
        let input = order.input_with(&json!({ "retryWindowSeconds": 600 }));
        let process = stage.pay_with(&order, &input).await?;
        for attempt in [1, 2] {
            stage.reached(&process, "awaiting_retry").await?;
            let details = process.query("getDetails").await?;
            assert_eq!(details["attempt"], attempt);
            process.signal("retryPayment", &Value::Null).await?;
            // The step is left before the next decline can bring it back.
            let attempts = async {
                let mut ticks = tokio::time::interval(std::time::Duration::from_millis(25));
                while process.query("getDetails").await?["attempt"] == attempt {
                    ticks.tick().await;
                }
                anyhow::Ok(())
            };
            tokio::time::timeout(partner_tests::stage::PATIENCE, attempts).await??;
        }
        stage.completes(&order, &process, &Books::paid()).await?;
        assert_eq!(process.query("getDetails").await?["attempt"], 3);
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::TimerStarted), 2);
        assert_eq!(history::count(&events, EventType::TimerCanceled), 2);
        Ok(())
    })
}

#[test]
fn the_window_elapses() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage.platform.gateway.set_fault(&order.id, decline());
        let input = order.input_with(&json!({ "retryWindowSeconds": 600 }));
        let process = stage.pay_skipping_time(&order, &input).await?;
        let books = Books::not_charged("payment_failed", &[NOT_PAID]);
        stage
            .fails(&order, &process, ErrorCode::PaymentFailed, &books)
            .await?;
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::TimerFired), 1);
        let seconds =
            |event: &temporalio_common::protos::temporal::api::history::v1::HistoryEvent| {
                event.event_time.as_ref().map_or(0, |time| time.seconds)
            };
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            anyhow::bail!("the history is empty");
        };
        assert!(
            seconds(last) - seconds(first) >= 600,
            "the window of 600 s was not waited for"
        );
        Ok(())
    })
}

/// The buyer cannot mend what the gateway refuses as wrong.
#[test]
fn a_refusal_for_good_is_no_decline_and_opens_no_window() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage
            .platform
            .gateway
            .set_fault(&order.id, Fault::new(FaultMode::Refuse));
        let input = order.input_with(&json!({ "retryWindowSeconds": 600 }));
        let process = stage.pay_with(&order, &input).await?;
        let ended = stage.ended(&process).await?;
        assert!(
            matches!(ended, partner_core::client::Ended::Failed { .. }),
            "{ended:?}"
        );
        assert_eq!(
            history::count(&process.history().await?, EventType::TimerStarted),
            0
        );
        stage
            .has(&order, &Books::not_charged("payment_failed", &[NOT_PAID]))
            .await
    })
}
