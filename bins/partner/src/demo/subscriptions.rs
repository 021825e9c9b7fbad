//! `subscriptionPaymentWorkflow`: subscriptions that are paid, and subscriptions that are not.

use futures::future::try_join_all;
use partner_core::error::ErrorCode;
use partner_local::gateway::{Fault, FaultMode};
use partner_local::shop::{NewSubscription, SubscriptionRow};
use serde::Serialize;
use serde_json::{Value, json};

use super::report::money;
use super::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "subscriptionPaymentWorkflow";
/// What every period costs, in minor units.
const PRICE: i64 = 999;
const CURRENCY: &str = "EUR";
/// When the first period of every subscription begins: none of them is paid.
const ANCHOR: &str = "2025-01-31T09:00:00Z";

/// What became of a subscription.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Billed {
    /// How many attempts have failed, as the result says.
    retry_count: Option<i64>,
    subscription_status: String,
    failed_payment_count: i32,
    /// What the gateway holds, in minor units.
    pub(crate) held_minor: i64,
    /// What the ledger of charges says is paid.
    pub(crate) paid_minor: i64,
    pub(crate) currency: &'static str,
    /// How often the issuer approved a charge.
    times_charged: usize,
    /// The first day of the oldest period that is not paid.
    next_payment_date: String,
    /// Whether the next attempt has a day.
    retry_is_planned: bool,
    /// The subjects of the user's mails, in the order in which they came.
    mails: Vec<String>,
    /// What the user was told in the app.
    in_app: Vec<String>,
}

