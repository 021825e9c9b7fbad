//! What the demo prints.

use std::collections::BTreeMap;

use partner_core::money::{Currency, Money};
use serde::Serialize;

use super::drive::{Row, Stage};
use crate::output;

/// Everything that happened, and whether it was what must happen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) ok: bool,
    rows: Vec<Row>,
    sums: Sums,
}

/// Money and stock, counted over everything.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sums {
    /// What the gateway holds, in minor units by currency.
    held_at_gateway_minor: BTreeMap<String, i64>,
    /// What the orders marked paid cost.
    paid_orders_minor: BTreeMap<String, i64>,
    money_balances: bool,
    /// What was in stock before.
    stock_before: i32,
    /// What is there now, reserved for orders, and gone with paid orders.
    stock_on_hand: i32,
    stock_reserved: i32,
    stock_sold: i32,
    stock_balances: bool,
}

impl Report {
    /// Counts everything from outside: the gateway's books, the shop's tables.
    pub(crate) async fn new(stage: &Stage<'_>, rows: Vec<Row>) -> anyhow::Result<Self> {
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
        let sold = rows
            .iter()
            .filter(|row| row.order_status == "paid")
            .map(|_| 1)
            .sum();
        let stock_before = rows.iter().map(|row| row.stock.before).sum();
        let stock_on_hand = rows.iter().map(|row| row.stock.on_hand).sum();
        let sums = Sums {
            money_balances: held_at_gateway_minor == paid_orders_minor,
            held_at_gateway_minor,
            paid_orders_minor,
            stock_before,
            stock_on_hand,
            stock_reserved: rows.iter().map(|row| row.stock.reserved).sum(),
            stock_sold: sold,
            stock_balances: stock_on_hand + sold == stock_before,
        };
        let ok = rows.iter().all(|row| row.problems.is_empty())
            && sums.money_balances
            && sums.stock_balances;
        Ok(Self { ok, rows, sums })
    }

    /// The report for a person.
    pub(crate) fn text(&self) -> String {
        let header = [
            "", "ORDER", "OUTCOME", "ORDER IS", "CHARGED", "REFUNDED", "STOCK", "MAIL", "MS",
            "EVENTS",
        ];
        let rows = self.rows.iter().map(|row| {
            [
                if row.problems.is_empty() { "ok" } else { "!!" }.to_owned(),
                row.name.to_owned(),
                row.outcome.clone(),
                row.order_status.clone(),
                money(row.charged_minor, row.currency),
                money(row.refunded_minor, row.currency),
                format!("{} -> {}", row.stock.before, row.stock.on_hand),
                mail(&row.mails),
                row.milliseconds.to_string(),
                row.events.to_string(),
            ]
        });
        let mut text = output::table(header, rows);
        text.push_str("\n\n");
        text.push_str(&self.sums.text());
        for row in &self.rows {
            for problem in &row.problems {
                text.extend(["\n!! ", row.name, ": ", problem]);
            }
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
    fn text(&self) -> String {
        let list = |sums: &BTreeMap<String, i64>| {
            let sums: Vec<_> = sums
                .iter()
                .map(|(currency, minor)| money(*minor, currency))
                .collect();
            sums.join(", ")
        };
        format!(
            "Money held at the gateway: {}\nOrders marked paid:        {}\nStock: {} before = {} on hand ({} reserved) + {} sold",
            list(&self.held_at_gateway_minor),
            list(&self.paid_orders_minor),
            self.stock_before,
            self.stock_on_hand,
            self.stock_reserved,
            self.stock_sold,
        )
    }
}

fn money(minor: i64, currency: &str) -> String {
    match (minor, Currency::parse(currency)) {
        (0, _) => "-".to_owned(),
        (_, Ok(currency)) => Money::from_minor(minor, currency).to_string(),
        (_, Err(_)) => minor.to_string(),
    }
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
