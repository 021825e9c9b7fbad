//! The figures of a sales report.

use anyhow::{Context, Result};
use partner_analytics::metrics::{Compared, CurrencySales, SalesMetrics};
use partner_core::money::{Amount, Currency, Money};

use crate::support::{
    BEFORE_BEGINS, BEFORE_ENDS, BEGINS, Charge, ENDS, TOO_EARLY, TOO_LATE, World, period,
};

const NOON: &str = "2026-12-01T12:00:00Z";
const NOON_BEFORE: &str = "2026-11-30T12:00:00Z";

fn amounts(current: i64, previous: i64) -> Compared<Amount> {
    Compared::new(current, previous).map(|minor| Money::from_minor(minor, Currency::EUR).amount())
}

fn of(metrics: &SalesMetrics, currency: Currency) -> Result<&CurrencySales> {
    let mut currencies = metrics.currencies.iter();
    let found = currencies.find(|sales| sales.currency == currency);
    found.context("nothing in this currency")
}

#[tokio::test]
async fn a_sale_counts_in_the_window_in_which_its_money_was_taken() -> Result<()> {
    let world = World::start().await?;
    for (index, (amount, time)) in [
        (1, TOO_EARLY),
        (10, BEFORE_BEGINS),
        (200, BEFORE_ENDS),
        (3_000, BEGINS),
        (40_001, ENDS),
        (500_000, TOO_LATE),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("order-{index}");
        world
            .charge(Charge::taken(&order, amount, "EUR", time))
            .await?;
    }
    let metrics = world.sales().await?;
    assert_eq!(metrics.currencies.len(), 1);
    let euro = of(&metrics, Currency::EUR)?;
    assert_eq!(euro.revenue, amounts(43_001, 210));
    assert_eq!(euro.paid_orders, Compared::new(2, 2));
    // 430.01 / 2 is 215.005, and a half goes up.
    assert_eq!(euro.average_order, amounts(21_501, 105).map(Some));
    assert_eq!(euro.refunds, Compared::new(0, 0));
    assert_eq!(euro.net(), amounts(43_001, 210).map(Some));
    Ok(())
}

#[tokio::test]
async fn currencies_and_subscriptions_stay_apart() -> Result<()> {
    let world = World::start().await?;
    for charge in [
        Charge::taken("a", 100, "EUR", NOON),
        Charge::taken("b", 2_000, "USD", NOON),
        Charge::taken("c", 30_000, "INR", NOON_BEFORE),
        Charge::taken("", 400_000, "EUR", NOON).of_subscription("s-1"),
        Charge::taken("", 5_000_000, "USD", NOON_BEFORE).of_subscription("s-2"),
    ] {
        world.charge(charge).await?;
    }
    let metrics = world.sales().await?;
    let codes: Vec<_> = metrics
        .currencies
        .iter()
        .map(|sales| sales.currency.as_str())
        .collect();
    assert_eq!(codes, ["EUR", "INR", "USD"]);
    let euro = of(&metrics, Currency::EUR)?;
    assert_eq!(euro.revenue, amounts(100, 0));
    assert_eq!(euro.average_order.previous, None);
    assert_eq!(euro.subscription_revenue, amounts(400_000, 0));
    assert_eq!(euro.subscription_payments, Compared::new(1, 0));
    let rupee = of(&metrics, Currency::INR)?;
    assert_eq!(rupee.revenue, amounts(0, 30_000));
    assert_eq!(rupee.paid_orders, Compared::new(0, 1));
    let dollar = of(&metrics, Currency::USD)?;
    assert_eq!(dollar.revenue, amounts(2_000, 0));
    assert_eq!(dollar.subscription_revenue, amounts(0, 5_000_000));
    Ok(())
}

#[tokio::test]
async fn a_refund_counts_when_it_was_made_and_leaves_the_sale_where_it_was() -> Result<()> {
    let world = World::start().await?;
    for charge in [
        // Sold the day before, given back today.
        Charge::taken("a", 1_000, "EUR", NOON_BEFORE).refunded(BEGINS),
        // Sold long ago, given back at the last moment of the day before.
        Charge::taken("b", 70, "EUR", "2026-01-01T00:00:00Z").refunded(BEFORE_ENDS),
        // Paid for, undone, and paid for again: the gateway has all three on its books.
        Charge::taken("c", 500, "EUR", NOON).refunded(NOON),
        Charge::taken("c", 500, "EUR", ENDS),
        // Given back too late.
        Charge::taken("d", 9, "EUR", ENDS).refunded(TOO_LATE),
        // Of a subscription that had ended.
        Charge::taken("", 8, "EUR", NOON)
            .of_subscription("s")
            .refunded(NOON),
    ] {
        world.charge(charge).await?;
    }
    world
        .run("INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash, user_id, amount_minor,
                                   currency, payment_method, state, gateway_id, concluded_at)
              VALUES ('order', 'e', 'payment/1', '', 'ana', 6, 'EUR', 'card', 'refunding', 'pi_e', '2026-12-01 12:00Z')")
        .await?;
    let metrics = world.sales().await?;
    let euro = of(&metrics, Currency::EUR)?;
    // c twice, d, and e, whose money has not gone back yet.
    assert_eq!(euro.revenue, amounts(500 + 500 + 9 + 6, 1_000));
    assert_eq!(euro.paid_orders, Compared::new(4, 1));
    assert_eq!(euro.refunds, Compared::new(3, 1));
    assert_eq!(euro.refunded_amount, amounts(1_000 + 500 + 8, 70));
    assert_eq!(euro.net(), amounts(1_015 + 8 - 1_508, 930).map(Some));
    Ok(())
}

