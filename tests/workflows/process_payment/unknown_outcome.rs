//! A charge whose outcome stays unknown for longer than it is tried.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_local::gateway::{Fault, FaultMode, IntentStatus, Operation};
use partner_tests::books::{Books, NOT_PAID};
use partner_tests::branches::process_payment::{
    cancelled_while_looking, charged_and_unreachable, charged_silently, told_while_looking,
};
use partner_tests::history;
use partner_tests::orders::WORKFLOW;
use partner_tests::stage::on_stage;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

#[test]
fn an_unknown_outcome_that_was_charged_is_paid_once() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage
            .platform
            .gateway
            .set_faults(&order.id, charged_silently());
        let process = stage.pay(&order).await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        assert!(
            looked_up(&process.history().await?),
            "it was known without looking it up"
        );
        Ok(())
    })
}

#[test]
fn is_looked_up_anew_at_once_when_the_gateway_tells_of_it() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let gateway = &stage.platform.gateway;
        gateway.set_faults(&order.id, charged_and_unreachable());
        let process = stage.pay(&order).await?;
        told_while_looking(stage, &process, &order.id, "lookupPayment").await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        let details = process.query("getDetails").await?;
        assert_eq!(details["gatewayEvent"], "payment_intent.succeeded");
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::ActivityTaskCanceled), 1);
        Ok(())
    })
}

#[test]
fn is_found_out_although_the_payment_is_cancelled_and_the_money_goes_back() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let gateway = &stage.platform.gateway;
        gateway.set_faults(&order.id, charged_and_unreachable());
        let process = stage.pay(&order).await?;
        cancelled_while_looking(stage, &process, &order.id, "lookupPayment").await?;
        stage.cancelled(&process).await?;
        let payment = &gateway.payments_of(&order.id)[0];
        assert_eq!(
            (payment.times_charged, payment.received - payment.refunded),
            (1, 0)
        );
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::ActivityTaskCanceled), 0);
        Ok(())
    })
}

#[test]
fn a_gateway_that_never_stops_talking_is_not_listened_to_for_ever() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let gateway = &stage.platform.gateway;
        gateway.set_faults(&order.id, charged_and_unreachable());
        let process = stage.pay(&order).await?;
        for word in 0..20 {
            let lookups = 1 + std::cmp::min(word, 10);
            stage.asked_for(&process, "lookupPayment", lookups).await?;
            let kind = json!("payment_intent.processing");
            process.signal("gatewayEvent", &kind).await?;
        }
        let once = Fault::once(FaultMode::Error).on(Operation::Retrieve);
        gateway.set_fault(&order.id, once);
        stage.completes(&order, &process, &Books::paid()).await?;
        let events = process.history().await?;
        assert!(history::count(&events, EventType::ActivityTaskCanceled) <= 10);
        Ok(())
    })
}

#[test]
fn a_word_of_the_gateway_at_any_other_time_changes_nothing() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        // A payload of any kind, and before the workflow begins.
        for payload in [json!("payment_intent.canceled"), json!({}), Value::Null] {
            let id = order.workflow_id();
            let client = &stage.client;
            client
                .start_with_signal(WORKFLOW, &id, &order.input(), "gatewayEvent", &payload)
                .await?;
        }
        let process = stage.client.process(&order.workflow_id());
        stage.completes(&order, &process, &Books::paid()).await?;
        Ok(())
    })
}

#[test]
fn an_unknown_outcome_that_was_not_charged_never_is() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let faults = vec![
            Fault::new(FaultMode::DropBeforeCommit),
            Fault::new(FaultMode::Error)
                .on(Operation::Retrieve)
                .times(6),
        ];
        stage.platform.gateway.set_faults(&order.id, faults);
        let process = stage.pay(&order).await?;
        let books = Books::not_charged("payment_failed", &[NOT_PAID]);
        stage
            .fails(&order, &process, ErrorCode::GatewayError, &books)
            .await?;
        assert!(
            looked_up(&process.history().await?),
            "it was known without looking it up"
        );
        let payments = stage.platform.gateway.payments_of(&order.id);
        assert!(
            payments
                .iter()
                .all(|payment| payment.state == IntentStatus::Canceled),
            "{payments:?}"
        );
        Ok(())
    })
}

#[test]
fn a_lost_answer_is_charged_once() -> Result<()> {
    on_stage(async |stage| {
        for mode in [
            FaultMode::DropAfterCommit,
            FaultMode::ErrorAfterCommit,
            FaultMode::DropBeforeCommit,
            FaultMode::Error,
        ] {
            for operation in [Operation::Create, Operation::Confirm] {
                let order = stage.order("order").await?;
                stage
                    .platform
                    .gateway
                    .set_fault(&order.id, Fault::once(mode.clone()).on(operation));
                let process = stage.pay(&order).await?;
                stage.completes(&order, &process, &Books::paid()).await?;
            }
        }
        Ok(())
    })
}

fn looked_up(events: &[HistoryEvent]) -> bool {
    events.iter().any(|event| match &event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => scheduled
            .activity_type
            .as_ref()
            .is_some_and(|activity| activity.name == "lookupPayment"),
        _ => false,
    })
}
