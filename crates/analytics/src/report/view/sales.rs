//! What a sales report shows.

use super::{Bar, Chart, KeyFigure, Panel, Row, Section, Table, View, chart_of, measures};
use crate::metrics::{Compared, CurrencySales, SalesMetrics};
use crate::report::figure::{Better, Figure, Value};
use crate::report::words;

const NOTES: &[&str] = &[
    "A sale counts when its money was taken, and a refund when the money went back. Revenue is what \
     was taken for orders before refunds; net is revenue and subscriptions less refunds.",
    "Amounts of different currencies are never added up. Orders by status are those that were placed \
     in the period, by what they are now; articles are those of the orders that were paid in it.",
];

pub(super) fn view(metrics: &SalesMetrics) -> View {
    let statuses = orders_by_status(metrics);
    View {
        title: "Sales report",
        key_figures: key_figures(metrics),
        sections: vec![
            Section::new(
                money_chart(&metrics.currencies),
                by_currency(&metrics.currencies),
            ),
            Section::new(chart_of(&statuses, None), statuses),
            Section::of_table(top_articles(metrics)),
            Section::of_table(declines(metrics)),
        ],
        notes: NOTES,
    }
}

fn key_figures(metrics: &SalesMetrics) -> Vec<KeyFigure> {
    let net = metrics.currencies.iter().map(|sales| KeyFigure {
        currency: Some(sales.currency),
        ..KeyFigure::new("net_revenue", "Net revenue", net(sales))
    });
    let sum = |of: fn(&CurrencySales) -> Compared<u64>| Compared {
        current: total(metrics, |sales| of(sales).current),
        previous: total(metrics, |sales| of(sales).previous),
    };
    let counts = [
        KeyFigure::new(
            "paid_orders",
            "Paid orders",
            Figure::count(sum(|sales| sales.paid_orders), Better::Higher),
        ),
        KeyFigure::new(
            "refunds",
            "Refunds",
            Figure::count(sum(|sales| sales.refunds), Better::Lower),
        ),
        KeyFigure::new(
            "declined_charges",
            "Declined charges",
            Figure::count(metrics.declines, Better::Lower),
        ),
    ];
    net.chain(counts).collect()
}

/// Counts may be added up over currencies.
fn total(metrics: &SalesMetrics, count: impl Fn(&CurrencySales) -> u64) -> u64 {
    metrics
        .currencies
        .iter()
        .map(count)
        .fold(0, u64::saturating_add)
}

fn net(sales: &CurrencySales) -> Figure {
    let net = sales.net().map(|net| Value::money(net, sales.currency));
    Figure::compared(net, Better::Higher)
}

fn revenue(sales: &CurrencySales) -> Figure {
    let revenue = sales
        .revenue
        .map(|amount| Value::money(Some(amount), sales.currency));
    Figure::compared(revenue, Better::Higher)
}

fn subscription_revenue(sales: &CurrencySales) -> Figure {
    let revenue = sales
        .subscription_revenue
        .map(|amount| Value::money(Some(amount), sales.currency));
    Figure::compared(revenue, Better::Higher)
}

fn refunded_amount(sales: &CurrencySales) -> Figure {
    let refunded = sales
        .refunded_amount
        .map(|amount| Value::money(Some(amount), sales.currency));
    Figure::compared(refunded, Better::Lower)
}

fn money_chart(currencies: &[CurrencySales]) -> Chart {
    let bar = |label: &str, figure| Bar {
        label: label.to_owned(),
        figure,
    };
    Chart {
        note: (currencies.len() > 1).then_some("Each currency has a scale of its own."),
        panels: currencies
            .iter()
            .map(|sales| Panel {
                title: sales.currency.to_string(),
                bars: vec![
                    bar("Orders", revenue(sales)),
                    bar("Subscriptions", subscription_revenue(sales)),
                    bar("Refunds", refunded_amount(sales)),
                ],
            })
            .collect(),
    }
}