#[tokio::test]
async fn what_is_undecided_is_no_figure() -> Result<()> {
    let world = World::start().await?;
    for (order, state) in [("a", "created"), ("b", "submitted"), ("c", "abandoned")] {
        let charge = Charge::taken(order, 100, "EUR", NOON).undecided(state);
        world.charge(charge).await?;
    }
    assert_eq!(world.sales().await?, SalesMetrics::default());
    Ok(())
}

#[tokio::test]
async fn declines_are_counted_by_reason_and_in_all() -> Result<()> {
    let world = World::start().await?;
    // 22 reasons, of which the first is given most often.
    let codes: Vec<_> = (0..22).map(|index| format!("code_{index:02}")).collect();
    for code in &codes {
        let declined = Charge::taken("a", 5, "EUR", NOON).declined(Some(code));
        world.charge(declined).await?;
    }
    for charge in [
        Charge::taken("a", 5, "USD", ENDS).declined(Some("code_21")),
        Charge::taken("", 5, "INR", BEFORE_ENDS)
            .of_subscription("s")
            .declined(Some("code_21")),
        Charge::taken("b", 5, "EUR", BEGINS).declined(None),
        Charge::taken("c", 5, "EUR", NOON).declined(None),
        Charge::taken("d", 5, "EUR", TOO_LATE).declined(None),
    ] {
        world.charge(charge).await?;
    }
    let metrics = world.sales().await?;
    assert_eq!(metrics.declines, Compared::new(25, 1));
    assert_eq!(metrics.currencies, []);
    assert_eq!(metrics.decline_reasons.len(), SalesMetrics::MAX_REASONS);
    let first: Vec<_> = metrics
        .decline_reasons
        .iter()
        .map(|reason| (reason.code.as_str(), reason.count))
        .take(3)
        .collect();
    assert_eq!(
        first,
        [
            ("code_21", Compared::new(2, 1)),
            ("unknown", Compared::new(2, 0)),
            ("code_00", Compared::new(1, 0)),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn orders_count_by_when_they_were_placed_and_what_they_are() -> Result<()> {
    let world = World::start().await?;
    for (id, status, time) in [
        ("a", "paid", TOO_EARLY),
        ("b", "paid", BEFORE_BEGINS),
        ("c", "paid", BEGINS),
        ("d", "paid", ENDS),
        ("e", "pending", BEFORE_ENDS),
        ("f", "refunded", NOON),
        ("g", "paid", TOO_LATE),
    ] {
        world.order(id, status, time).await?;
    }
    let metrics = world.sales().await?;
    let statuses: Vec<_> = metrics
        .orders_by_status
        .iter()
        .map(|row| (row.status.as_str(), row.count))
        .collect();
    assert_eq!(
        statuses,
        [
            ("paid", Compared::new(2, 1)),
            ("pending", Compared::new(0, 1)),
            ("refunded", Compared::new(1, 0)),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn the_ten_articles_with_the_most_revenue_of_each_currency_are_told() -> Result<()> {
    let world = World::start().await?;
    for index in 0..12_i32 {
        let (order, sku) = (format!("order-{index}"), format!("flat-{index:02}"));
        // The last two cost the same: flat-10 comes before flat-11.
        let price = i64::from(1_000 * index.min(10));
        world.item(&order, &sku, 2, price).await?;
        world.charge(Charge::taken(&order, 5, "EUR", NOON)).await?;
    }
    for (order, currency, time) in [
        ("before", "EUR", NOON_BEFORE),
        ("dollar", "USD", ENDS),
        ("late", "EUR", TOO_LATE),
    ] {
        world.item(order, "flat-11", 3, 700).await?;
        world.item(order, "only-before", 1, 999_999_999).await?;
        world
            .charge(Charge::taken(order, 5, currency, time))
            .await?;
    }
    world.item("unpaid", "flat-00", 1, 1_000_000).await?;
    let declined = Charge::taken("unpaid", 5, "EUR", NOON).declined(None);
    world.charge(declined).await?;

    let metrics = world.sales().await?;
    let articles: Vec<_> = metrics
        .top_articles
        .iter()
        .map(|article| (article.currency.as_str(), article.sku.as_str()))
        .collect();
    let euros = [
        "flat-10", "flat-11", "flat-09", "flat-08", "flat-07", "flat-06", "flat-05", "flat-04",
        "flat-03", "flat-02",
    ];
    let dollars = ["only-before", "flat-11"];
    let expected: Vec<_> = euros
        .map(|sku| ("EUR", sku))
        .into_iter()
        .chain(dollars.map(|sku| ("USD", sku)))
        .collect();
    assert_eq!(articles, expected);
    let second = &metrics.top_articles[1];
    assert_eq!(second.quantity, Compared::new(2, 3));
    assert_eq!(second.revenue, amounts(20_000, 2_100));
    Ok(())
}

#[tokio::test]
async fn without_rows_there_are_no_figures() -> Result<()> {
    let world = World::start().await?;
    let document = world.metrics.sales(period()?).await?;
    assert_eq!(document.period, period()?);
    assert_eq!(world.sales().await?, SalesMetrics::default());
    Ok(())
}
