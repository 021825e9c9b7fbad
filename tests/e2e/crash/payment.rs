//! `processPaymentWorkflow`: the order is paid and charged once, and the buyer is told once.

use futures::future::join_all;
use partner_local::gateway::Operation;

use super::trap::Stop;
use super::{crash, expect_attempts};
use crate::support::{Host, Stage, on_platform, until};

/// One crash.
struct Row {
    /// What the worker is doing.
    at: &'static str,
    trap: &'static [Stop],
    /// The activity that another worker must do again, where the server counts its attempts, and in
    /// which attempt it is done.
    again: Option<(&'static str, i32)>,
}

const fn row(at: &'static str, trap: &'static [Stop], again: Option<(&'static str, i32)>) -> Row {
    Row { at, trap, again }
}

const CHARGED: Row = row(
    "charged",
    &[Stop::Gateway(Operation::Confirm)],
    Some(("processPaymentGateway", 2)),
);

const OTHERS: [Row; 6] = [
    row(
        "reserving",
        &[Stop::Lock(
            "SELECT FROM inventory WHERE sku = $1 FOR UPDATE",
        )],
        None,
    ),
    row(
        "created",
        &[Stop::Gateway(Operation::Create)],
        Some(("processPaymentGateway", 2)),
    ),
    row(
        "marking-paid",
        &[
            Stop::Gateway(Operation::Confirm),
            Stop::Lock("SELECT FROM orders WHERE id = $1 FOR UPDATE"),
        ],
        None,
    ),
    row(
        "handed-over",
        &[Stop::Goods],
        Some(("triggerFulfillment", 2)),
    ),
    row(
        "mail-before-data",
        &[Stop::MailBeforeData],
        Some(("sendEmail", 2)),
    ),
    // The second attempt waits until the first can no longer be alive.
    row(
        "mail-after-data",
        &[Stop::MailAfterData],
        Some(("sendEmail", 2)),
    ),
];

async fn survives(host: &'static Host, row: &Row) {
    let stage = Stage::with_order(host, &format!("crash-payment-{}", row.at)).await;
    // Goods and mail go out at the same time; each one's crash is a row of its own.
    let beside = async {
        if row.at == "handed-over" {
            mail_is_recorded(&stage).await;
        }
    };
    let process = crash(&stage, row.trap, stage.pay(), beside).await;
    stage.expect_paid_once(&process).await;
    stage.expect_one_mail();
    if let Some((activity, attempts)) = row.again {
        expect_attempts(&stage, &process, activity, attempts).await;
    }
    let outcome = match row.at {
        "mail-after-data" => "possibly_delivered",
        _ => "sent",
    };
    let expected = [("email".to_owned(), outcome.to_owned())];
    assert_eq!(stage.deliveries().await, expected, "{}", stage.name);
}

/// Waits until the mail is not only with the relay, but also in our books.
async fn mail_is_recorded(stage: &Stage) {
    until("the mail is recorded as sent", async || {
        let deliveries = stage.deliveries().await;
        deliveries
            .iter()
            .any(|(_, state)| state == "sent")
            .then_some(())
    })
    .await;
}

#[test]
fn a_worker_killed_right_after_the_gateway_charged_leaves_the_order_paid_and_charged_once() {
    on_platform(async |host| survives(host, &CHARGED).await);
}

#[test]
fn a_worker_killed_in_any_other_call_leaves_the_order_paid_and_charged_once() {
    on_platform(async |host| {
        join_all(OTHERS.iter().map(|row| survives(host, row))).await;
    });
}