fn by_currency(currencies: &[CurrencySales]) -> Table {
    Table {
        id: "currencies",
        title: "Sales by currency",
        heading: "Currency",
        currency_column: false,
        measures: measures(&[
            ("revenue", "Revenue"),
            ("paid_orders", "Paid orders"),
            ("average_order", "Average order"),
            ("subscription_revenue", "Subscription revenue"),
            ("subscription_payments", "Subscription payments"),
            ("refunds", "Refunds"),
            ("refunded_amount", "Refunded"),
            ("net_revenue", "Net revenue"),
        ]),
        rows: currencies.iter().map(currency_row).collect(),
        empty: "No payments in this period.",
    }
}

fn currency_row(sales: &CurrencySales) -> Row {
    let average = sales
        .average_order
        .map(|amount| Value::money(amount, sales.currency));
    let figures = vec![
        revenue(sales),
        Figure::count(sales.paid_orders, Better::Higher),
        Figure::compared(average, Better::Higher),
        subscription_revenue(sales),
        Figure::count(sales.subscription_payments, Better::Higher),
        Figure::count(sales.refunds, Better::Lower),
        refunded_amount(sales),
        net(sales),
    ];
    Row::named(sales.currency.as_str(), figures).in_currency(sales.currency)
}

fn orders_by_status(metrics: &SalesMetrics) -> Table {
    Table {
        id: "orders_by_status",
        title: "Orders by status",
        heading: "Status",
        currency_column: false,
        measures: measures(&[("orders", "Orders")]),
        rows: metrics
            .orders_by_status
            .iter()
            .map(|row| {
                let better = match row.status.as_str() {
                    "payment_failed" | "refunded" => Better::Lower,
                    "paid" | "completed" => Better::Higher,
                    _ => Better::Neither,
                };
                Row::named(&row.status, vec![Figure::count(row.count, better)])
                    .labelled(words::status(&row.status))
            })
            .collect(),
        empty: "No orders in this period.",
    }
}

fn top_articles(metrics: &SalesMetrics) -> Table {
    Table {
        id: "top_articles",
        title: "Top articles",
        heading: "Article",
        currency_column: true,
        measures: measures(&[("quantity", "Quantity"), ("revenue", "Revenue")]),
        rows: metrics
            .top_articles
            .iter()
            .map(|article| {
                let revenue = article
                    .revenue
                    .map(|amount| Value::money(Some(amount), article.currency));
                let figures = vec![
                    Figure::count(article.quantity, Better::Higher),
                    Figure::compared(revenue, Better::Higher),
                ];
                Row::named(&article.sku, figures).in_currency(article.currency)
            })
            .collect(),
        empty: "No articles sold in this period.",
    }
}

fn declines(metrics: &SalesMetrics) -> Table {
    let mut rows: Vec<_> = metrics
        .decline_reasons
        .iter()
        .map(|reason| {
            Row::named(
                &reason.code,
                vec![Figure::count(reason.count, Better::Lower)],
            )
        })
        .collect();
    rows.extend(other_reasons(metrics));
    Table {
        id: "declined_charges",
        title: "Declined charges",
        heading: "Reason",
        currency_column: false,
        measures: measures(&[("charges", "Charges")]),
        rows,
        empty: "No declined charges in this period.",
    }
}

/// The declines for reasons that are not told apart, so that the rows add up to the total.
fn other_reasons(metrics: &SalesMetrics) -> Option<Row> {
    let told = |of: fn(Compared<u64>) -> u64| {
        let counts = metrics
            .decline_reasons
            .iter()
            .map(|reason| of(reason.count));
        of(metrics.declines).saturating_sub(counts.fold(0, u64::saturating_add))
    };
    let rest = Compared {
        current: told(|count| count.current),
        previous: told(|count| count.previous),
    };
    (rest != Compared::default())
        .then(|| Row::named("other", vec![Figure::count(rest, Better::Lower)]).labelled("Other"))
}
