//! Playing one scenario, and reading from outside what came of it.

use std::time::{Duration, Instant};

use anyhow::Context;
use partner_core::client::{Ended, Process, ProcessClient};
use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_local::gateway::{Fault, FaultMode};
use partner_local::platform::Platform;
use partner_local::shop::{NewOrder, Shop, StockRow};
use serde::Serialize;
use serde_json::{Value, json};

use super::scenarios::{EMAIL, Event, Outcome, STOCK, Scenario, USER};

const WORKFLOW: &str = "processPaymentWorkflow";

/// How long a step of the platform may take before the demo gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where scenarios are played.
pub(crate) struct Stage<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) client: ProcessClient,
    pub(crate) shop: Shop,
}

/// What came of a scenario.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) input: Value,
    pub(crate) outcome: String,
    pub(crate) message: String,
    pub(crate) order_status: String,
    /// What the gateway took, in minor units.
    pub(crate) charged_minor: i64,
    /// What of it went back.
    pub(crate) refunded_minor: i64,
    pub(crate) currency: &'static str,
    pub(crate) stock: Stock,
    /// The subjects of the buyer's mails.
    pub(crate) mails: Vec<String>,
    pub(crate) milliseconds: u128,
    pub(crate) events: usize,
    pub(crate) billable_actions: usize,
    /// Expectations that did not hold.
    pub(crate) problems: Vec<String>,
}

/// An article before and after.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stock {
    pub(crate) before: i32,
    pub(crate) on_hand: i32,
    pub(crate) reserved: i32,
}

impl Stage<'_> {
    /// Plays a scenario to its end and compares what came of it.
    pub(crate) async fn play(&self, scenario: &Scenario) -> anyhow::Result<Row> {
        let id = &scenario.order_id;
        self.shop.add_stock(&sku(id), STOCK).await?;
        self.shop
            .place(&NewOrder {
                id,
                user_id: USER,
                amount_minor: scenario.amount_minor,
                currency: scenario.currency,
                sku: &sku(id),
                quantity: scenario.quantity,
            })
            .await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the demo shows how long a person waits"
        )]
        let begun = Instant::now();
        let process = self.start(scenario).await?;
        let ended = tokio::time::timeout(PATIENCE, process.ended())
            .await
            .with_context(|| format!("{} did not end within {PATIENCE:?}", process.id))??;
        let row = self
            .read(scenario, &process, ended, begun.elapsed())
            .await?;
        Ok(Row {
            problems: problems(scenario, &row),
            ..row
        })
    }

    async fn start(&self, scenario: &Scenario) -> anyhow::Result<Process> {
        let id = &scenario.order_id;
        let workflow_id = format!("payment-{id}");
        let start = || self.client.start(WORKFLOW, &workflow_id, &scenario.input);
        match &scenario.event {
            Event::Nothing => {}
            Event::Gateway(fault) => self.platform.gateway.set_fault(id, fault.clone()),
            Event::Fulfillment(fault) => self.platform.fulfillment.set_fault(id, *fault),
            Event::StartedTwice => {
                let (first, second) = futures::try_join!(start(), start())?;
                drop(second);
                return Ok(first);
            }
            Event::CancelledBeforeCharge => {
                let reason = json!("changed my mind");
                return Ok(self
                    .client
                    .start_with_signal(
                        WORKFLOW,
                        &workflow_id,
                        &scenario.input,
                        "cancelPayment",
                        &reason,
                    )
                    .await?);
            }
            Event::CancelledAfterCharge => {
                self.platform.fulfillment.set_fault(id, hold());
                return self.cancel_while_handing_over(id, start().await?).await;
            }
            Event::RetriedAfterDecline => return self.retry_after_decline(id, start).await,
        }
        Ok(start().await?)
    }

    /// The fulfilment service holds its answer, so that the cancellation certainly comes after the
    /// charge and before the end.
    async fn cancel_while_handing_over(
        &self,
        order_id: &str,
        process: Process,
    ) -> anyhow::Result<Process> {
        let simulator = &self.platform.fulfillment;
        simulator
            .wait_until_held(order_id, PATIENCE)
            .await
            .with_context(|| format!("order {order_id} was not handed over within {PATIENCE:?}"))?;
        process
            .signal("cancelPayment", &json!("ordered twice"))
            .await?;
        simulator.release(order_id);
        Ok(process)
    }

    async fn retry_after_decline<F, T>(&self, order_id: &str, start: F) -> anyhow::Result<Process>
    where
        F: FnOnce() -> T,
        T: Future<Output = Result<Process, partner_core::client::ClientError>>,
    {
        let decline = FaultMode::Decline {
            code: "card_declined".to_owned(),
        };
        self.platform
            .gateway
            .set_fault(order_id, Fault::once(decline));
        let process = start().await?;
        self.wait_for_step(&process, "awaiting_retry").await?;
        process.signal("retryPayment", &Value::Null).await?;
        Ok(process)
    }

    async fn wait_for_step(&self, process: &Process, step: &str) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let reached = async {
            loop {
                ticks.tick().await;
                let status = process.query("getStatus").await?;
                if status["step"] == step {
                    return anyhow::Ok(());
                }
            }
        };
        tokio::time::timeout(PATIENCE, reached)
            .await
            .with_context(|| format!("{} did not reach {step} within {PATIENCE:?}", process.id))?
    }

    async fn read(
        &self,
        scenario: &Scenario,
        process: &Process,
        ended: Ended,
        time: Duration,
    ) -> anyhow::Result<Row> {
        let id = &scenario.order_id;
        let payments = self.platform.gateway.payments_of(id);
        let StockRow { on_hand, reserved } = self.shop.stock(&sku(id)).await?;
        let cost = process.cost().await?;
        let (outcome, message) = match ended {
            Ended::Completed(result) => ("paid".to_owned(), text(&result["message"])),
            Ended::Failed { code, message } => (code.to_string(), message),
            other => (format!("{other:?}"), String::new()),
        };
        let mut mails: Vec<_> = self
            .platform
            .inbox
            .mails_to(EMAIL)
            .iter()
            .filter_map(|mail| mail.subject.clone())
            .filter(|subject| subject.contains(id.as_str()))
            .collect();
        mails.sort_unstable();
        Ok(Row {
            name: scenario.name,
            input: scenario.input.clone(),
            outcome,
            message,
            order_status: self.shop.order(id).await?.status,
            charged_minor: payments.iter().map(|payment| payment.received).sum(),
            refunded_minor: payments.iter().map(|payment| payment.refunded).sum(),
            currency: scenario.currency,
            stock: Stock {
                before: STOCK,
                on_hand,
                reserved,
            },
            mails,
            milliseconds: time.as_millis(),
            events: cost.events,
            billable_actions: cost.actions,
            problems: Vec::new(),
        })
    }
}

