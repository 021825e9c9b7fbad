//! The same order again: by another run, or by another workflow.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_local::gateway::{Fault, FaultMode};
use partner_tests::books::{Books, CANCELLED, NOT_PAID, PAID};
use partner_tests::branches::process_payment::{HOLD_FULFILLMENT, decline};
use partner_tests::faults::ActivityFault;
use partner_tests::orders::WORKFLOW;
use partner_tests::stage::{PATIENCE, on_stage};
use serde_json::json;

#[test]
fn a_second_run_neither_charges_nor_mails_again() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let process = stage.pay(&order).await?;
        let first = stage.completes(&order, &process, &Books::paid()).await?;
        let again = stage.pay_again(&order, &json!({})).await?;
        let second = stage.completes(&order, &again, &Books::paid()).await?;
        assert_eq!(first, second);
        Ok(())
    })
}

#[test]
fn a_start_joins_the_run_that_is_under_way() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let (first, second) = (stage.pay(&order).await?, stage.pay(&order).await?);
        stage.completes(&order, &first, &Books::paid()).await?;
        stage.completes(&order, &second, &Books::paid()).await?;
        Ok(())
    })
}

#[test]
fn a_second_workflow_for_the_same_order_is_refused() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let service = &stage.platform.fulfillment;
        service.set_fault(&order.id, HOLD_FULFILLMENT);
        let process = stage.pay(&order).await?;
        service.wait_until_held(&order.id, PATIENCE).await?;
        // It goes out beside the handing over, and counts in the books.
        let inbox = &stage.platform.inbox;
        inbox
            .wait_for(|mail| mail.is_to(&order.email), PATIENCE)
            .await?;
        let other = stage
            .client
            .start(WORKFLOW, &stage.unique("another"), &order.input())
            .await?;
        let message = stage
            .fails(&order, &other, ErrorCode::ValidationError, &Books::paid())
            .await?;
        assert!(
            message.contains(&format!("is being paid by workflow {}", process.id)),
            "{message}"
        );
        service.release(&order.id);
        stage.completes(&order, &process, &Books::paid()).await?;
        Ok(())
    })
}

#[test]
fn a_declined_order_is_paid_by_a_new_run_as_the_next_attempt() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        stage.platform.gateway.set_fault(&order.id, decline());
        let declined = stage.pay(&order).await?;
        let books = Books::not_charged("payment_failed", &[NOT_PAID]);
        stage
            .fails(&order, &declined, ErrorCode::PaymentFailed, &books)
            .await?;
        // The same attempt has its answer for ever.
        let same = stage.pay(&order).await?;
        stage
            .fails(&order, &same, ErrorCode::PaymentFailed, &books)
            .await?;
        let next = stage
            .pay_with(&order, &order.input_with(&json!({ "attempt": 2 })))
            .await?;
        let mails = [NOT_PAID, "is paid"].map(str::to_owned).to_vec();
        stage
            .completes(
                &order,
                &next,
                &Books {
                    mails,
                    ..Books::paid()
                },
            )
            .await?;
        Ok(())
    })
}

/// Cancelling counts until the end of any run, and undoes the order whole.
#[test]
fn a_second_run_that_is_cancelled_gives_the_paid_order_back() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let process = stage.pay(&order).await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        let again = stage.pay_again_with_signal(&order, "cancelPayment").await?;
        let books = Books::given_back("refunded", &[CANCELLED, PAID]);
        stage
            .fails(&order, &again, ErrorCode::Cancelled, &books)
            .await?;
        Ok(())
    })
}

/// It needs neither stock nor money, so what is down cannot make it give a paid order back.
#[test]
fn a_second_run_touches_neither_stock_nor_money_of_a_paid_order() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let process = stage.pay(&order).await?;
        stage.completes(&order, &process, &Books::paid()).await?;
        for activity in [
            "reserveInventory",
            "processPaymentGateway",
            "updateOrderStatus",
        ] {
            let fault = ActivityFault::for_good(ErrorCode::DatabaseError);
            stage.faults.set(&order.workflow_id(), activity, fault);
        }
        let again = stage.pay_again(&order, &json!({ "attempt": 2 })).await?;
        stage.completes(&order, &again, &Books::paid()).await?;
        Ok(())
    })
}

/// A run that was terminated cannot undo anything; the next one does, wherever it ends.
#[test]
fn a_run_after_a_terminated_one_settles_what_that_had_charged() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("order").await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&order.id, Fault::once(FaultMode::Hold));
        stage.pay(&order).await?;
        gateway.wait_until_held(&order.id, PATIENCE).await?;
        stage.terminate(&order).await?;
        gateway.release(&order.id);
        let again = stage.pay_again_with_signal(&order, "cancelPayment").await?;
        let books = Books::given_back("refunded", &[CANCELLED]);
        stage
            .fails(&order, &again, ErrorCode::Cancelled, &books)
            .await?;
        Ok(())
    })
}
