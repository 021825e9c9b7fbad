//! `subscriptionPaymentWorkflow`: the period is charged once, the subscription moves on once, and the
//! user is told once.

use chrono::{DateTime, Utc};
use futures::future::join_all;
use partner_core::client::Process;
use partner_local::gateway::Operation;
use partner_local::shop::{ChargeRow, NewSubscription, SubscriptionRow};
use serde_json::{Value, json};

use super::trap::Stop;
use super::{USER, crash, expect_attempts};
use crate::support::{Host, Stage, on_platform, until};

const WORKFLOW: &str = "subscriptionPaymentWorkflow";

/// What a period costs, in minor units.
const PRICE: i64 = 999;

/// When the period begins that is not paid.
const DUE: &str = "2026-01-31T09:00:00Z";

/// When the one after it begins: a month on, which is shorter.
const NEXT: &str = "2026-02-28T09:00:00Z";

/// The subscription's row.
const SUBSCRIPTION: Stop = Stop::Lock("SELECT FROM subscriptions WHERE id = $1 FOR UPDATE");

/// One crash.
struct Row {
    /// What the worker is doing.
    at: &'static str,
    trap: &'static [Stop],
    /// In which attempts the charge and the notice come to their end.
    attempts: [i32; 2],
    /// The channel of the notice that goes out at the same time.
    beside: Option<&'static str>,
}

const fn row(at: &'static str, trap: &'static [Stop], attempts: [i32; 2]) -> Row {
    Row {
        at,
        trap,
        attempts,
        beside: None,
    }
}

impl Row {
    const fn beside(self, channel: &'static str) -> Self {
        Self {
            beside: Some(channel),
            ..self
        }
    }
}

const PAID: [Row; 8] = [
    row(
        "opening",
        &[Stop::Lock(
            "INSERT INTO charges (subject_kind, subject_id, period, purpose, parameters_hash,
                                  user_id, amount_minor, currency, payment_method)
             VALUES ('subscription', $1, '2026-01-31', 'payment/1', '', $1, 1, 'EUR', 'card')",
        )],
        [2, 1],
    ),
    row("created", &[Stop::Gateway(Operation::Create)], [2, 1]),
    row(
        "submitting",
        &[
            Stop::Gateway(Operation::Create),
            Stop::Lock("SELECT FROM charges WHERE subject_id = $1 FOR UPDATE"),
        ],
        [2, 1],
    ),
    row("charged", &[Stop::Gateway(Operation::Confirm)], [2, 1]),
    row(
        "moving-on",
        &[Stop::Gateway(Operation::Confirm), SUBSCRIPTION],
        [2, 1],
    ),
    row("receipt-before-data", &[Stop::MailBeforeData], [1, 2]).beside("in_app"),
    // The second attempt waits until the first can no longer be alive.
    row("receipt-after-data", &[Stop::MailAfterData], [1, 2]).beside("in_app"),
    row("receipt-in-app", &[USER], [1, 2]).beside("email"),
];

const DECLINED: [Row; 2] = [
    row("declined", &[Stop::Declined], [2, 1]),
    row("counting-failures", &[Stop::Declined, SUBSCRIPTION], [2, 1]),
];

/// A run that another worker brought to its end.
struct Survived {
    stage: Stage,
    result: Value,
    subscription: SubscriptionRow,
}

async fn survives(host: &'static Host, row: &Row) -> Survived {
    let stage = Stage::new(host, &format!("crash-subscription-{}", row.at)).await;
    subscribe(&stage).await;
    let others = async {
        if let Some(channel) = row.beside {
            is_recorded(&stage, channel).await;
        }
    };
    let process = crash(&stage, row.trap, bill(&stage), others).await;

    let [charge, notice] = row.attempts;
    expect_attempts(&stage, &process, "chargeSubscription", charge).await;
    expect_attempts(&stage, &process, "sendNotification", notice).await;
    let result = stage.result(&process).await;
    let subscription = stage.shop().subscription(&stage.name).await;
    Survived {
        result,
        subscription: subscription.expect("the subscription"),
        stage,
    }
}

/// An active subscription that owes the period of [`DUE`], and its user.
async fn subscribe(stage: &Stage) {
    stage.add_user("active").await;
    let subscription = NewSubscription {
        id: &stage.name,
        user_id: &stage.name,
        plan: "Pro",
        amount_minor: PRICE,
        currency: "EUR",
        billing_period: "monthly",
        payment_method: "card",
        stored_method: None,
        anchor_date: date(DUE),
        next_payment_date: Some(date(DUE)),
    };
    let added = stage.shop().add_subscription(&subscription).await;
    added.expect("a new subscription");
}

