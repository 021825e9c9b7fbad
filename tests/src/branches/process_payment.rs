//! The branches of `processPaymentWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_local::gateway::{Fault, FaultMode, Operation};
use serde_json::{Value, json};

use crate::faults::ActivityFault;
use crate::orders::{Order, WORKFLOW};
use crate::stage::{PATIENCE, Stage};

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 15] = [
    "completed",
    "confirmation_mail_failed",
    "declined",
    "retried_after_decline",
    "retry_window_elapsed",
    "out_of_stock",
    "bad_input",
    "refused_by_validation",
    "fulfillment_failed",
    "cancelled_before_charge",
    "cancelled_after_charge",
    "cancelled_by_temporal",
    "unknown_outcome_found_charged",
    "unknown_outcome_that_the_gateway_tells_of",
    "cancelled_while_looking_up",
];

/// A fulfilment service that keeps the next call waiting until it is released.
pub const HOLD_FULFILLMENT: FulfillmentFault = FulfillmentFault {
    mode: FulfillmentFaultMode::Hold,
    times: Some(1),
    delay_ms: None,
};

/// A fulfilment service that refuses the next call for good.
pub const REFUSE_FULFILLMENT: FulfillmentFault = FulfillmentFault {
    mode: FulfillmentFaultMode::Refuse,
    times: Some(1),
    delay_ms: None,
};

/// A gateway that declines the next charge.
pub fn decline() -> Fault {
    Fault::once(FaultMode::Decline {
        code: "card_declined".to_owned(),
    })
}

/// A gateway that charges without saying so, and cannot be asked for longer than a charge is tried.
pub fn charged_silently() -> Vec<Fault> {
    vec![
        Fault::new(FaultMode::DropAfterCommit),
        Fault::new(FaultMode::Error)
            .on(Operation::Retrieve)
            .times(6),
    ]
}

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let order = &stage.order("order").await?;
    let platform = &stage.platform;
    let open = order.input_with(&json!({ "retryWindowSeconds": 600 }));
    match branch {
        "completed" => {}
        "confirmation_mail_failed" => {
            let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
            stage.faults.set(&order.workflow_id(), "sendEmail", fault);
        }
        "declined" => platform.gateway.set_fault(&order.id, decline()),
        "retried_after_decline" => {
            platform.gateway.set_fault(&order.id, decline());
            let process = stage.pay_with(order, &open).await?;
            stage.reached(&process, "awaiting_retry").await?;
            process.signal("retryPayment", &Value::Null).await?;
            return Ok(process);
        }
        "retry_window_elapsed" => {
            platform.gateway.set_fault(&order.id, decline());
            return stage.pay_skipping_time(order, &open).await;
        }
        "out_of_stock" => {
            return stage
                .pay(&stage.order_of("order", "no-such-article").await?)
                .await;
        }
        "bad_input" => {
            return stage
                .pay_with(order, &order.input_with(&json!({ "amount": "19.99" })))
                .await;
        }
        "refused_by_validation" => {
            return stage
                .pay_with(order, &order.input_with(&json!({ "amount": 1 })))
                .await;
        }
        "fulfillment_failed" => platform
            .fulfillment
            .set_fault(&order.id, REFUSE_FULFILLMENT),
        "cancelled_before_charge" => return cancelled_before_charge(stage, order).await,
        "cancelled_after_charge" | "cancelled_by_temporal" => {
            return cancelled_after_charge(stage, order, branch == "cancelled_by_temporal").await;
        }
        "unknown_outcome_found_charged" => {
            platform.gateway.set_faults(&order.id, charged_silently());
        }
        "unknown_outcome_that_the_gateway_tells_of" | "cancelled_while_looking_up" => {
            return looking_up(stage, order, branch == "cancelled_while_looking_up").await;
        }
        other => bail!("unknown branch {other}"),
    }
    stage.pay(order).await
}

/// Something happens while it is looked up how a charge went.
async fn looking_up(stage: &Stage, order: &Order, is_cancelled: bool) -> Result<Process> {
    let (id, lookup) = (&order.id, "lookupPayment");
    let gateway = &stage.platform.gateway;
    gateway.set_faults(id, charged_and_unreachable());
    let process = stage.pay(order).await?;
    if is_cancelled {
        cancelled_while_looking(stage, &process, id, lookup).await?;
    } else {
        told_while_looking(stage, &process, id, lookup).await?;
    }
    Ok(process)
}

/// A gateway that charges, loses its answer, and answers no question about it.
pub fn charged_and_unreachable() -> Vec<Fault> {
    vec![
        Fault::new(FaultMode::DropAfterCommit),
        Fault::new(FaultMode::Error).on(Operation::Retrieve),
    ]
}

/// While a run looks up how a charge of this subject went, the gateway says that something happened to
/// it, and soon answers again.
pub async fn told_while_looking(
    stage: &Stage,
    process: &Process,
    subject: &str,
    lookup: &str,
) -> Result<()> {
    stage.asked_for(process, lookup, 1).await?;
    let kind = json!("payment_intent.succeeded");
    process.signal("gatewayEvent", &kind).await?;
    stage.asked_for(process, lookup, 2).await?;
    let once = Fault::once(FaultMode::Error).on(Operation::Retrieve);
    stage.platform.gateway.set_fault(subject, once);
    Ok(())
}

/// A run is cancelled while it looks up how a charge of this subject went; the gateway soon answers
/// again.
pub async fn cancelled_while_looking(
    stage: &Stage,
    process: &Process,
    subject: &str,
    lookup: &str,
) -> Result<()> {
    stage.asked_for(process, lookup, 1).await?;
    process.cancel().await?;
    stage.cancel_requested(process).await?;
    let once = Fault::once(FaultMode::Error).on(Operation::Retrieve);
    stage.platform.gateway.set_fault(subject, once);
    Ok(())
}

/// The signal is there before the workflow begins.
pub async fn cancelled_before_charge(stage: &Stage, order: &Order) -> Result<Process> {
    let reason = json!("changed my mind");
    let id = order.workflow_id();
    Ok(stage
        .client
        .start_with_signal(WORKFLOW, &id, &order.input(), "cancelPayment", &reason)
        .await?)
}

/// The fulfilment service holds its answer until the cancellation is there.
pub async fn cancelled_after_charge(
    stage: &Stage,
    order: &Order,
    by_temporal: bool,
) -> Result<Process> {
    let service = &stage.platform.fulfillment;
    service.set_fault(&order.id, HOLD_FULFILLMENT);
    let process = stage.pay(order).await?;
    service.wait_until_held(&order.id, PATIENCE).await?;
    cancel(&process, by_temporal).await?;
    service.release(&order.id);
    Ok(process)
}

/// Cancels in either way.
pub async fn cancel(process: &Process, by_temporal: bool) -> Result<()> {
    if by_temporal {
        process.cancel().await?;
    } else {
        process
            .signal("cancelPayment", &json!("ordered twice"))
            .await?;
    }
    Ok(())
}