/// What the gateway says to the first charges, and how often.
#[derive(Debug, Clone, Copy, Default)]
enum Gateway {
    #[default]
    Charges,
    Declines(&'static str, u32),
    DropsAfterCharging,
}

/// What the next payment date must be.
#[derive(Debug, Clone, Copy, Default)]
enum Next {
    /// The first period is still owed.
    #[default]
    Unchanged,
    /// This day.
    On(&'static str),
    /// A day to come: the periods while it was suspended are not owed.
    Ahead,
}

/// One subscription and what must come of it.
#[derive(Debug, Clone, Default)]
struct Scenario {
    name: &'static str,
    /// What the caller says a period costs, in minor units, if not what it does.
    claims: Option<i64>,
    gateway: Gateway,
    /// How many payments were tried before.
    tried_before: u32,
    start: Start,
    outcome: &'static str,
    next: Next,
    billed: Billed,
}

const PAID: &str = "paid";
const NOT_PAID: &str = "not paid";
const STOLEN: Gateway = Gateway::Declines("stolen_card", 1);

/// What the user is told: the mail's subject, and the type of the notification.
const CHARGED: (&str, &str) = ("Your subscription Pro is paid", "subscription_charged");
const FAILED: (&str, &str) = (
    "The payment for your subscription Pro did not go through",
    "subscription_payment_failed",
);
const SUSPENDED: (&str, &str) = (
    "Your subscription Pro is suspended",
    "subscription_suspended",
);

fn scenarios() -> Vec<Scenario> {
    let mut scenarios = paid();
    scenarios.extend(not_paid());
    scenarios
}

fn paid() -> Vec<Scenario> {
    let paid = |name| Scenario {
        next: Next::On("2025-02-28"),
        ..plain(name, PAID, charged(&[CHARGED]))
    };
    vec![
        paid("monthly, from the 31st"),
        Scenario {
            start: Start::Twice,
            ..paid("started twice")
        },
        Scenario {
            gateway: Gateway::DropsAfterCharging,
            ..paid("gateway drops the connection after charging")
        },
        Scenario {
            gateway: STOLEN,
            tried_before: 1,
            start: Start::WithSignal("retryPayment"),
            next: Next::Ahead,
            ..plain(
                "suspended, then retried",
                PAID,
                charged(&[SUSPENDED, CHARGED]),
            )
        },
    ]
}

fn not_paid() -> Vec<Scenario> {
    let third_failure = suspended(3, &[FAILED, FAILED, SUSPENDED]);
    let untouched = Billed {
        retry_count: None,
        ..suspended(1, &[SUSPENDED])
    };
    let invalid = ErrorCode::ValidationError.as_str();
    vec![
        Scenario {
            gateway: Gateway::Declines("insufficient_funds", 1),
            ..plain("declined", NOT_PAID, declined(1, &[FAILED]))
        },
        Scenario {
            gateway: Gateway::Declines("insufficient_funds", 3),
            tried_before: 2,
            ..plain("declined for the third time", NOT_PAID, third_failure)
        },
        Scenario {
            gateway: STOLEN,
            ..plain("card is stolen", NOT_PAID, suspended(1, &[SUSPENDED]))
        },
        Scenario {
            gateway: STOLEN,
            tried_before: 1,
            ..plain("inactive, because suspended", NOT_PAID, untouched)
        },
        Scenario {
            claims: Some(499),
            ..plain(
                "another amount than the subscription's",
                invalid,
                active(&[]),
            )
        },
    ]
}

fn plain(name: &'static str, outcome: &'static str, billed: Billed) -> Scenario {
    Scenario {
        name,
        outcome,
        billed,
        ..Scenario::default()
    }
}

fn active(told: &[(&str, &str)]) -> Billed {
    Billed {
        subscription_status: "active".to_owned(),
        currency: CURRENCY,
        mails: told.iter().map(|(mail, _)| (*mail).to_owned()).collect(),
        in_app: told.iter().map(|(_, kind)| (*kind).to_owned()).collect(),
        ..Billed::default()
    }
}

fn charged(told: &[(&str, &str)]) -> Billed {
    Billed {
        held_minor: PRICE,
        paid_minor: PRICE,
        times_charged: 1,
        ..active(told)
    }
}

fn declined(failures: i32, told: &[(&str, &str)]) -> Billed {
    Billed {
        retry_count: Some(failures.into()),
        failed_payment_count: failures,
        retry_is_planned: true,
        ..active(told)
    }
}

fn suspended(failures: i32, told: &[(&str, &str)]) -> Billed {
    Billed {
        subscription_status: "suspended".to_owned(),
        retry_is_planned: false,
        ..declined(failures, told)
    }
}

impl Gateway {
    fn fault(self) -> Option<Fault> {
        match self {
            Self::Charges => None,
            Self::Declines(code, times) => {
                let code = code.to_owned();
                Some(Fault::new(FaultMode::Decline { code }).times(times))
            }
            Self::DropsAfterCharging => Some(Fault::once(FaultMode::DropAfterCommit)),
        }
    }
}

impl Next {
    fn day(self, row: &SubscriptionRow) -> String {
        match self {
            Self::Unchanged => day(ANCHOR),
            Self::On(day) => day.to_owned(),
            Self::Ahead if row.next_payment_date > row.last_payment_date => next_day(row),
            Self::Ahead => "a day to come".to_owned(),
        }
    }
}

/// Bills every subscription.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Billed>>> {
    let scenarios = scenarios();
    let rows = scenarios
        .iter()
        .enumerate()
        .map(|(index, scenario)| play(stage, scenario, index + 1));
    try_join_all(rows).await
}

async fn play(
    stage: &Stage<'_>,
    scenario: &Scenario,
    number: usize,
) -> anyhow::Result<Row<Billed>> {
    let (id, user) = (
        format!("subscription-{number:02}"),
        format!("subscriber-{number:02}"),
    );
    let email = format!("{user}@example.com");
    stage.shop.add_user(&user, &email, "Ana").await?;
    subscribe(stage, &id, &user).await?;
    if let Some(fault) = scenario.gateway.fault() {
        stage.platform.gateway.set_fault(&id, fault);
    }
    let claimed = scenario.claims.unwrap_or(PRICE);
    let amount: Value = serde_json::from_str(&format!("{}.{:02}", claimed / 100, claimed % 100))?;
    let input = json!({
        "subscriptionId": id, "userId": user, "amount": amount, "currency": CURRENCY,
        "billingPeriod": "monthly",
    });
    let period = day(ANCHOR);
    for attempt in 1..=scenario.tried_before {
        let id = format!("subscription-payment-{id}-{period}-{attempt}");
        let process = stage.start((WORKFLOW, &id), &input, Start::Once).await?;
        stage.ended(&process).await?;
    }
    let workflow_id = format!("subscription-payment-{id}-{period}");
    let start = stage.start((WORKFLOW, &workflow_id), &input, scenario.start);
    let (run, result) = stage.watch((scenario.name, &input), start, word).await?;
    let row = stage.shop.subscription(&id).await?;
    let expected = Billed {
        next_payment_date: scenario.next.day(&row),
        ..scenario.billed.clone()
    };
    let found = Billed {
        retry_count: result["retryCount"].as_i64(),
        mails: stage.subjects(&email),
        in_app: stage.told_in_app(&user).await?,
        ..read(stage, &id, row).await?
    };
    Ok(Row::compare(run, found, scenario.outcome, &expected)?)
}

async fn subscribe(stage: &Stage<'_>, id: &str, user_id: &str) -> anyhow::Result<()> {
    let subscription = NewSubscription {
        id,
        user_id,
        plan: "Pro",
        amount_minor: PRICE,
        currency: CURRENCY,
        billing_period: "monthly",
        payment_method: "card",
        stored_method: None,
        anchor_date: ANCHOR.parse()?,
        next_payment_date: Some(ANCHOR.parse()?),
    };
    Ok(stage.shop.add_subscription(&subscription).await?)
}

/// The subscription as its row, its charges and the gateway have it.
async fn read(stage: &Stage<'_>, id: &str, row: SubscriptionRow) -> anyhow::Result<Billed> {
    let payments = stage.platform.gateway.payments_of(id);
    let charges = stage.shop.charges_of(id).await?;
    let paid = charges.iter().filter(|charge| charge.state == "succeeded");
    Ok(Billed {
        next_payment_date: next_day(&row),
        retry_is_planned: row.retry_at.is_some(),
        subscription_status: row.status,
        failed_payment_count: row.failed_payment_count,
        held_minor: payments
            .iter()
            .map(|payment| payment.received - payment.refunded)
            .sum(),
        paid_minor: paid.map(|charge| charge.amount_minor).sum(),
        currency: CURRENCY,
        times_charged: payments.iter().map(|payment| payment.times_charged).sum(),
        ..Billed::default()
    })
}

fn word(result: &Value) -> String {
    if result["success"] == true {
        PAID
    } else {
        NOT_PAID
    }
    .to_owned()
}

/// The day of a time in UTC, the zone of every user of the demo.
fn day(time: &str) -> String {
    time.chars().take_while(|letter| *letter != 'T').collect()
}

fn next_day(row: &SubscriptionRow) -> String {
    let next = row.next_payment_date;
    next.map(|next| next.date_naive().to_string())
        .unwrap_or_default()
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Billed>]) -> String {
    let header = [
        "",
        "SUBSCRIPTION",
        "OUTCOME",
        "IT IS",
        "FAILURES",
        "HELD",
        "NEXT DATE",
        "MAILS",
        "MS",
        "EVENTS",
    ];
    let cells = rows.iter().map(|row| {
        let billed = &row.found;
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            billed.subscription_status.clone(),
            billed.failed_payment_count.to_string(),
            money(billed.held_minor, billed.currency),
            billed.next_payment_date.clone(),
            billed.mails.len().to_string(),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