async fn bill(stage: &Stage) -> Process {
    let input = json!({
        "subscriptionId": stage.name,
        "userId": stage.name,
        "amount": 9.99,
        "currency": "EUR",
        "billingPeriod": "monthly",
    });
    stage.start(WORKFLOW, "subscription-payment", &input).await
}

/// Waits until a channel of the notice is served, and the books say so.
async fn is_recorded(stage: &Stage, channel: &str) {
    let what = format!("{}: {channel} is recorded as sent", stage.name);
    let sent = (channel.to_owned(), "sent".to_owned());
    until(&what, async || {
        stage.deliveries().await.contains(&sent).then_some(())
    })
    .await;
}

fn date(text: &str) -> DateTime<Utc> {
    text.parse().expect("a date")
}

impl Survived {
    async fn is_paid_once(&self, row: &Row) {
        let (name, result) = (&self.stage.name, &self.result);
        let payments = self.stage.platform().gateway.payments_of(name);
        let [payment] = payments.as_slice() else {
            panic!("{name}: {payments:?}")
        };
        let money = (payment.times_charged, payment.received, payment.refunded);
        assert_eq!(money, (1, PRICE, 0), "{name}");
        let expected = json!({
            "success": true,
            "subscriptionId": name,
            "transactionId": payment.id,
            "nextPaymentDate": NEXT,
            "message": "Subscription payment processed successfully",
        });
        assert_eq!(*result, expected, "{name}");
        let found = &self.subscription;
        let standing = (found.status.as_str(), found.failed_payment_count);
        assert_eq!(standing, ("active", 0), "{name}");
        assert_eq!(found.next_payment_date, Some(date(NEXT)), "{name}");
        assert!(found.last_payment_date.is_some(), "{name}");
        self.is_charged("succeeded").await;
        let mail = match row.at {
            "receipt-after-data" => "possibly_delivered",
            _ => "sent",
        };
        self.is_told("subscription_charged", mail).await;
    }

    async fn is_declined_once(&self) {
        let (name, result) = (&self.stage.name, &self.result);
        let payments = self.stage.platform().gateway.payments_of(name);
        assert!(
            payments.iter().all(|payment| payment.times_charged == 0),
            "{name}: {payments:?}"
        );
        assert_eq!(result["success"], false, "{name}: {result}");
        assert_eq!(result["retryCount"], 1, "{name}: {result}");
        let found = &self.subscription;
        let standing = (found.status.as_str(), found.failed_payment_count);
        assert_eq!(standing, ("active", 1), "{name}");
        assert_eq!(found.next_payment_date, Some(date(DUE)), "{name}");
        assert!(found.retry_at.is_some(), "{name}");
        assert_eq!(found.last_payment_date, None, "{name}");
        self.is_charged("declined").await;
        self.is_told("subscription_payment_failed", "sent").await;
    }

    /// There is one charge, and the books say this of it.
    async fn is_charged(&self, state: &str) {
        let name = &self.stage.name;
        let charges = self.stage.shop().charges_of(name).await;
        let charges = charges.expect("the charges");
        let expected = ChargeRow {
            period: "2026-01-31".to_owned(),
            purpose: "payment/1".to_owned(),
            state: state.to_owned(),
            amount_minor: PRICE,
        };
        assert_eq!(charges, [expected], "{name}");
    }

    /// The user has one mail and one message in the app, and the books agree.
    async fn is_told(&self, what: &str, mail: &str) {
        let (stage, name) = (&self.stage, &self.stage.name);
        assert_eq!(stage.mails().len(), 1, "{name}: {:?}", stage.subjects());
        let in_app = stage.shop().inbox_messages(name).await.expect("the inbox");
        let types: Vec<_> = in_app
            .iter()
            .map(|message| message.r#type.as_str())
            .collect();
        assert_eq!(types, [what], "{name}");
        let expected = [("email", mail), ("in_app", "sent")]
            .map(|(channel, state)| (channel.to_owned(), state.to_owned()));
        assert_eq!(stage.deliveries().await, expected, "{name}");
    }
}

#[test]
fn a_worker_killed_while_it_bills_leaves_the_period_charged_once_and_the_user_told_once() {
    on_platform(async |host| {
        let crashes = PAID
            .iter()
            .map(async |row| survives(host, row).await.is_paid_once(row).await);
        join_all(crashes).await;
    });
}

#[test]
fn a_worker_killed_when_the_charge_was_declined_leaves_the_failure_counted_once() {
    on_platform(async |host| {
        let crashes = DECLINED
            .iter()
            .map(async |row| survives(host, row).await.is_declined_once().await);
        join_all(crashes).await;
    });
}
