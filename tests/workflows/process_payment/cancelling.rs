//! Cancelling at every point, by signal and through Temporal: everything is undone.

use anyhow::Result;
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_local::gateway::{Fault, FaultMode};
use partner_tests::books::{Books, CANCELLED, PAID};
use partner_tests::branches::process_payment::{
    HOLD_FULFILLMENT, cancel, cancelled_after_charge, cancelled_before_charge, decline,
};
use partner_tests::orders::{Order, WORKFLOW};
use partner_tests::stage::{PATIENCE, Stage, on_stage, payload};
use serde_json::json;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;

/// The run ends as whoever cancelled it expects.
async fn ends(
    stage: &Stage,
    order: &Order,
    process: &Process,
    by_temporal: bool,
    books: &Books,
) -> Result<()> {
    if by_temporal {
        return stage.is_cancelled(order, process, books).await;
    }
    stage
        .fails(order, process, ErrorCode::Cancelled, books)
        .await
        .map(drop)
}

#[test]
fn cancel_payment_before_the_charge_takes_nothing() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let process = cancelled_before_charge(stage, &order).await?;
        let books = Books::not_charged("cancelled", &[CANCELLED]);
        let message = stage
            .fails(&order, &process, ErrorCode::Cancelled, &books)
            .await?;
        assert!(
            message.contains("payment cancelled: changed my mind"),
            "{message}"
        );
        assert_eq!(process.query("getStatus").await?["status"], "cancelled");
        Ok(())
    })
}

#[test]
fn temporal_cancellation_before_the_charge_takes_nothing() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let name = stage.unique("not-served-yet");
        let task_queue = TaskQueue {
            name: name.clone(),
            ..TaskQueue::default()
        };
        let process = stage
            .start_raw(
                WORKFLOW,
                &order.workflow_id(),
                vec![payload(&order.input())],
                |request| {
                    request.task_queue = Some(task_queue);
                },
            )
            .await?;
        process.cancel().await?;
        stage.serve(&name).await?;
        let books = Books::not_charged("cancelled", &[CANCELLED]);
        stage.is_cancelled(&order, &process, &books).await
    })
}

#[test]
fn cancelling_while_charging_gives_the_money_back() -> Result<()> {
    on_stage(async |stage| {
        for by_temporal in [false, true] {
            let order = stage.order("order").await?;
            let gateway = &stage.platform.gateway;
            gateway.set_fault(&order.id, Fault::once(FaultMode::Hold));
            let process = stage.pay(&order).await?;
            gateway.wait_until_held(&order.id, PATIENCE).await?;
            cancel(&process, by_temporal).await?;
            gateway.release(&order.id);
            let books = Books::given_back("refunded", &[CANCELLED]);
            ends(stage, &order, &process, by_temporal, &books).await?;
        }
        Ok(())
    })
}

#[test]
fn cancelling_while_handing_over_gives_money_and_goods_back() -> Result<()> {
    on_stage(async |stage| {
        for by_temporal in [false, true] {
            let order = stage.order("order").await?;
            let process = cancelled_after_charge(stage, &order, by_temporal).await?;
            let books = Books::given_back("refunded", &[CANCELLED, PAID]);
            ends(stage, &order, &process, by_temporal, &books).await?;
        }
        Ok(())
    })
}

#[test]
fn cancelling_while_open_for_another_attempt_takes_nothing() -> Result<()> {
    on_stage(async |stage| {
        for by_temporal in [false, true] {
            let order = stage.order("order").await?;
            stage.platform.gateway.set_fault(&order.id, decline());
            let input = order.input_with(&json!({ "retryWindowSeconds": 600 }));
            let process = stage.pay_with(&order, &input).await?;
            stage.reached(&process, "awaiting_retry").await?;
            cancel(&process, by_temporal).await?;
            let books = Books::not_charged("cancelled", &[CANCELLED]);
            ends(stage, &order, &process, by_temporal, &books).await?;
        }
        Ok(())
    })
}

#[test]
fn cancelling_twice_in_both_ways_undoes_once() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let service = &stage.platform.fulfillment;
        service.set_fault(&order.id, HOLD_FULFILLMENT);
        let process = stage.pay(&order).await?;
        service.wait_until_held(&order.id, PATIENCE).await?;
        cancel(&process, false).await?;
        cancel(&process, false).await?;
        cancel(&process, true).await?;
        service.release(&order.id);
        let books = Books::given_back("refunded", &[CANCELLED, PAID]);
        stage.is_cancelled(&order, &process, &books).await
    })
}

/// The undo steps run on: a cancellation of the cleaning up would leave money behind.
#[test]
fn cancelling_while_undoing_changes_nothing() -> Result<()> {
    on_stage(async |stage| {
        for by_temporal in [false, true] {
            let order = stage.order("order").await?;
            let service = &stage.platform.fulfillment;
            // The hand-over is refused, and the refund that follows is held.
            service.set_fault(
                &order.id,
                partner_tests::branches::process_payment::REFUSE_FULFILLMENT,
            );
            let hold = Fault::once(FaultMode::Hold).on(partner_local::gateway::Operation::Refund);
            stage.platform.gateway.set_fault(&order.id, hold);
            let process = stage.pay(&order).await?;
            stage
                .platform
                .gateway
                .wait_until_held(&order.id, PATIENCE)
                .await?;
            cancel(&process, by_temporal).await?;
            stage.platform.gateway.release(&order.id);
            let books = Books::given_back("payment_failed", &["could not be paid", PAID]);
            stage
                .fails(&order, &process, ErrorCode::ExternalServiceError, &books)
                .await?;
        }
        Ok(())
    })
}