fn sku(order_id: &str) -> String {
    format!("sku-of-{order_id}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every expectation that did not hold.
fn problems(scenario: &Scenario, row: &Row) -> Vec<String> {
    let paid = scenario.outcome == Outcome::Paid;
    let outcome = match scenario.outcome {
        Outcome::Paid => "paid".to_owned(),
        Outcome::Failed(code) => code.to_string(),
    };
    let held = if paid { scenario.amount_minor } else { 0 };
    let on_hand = if paid {
        STOCK - scenario.quantity
    } else {
        STOCK
    };
    let mut mails: Vec<_> = scenario
        .mails
        .iter()
        .map(|end| format!("Your order {} {end}", scenario.order_id))
        .collect();
    mails.sort_unstable();
    let mut problems = Vec::new();
    let mut expect = |what: &str, expected: String, found: String| {
        if expected != found {
            problems.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    expect("outcome", outcome, row.outcome.clone());
    expect(
        "order status",
        scenario.order_status.to_owned(),
        row.order_status.clone(),
    );
    expect(
        "money held",
        held.to_string(),
        (row.charged_minor - row.refunded_minor).to_string(),
    );
    expect(
        "stock on hand",
        on_hand.to_string(),
        row.stock.on_hand.to_string(),
    );
    expect(
        "stock reserved",
        "0".to_owned(),
        row.stock.reserved.to_string(),
    );
    expect("mails", format!("{mails:?}"), format!("{:?}", row.mails));
    problems
}

/// The fault that lets a scenario cancel while its order is being handed over.
fn hold() -> FulfillmentFault {
    FulfillmentFault {
        mode: FulfillmentFaultMode::Hold,
        times: Some(1),
        delay_ms: None,
    }
}
