//! Playing one scenario, and reading from outside what came of it.

use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use partner_core::client::{ClientError, Process};
use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_local::gateway::{Fault, FaultMode};
use partner_local::shop::{NewOrder, StockRow};
use serde::Serialize;
use serde_json::{Value, json};

use super::scenarios::{self, EMAIL, Event, Outcome, STOCK, Scenario, USER};
use crate::demo::report::money;
use crate::demo::stage::{PATIENCE, Row, Run, Stage, Start};
use crate::output;

const WORKFLOW: &str = "processPaymentWorkflow";

/// What became of an order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ordered {
    pub(crate) order_status: String,
    /// What the gateway took, in minor units.
    pub(crate) charged_minor: i64,
    /// What of it went back.
    pub(crate) refunded_minor: i64,
    pub(crate) currency: &'static str,
    pub(crate) stock: Stock,
    /// The subjects of the buyer's mails.
    pub(crate) mails: Vec<String>,
}

/// An article before and after.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stock {
    pub(crate) before: i32,
    pub(crate) on_hand: i32,
    pub(crate) reserved: i32,
}

/// The buyer of every order.
pub(crate) async fn prepare(stage: &Stage<'_>) -> anyhow::Result<()> {
    Ok(stage.shop.add_user(USER, EMAIL, "Ana Demo").await?)
}

/// Plays every order.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Ordered>>> {
    let scenarios = scenarios::all();
    try_join_all(scenarios.iter().map(|scenario| stage.play(scenario))).await
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Ordered>]) -> String {
    let header = [
        "", "ORDER", "OUTCOME", "ORDER IS", "CHARGED", "REFUNDED", "STOCK", "MAIL", "MS", "EVENTS",
    ];
    let cells = rows.iter().map(|row| {
        let order = &row.found;
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            order.order_status.clone(),
            money(order.charged_minor, order.currency),
            money(order.refunded_minor, order.currency),
            format!("{} -> {}", order.stock.before, order.stock.on_hand),
            mail(&order.mails),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}

/// The end of the subject says it all; the order's number stands in the row.
fn mail(subjects: &[String]) -> String {
    let ends: Vec<_> = subjects
        .iter()
        .map(|subject| subject.splitn(4, ' ').nth(3).unwrap_or(subject).to_owned())
        .collect();
    if ends.is_empty() {
        "-".to_owned()
    } else {
        ends.join(", ")
    }
}

impl Stage<'_> {
    /// Plays a scenario to its end and compares what came of it.
    async fn play(&self, scenario: &Scenario) -> anyhow::Result<Row<Ordered>> {
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
        let start = self.begin(scenario);
        let (run, _result) = self
            .watch((scenario.name, &scenario.input), start, |_| {
                "paid".to_owned()
            })
            .await?;
        let found = self.read(scenario).await?;
        Ok(Row {
            problems: problems(scenario, &run, &found),
            run,
            found,
        })
    }

    async fn begin(&self, scenario: &Scenario) -> anyhow::Result<Process> {
        let id = &scenario.order_id;
        let workflow_id = format!("payment-{id}");
        let start = || self.client.start(WORKFLOW, &workflow_id, &scenario.input);
        match &scenario.event {
            Event::Nothing => {}
            Event::Gateway(fault) => self.platform.gateway.set_fault(id, fault.clone()),
            Event::Fulfillment(fault) => self.platform.fulfillment.set_fault(id, *fault),
            Event::StartedTwice => {
                return self
                    .start((WORKFLOW, &workflow_id), &scenario.input, Start::Twice)
                    .await;
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
        T: Future<Output = Result<Process, ClientError>>,
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

    async fn read(&self, scenario: &Scenario) -> anyhow::Result<Ordered> {
        let id = &scenario.order_id;
        let payments = self.platform.gateway.payments_of(id);
        let StockRow { on_hand, reserved } = self.shop.stock(&sku(id)).await?;
        let mut mails = self.subjects(EMAIL);
        mails.retain(|subject| subject.contains(id.as_str()));
        mails.sort_unstable();
        Ok(Ordered {
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
        })
    }
}

fn sku(order_id: &str) -> String {
    format!("sku-of-{order_id}")
}

/// Every expectation that did not hold.
fn problems(scenario: &Scenario, run: &Run, row: &Ordered) -> Vec<String> {
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
    expect("outcome", outcome, run.outcome.clone());
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
