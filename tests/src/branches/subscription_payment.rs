//! The branches of `subscriptionPaymentWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use partner_core::config::SubscriptionSchedule;
use partner_local::gateway::{Fault, FaultMode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::process_payment::{charged_and_unreachable, charged_silently, told_while_looking};
use crate::stage::{PATIENCE, Stage};
use crate::subscriptions::Subscription;

/// The workflow's type.
pub const WORKFLOW: &str = "subscriptionPaymentWorkflow";

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 16] = [
    "completed",
    "declined",
    "declined_for_good",
    "inactive",
    "already_paid",
    "disagreeing_input",
    "bad_input",
    "cancelled_before_charge",
    "cancelled_by_temporal",
    "settled_by_retry_payment",
    "unknown_outcome_found_charged",
    "unknown_outcome_that_the_gateway_tells_of",
    "refused_by_the_gateway",
    "durable_until_the_window_elapsed",
    "durable_cancelled_while_waiting",
    "durable_paused_and_cancelled",
];

/// The task queue of a worker whose subscriptions follow a durable schedule.
pub const DURABLE: &str = "durable-subscriptions";
static DURABLE_WORKER: OnceCell<()> = OnceCell::const_new();

/// A gateway that declines every charge, for a reason that may pass.
pub fn decline() -> Fault {
    Fault::new(FaultMode::Decline {
        code: "insufficient_funds".to_owned(),
    })
}

/// A gateway that declines every charge, for a reason that will not pass.
pub fn decline_for_good() -> Fault {
    Fault::new(FaultMode::Decline {
        code: "stolen_card".to_owned(),
    })
}

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let subscription = &stage.subscription().await?;
    let gateway = &stage.platform.gateway;
    let id = &subscription.id;
    match branch {
        "completed" => {}
        "declined" => gateway.set_fault(id, decline()),
        "declined_for_good" => gateway.set_fault(id, decline_for_good()),
        "inactive" => stage.become_(subscription, "cancelled").await?,
        "already_paid" => {
            let subscription = stage.subscription_from(stage.now().await?, None).await?;
            stage
                .ended(&bill(stage, &subscription, "first").await?)
                .await?;
            return bill(stage, &subscription, "again").await;
        }
        "disagreeing_input" | "bad_input" => {
            let mut input = subscription.input();
            input["amount"] = if branch == "bad_input" {
                json!("9.99")
            } else {
                json!(1)
            };
            return stage.start(WORKFLOW, &subscription.run("1"), &input).await;
        }
        "cancelled_before_charge" => {
            return bill_with_signal(stage, subscription, "cancelPayment").await;
        }
        "cancelled_by_temporal" => {
            gateway.set_fault(id, decline());
            let process = bill_durably(stage, subscription, 0).await?;
            stage.reached(&process, "waiting").await?;
            process.cancel().await?;
            return Ok(process);
        }
        "settled_by_retry_payment" => {
            stage.become_(subscription, "suspended").await?;
            return bill_with_signal(stage, subscription, "retryPayment").await;
        }
        "unknown_outcome_found_charged" => gateway.set_faults(id, charged_silently()),
        "unknown_outcome_that_the_gateway_tells_of" => return told_of(stage, subscription).await,
        "refused_by_the_gateway" => gateway.set_fault(id, Fault::new(FaultMode::Refuse)),
        "durable_until_the_window_elapsed" => {
            gateway.set_fault(id, decline());
            return bill_durably(stage, subscription, 10).await;
        }
        "durable_cancelled_while_waiting" | "durable_paused_and_cancelled" => {
            let is_paused = branch == "durable_paused_and_cancelled";
            let refuse = || Fault::new(FaultMode::Refuse);
            gateway.set_fault(id, if is_paused { refuse() } else { decline() });
            let process = bill_durably(stage, subscription, 0).await?;
            stage.reached(&process, "waiting").await?;
            process.signal("cancelPayment", &Value::Null).await?;
            return Ok(process);
        }
        other => bail!("unknown branch {other}"),
    }
    bill(stage, subscription, "1").await
}

/// Starts a run.
pub async fn bill(stage: &Stage, subscription: &Subscription, name: &str) -> Result<Process> {
    let input = subscription.input();
    stage.start(WORKFLOW, &subscription.run(name), &input).await
}

/// The gateway charges, cannot be asked, and tells by itself.
async fn told_of(stage: &Stage, subscription: &Subscription) -> Result<Process> {
    let (id, lookup) = (&subscription.id, "lookupSubscriptionCharge");
    let gateway = &stage.platform.gateway;
    gateway.set_faults(id, charged_and_unreachable());
    let process = bill(stage, subscription, "1").await?;
    told_while_looking(stage, &process, id, lookup).await?;
    Ok(process)
}

/// Starts a run that finds a signal waiting when it begins.
pub async fn bill_with_signal(
    stage: &Stage,
    subscription: &Subscription,
    signal: &str,
) -> Result<Process> {
    let id = subscription.run(signal);
    let input = subscription.input();
    let reason = json!("asked for");
    let client = &stage.client;
    Ok(client
        .start_with_signal(WORKFLOW, &id, &input, signal, &reason)
        .await?)
}

/// Starts a run with a durable schedule, on a server that skips time so many times; 0 is never.
pub async fn bill_durably(
    stage: &Stage,
    subscription: &Subscription,
    skips: i32,
) -> Result<Process> {
    DURABLE_WORKER
        .get_or_try_init(|| {
            stage.serve_with(DURABLE, |config| {
                config.subscription.schedule = SubscriptionSchedule::Durable;
            })
        })
        .await?;
    let (id, input) = (subscription.run("durable"), subscription.input());
    if skips > 0 {
        return stage
            .start_skipping_time_in((DURABLE, skips), WORKFLOW, &id, &input)
            .await;
    }
    stage.start_in(DURABLE, WORKFLOW, &id, &input).await
}

/// Holds the charge of a subscription until the gateway is released.
pub async fn held_while_charging(stage: &Stage, subscription: &Subscription) -> Result<Process> {
    let gateway = &stage.platform.gateway;
    gateway.set_fault(&subscription.id, Fault::once(FaultMode::Hold));
    let process = bill(stage, subscription, "1").await?;
    gateway.wait_until_held(&subscription.id, PATIENCE).await?;
    Ok(process)
}
