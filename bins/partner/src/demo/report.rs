//! What the demo prints.

use std::collections::BTreeMap;

use partner_core::money::{Currency, Money};
use serde::Serialize;

use super::cleanups::{self, Cleaned};
use super::listings::{self, Seen};
use super::notifications::{self, Told};
use super::onboarding::{self, Onboarded};
use super::payments::{self, Ordered};
use super::reminders::{self, Reminded};
use super::reports::{self, Reported};
use super::stage::{Row, Stage};
use super::subscriptions::{self, Billed};
use super::sweeps::{self, Swept};

/// Everything that happened, and whether it was what must happen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) ok: bool,
    #[serde(flatten)]
    rows: Rows,
    sums: Sums,
}

/// The rows, by workflow.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rows {
    pub(crate) payments: Vec<Row<Ordered>>,
    pub(crate) notifications: Vec<Row<Told>>,
    pub(crate) onboardings: Vec<Row<Onboarded>>,
    pub(crate) subscriptions: Vec<Row<Billed>>,
    pub(crate) approvals: Vec<Row<Seen>>,
    pub(crate) expirations: Vec<Row<Seen>>,
    pub(crate) reports: Vec<Row<Reported>>,
    pub(crate) cleanups: Vec<Row<Cleaned>>,
    pub(crate) reminders: Vec<Row<Reminded>>,
    pub(crate) sweeps: Vec<Row<Swept>>,
}

/// Money and stock, counted over everything.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sums {
    /// What the gateway holds, in minor units by currency.
    held_at_gateway_minor: BTreeMap<String, i64>,
    /// What the orders marked paid cost.
    paid_orders_minor: BTreeMap<String, i64>,
    /// What the periods of subscriptions cost that the ledger of charges has as paid.
    paid_periods_minor: BTreeMap<String, i64>,
    money_balances: bool,
    /// What was in stock before.
    stock_before: i32,
    /// What is there now, reserved for orders, and gone with paid orders.
    stock_on_hand: i32,
    stock_reserved: i32,
    stock_sold: i32,
    stock_balances: bool,
}

impl Rows {
    /// The expectations that did not hold, each with the name of its row.
    fn problems(&self) -> Vec<(&'static str, &str)> {
        fn of<T>(rows: &[Row<T>]) -> impl Iterator<Item = (&'static str, &str)> {
            rows.iter().flat_map(|row| {
                let problems = row.problems.iter();
                problems.map(|problem| (row.run.name, problem.as_str()))
            })
        }
        of(&self.payments)
            .chain(of(&self.notifications))
            .chain(of(&self.onboardings))
            .chain(of(&self.subscriptions))
            .chain(of(&self.approvals))
            .chain(of(&self.expirations))
            .chain(of(&self.reports))
            .chain(of(&self.cleanups))
            .chain(of(&self.reminders))
            .chain(of(&self.sweeps))
            .collect()
    }
}

impl Report {
    /// Counts everything from outside: the gateway's books, the shop's tables.
    pub(crate) async fn new(stage: &Stage<'_>, rows: Rows) -> anyhow::Result<Self> {
        let sums = Sums::new(stage, &rows).await?;
        let ok = rows.problems().is_empty() && sums.money_balances && sums.stock_balances;
        Ok(Self { ok, rows, sums })
    }

    /// The report for a person.
    pub(crate) fn text(&self) -> String {
        let rows = &self.rows;
        let mut text = String::new();
        for (heading, table) in [
            ("Payments", payments::table(&rows.payments)),
            ("Notifications", notifications::table(&rows.notifications)),
            ("Onboarding", onboarding::table(&rows.onboardings)),
            ("Subscriptions", subscriptions::table(&rows.subscriptions)),
            ("Approvals", listings::approvals_table(&rows.approvals)),
            (
                "Expirations",
                listings::expirations_table(&rows.expirations),
            ),
            ("Reports", reports::table(&rows.reports)),
            ("Cleanups", cleanups::table(&rows.cleanups)),
            ("Reminders", reminders::table(&rows.reminders)),
            ("Sweeps", sweeps::table(&rows.sweeps)),
        ] {
            text.extend([heading, "\n\n", &table, "\n\n"]);
        }
        text.push_str(&self.sums.text());
        for (name, problem) in rows.problems() {
            text.extend(["\n!! ", name, ": ", problem]);
        }
        text.push_str(if self.ok {
            "\nEvery expectation held."
        } else {
            "\nNot every expectation held."
        });
        text
    }
}

impl Sums {
    async fn new(stage: &Stage<'_>, rows: &Rows) -> anyhow::Result<Self> {
        let held_at_gateway_minor: BTreeMap<_, _> = stage
            .platform
            .gateway
            .summary()
            .currencies
            .into_iter()
            .map(|(currency, sums)| (currency, sums.charged - sums.refunded))
            .filter(|(_, held)| *held != 0)
            .collect();
        let paid_orders_minor = stage.shop.paid_totals().await?;
        let mut paid_periods_minor = BTreeMap::new();
        let billed = rows.subscriptions.iter().map(|row| &row.found);
        for billed in billed.filter(|billed| billed.paid_minor != 0) {
            *paid_periods_minor
                .entry(billed.currency.to_lowercase())
                .or_default() += billed.paid_minor;
        }
        let swept = rows.sweeps.iter().map(|row| row.found.held_minor);
        *paid_periods_minor.entry("eur".to_owned()).or_default() += swept.sum::<i64>();
        let mut paid = paid_orders_minor.clone();
        for (currency, minor) in &paid_periods_minor {
            *paid.entry(currency.clone()).or_default() += minor;
        }
        let orders = || rows.payments.iter().map(|row| &row.found);
        let stock_sold = orders()
            .filter(|order| order.order_status == "paid")
            .map(|_| 1)
            .sum();
        let stock_before = orders().map(|order| order.stock.before).sum();
        let stock_on_hand = orders().map(|order| order.stock.on_hand).sum();
        Ok(Self {
            money_balances: held_at_gateway_minor == paid,
            held_at_gateway_minor,
            paid_orders_minor,
            paid_periods_minor,
            stock_before,
            stock_on_hand,
            stock_reserved: orders().map(|order| order.stock.reserved).sum(),
            stock_sold,
            stock_balances: stock_on_hand + stock_sold == stock_before,
        })
    }

    fn text(&self) -> String {
        let list = |sums: &BTreeMap<String, i64>| {
            let sums: Vec<_> = sums
                .iter()
                .map(|(currency, minor)| money(*minor, currency))
                .collect();
            sums.join(", ")
        };
        format!(
            "Money held at the gateway: {}\nOrders marked paid:        {}\nSubscription periods paid: {}\n\
             Stock: {} before = {} on hand ({} reserved) + {} sold",
            list(&self.held_at_gateway_minor),
            list(&self.paid_orders_minor),
            list(&self.paid_periods_minor),
            self.stock_before,
            self.stock_on_hand,
            self.stock_reserved,
            self.stock_sold,
        )
    }
}

/// An amount for a person.
pub(crate) fn money(minor: i64, currency: &str) -> String {
    match (minor, Currency::parse(currency)) {
        (0, _) => "-".to_owned(),
        (_, Ok(currency)) => Money::from_minor(minor, currency).to_string(),
        (_, Err(_)) => minor.to_string(),
    }
}
