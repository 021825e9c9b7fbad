//! The queries of a sales report: three passes, one each over charges, orders and what was ordered.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use partner_core::money::{Amount, Currency, Money};
use rust_decimal::{Decimal, RoundingStrategy};
use sqlx::PgConnection;

use super::count;
use crate::error::AnalyticsError;
use crate::metrics::{
    ArticleSales, Compared, CurrencySales, DeclineReason, SalesMetrics, StatusCount,
};
use crate::model::Period;

/// What a decline without a code is counted under.
const NO_CODE: &str = "unknown";

pub(super) async fn gather(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<SalesMetrics, AnalyticsError> {
    let ledger = ledger(snapshot, period).await?;
    let reasons = decline_reasons(&ledger);
    let declines = Compared {
        current: reasons.iter().map(|reason| reason.count.current).sum(),
        previous: reasons.iter().map(|reason| reason.count.previous).sum(),
    };
    Ok(SalesMetrics {
        currencies: currencies(&ledger)?,
        orders_by_status: orders_by_status(snapshot, period).await?,
        declines,
        decline_reasons: reasons
            .into_iter()
            .take(SalesMetrics::MAX_REASONS)
            .collect(),
        top_articles: top_articles(snapshot, period).await?,
    })
}

/// The charges of one currency that were declined for one reason, or that were not declined.
struct LedgerRow {
    currency: String,
    decline_code: Option<String>,
    declines: i64,
    declines_before: i64,
    orders: i64,
    orders_before: i64,
    revenue: i64,
    revenue_before: i64,
    subscriptions: i64,
    subscriptions_before: i64,
    subscription_revenue: i64,
    subscription_revenue_before: i64,
    refunds: i64,
    refunds_before: i64,
    refunded: i64,
    refunded_before: i64,
}

/// One pass over the charge ledger.
///
/// `concluded_at` and `refunded_at` say when money moved, and never change. `orders` cannot say it:
/// its `updated_at` moves with every later status, so that an order would be paid once more when it
/// is completed, and an order that was paid twice has one row.
async fn ledger(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Vec<LedgerRow>, AnalyticsError> {
    let rows = sqlx::query_as!(
        LedgerRow,
        r#"SELECT currency,
                  decline_code,
                  count(*) FILTER (WHERE declined AND now)                            AS "declines!",
                  count(*) FILTER (WHERE declined AND before)                         AS "declines_before!",
                  count(*) FILTER (WHERE taken AND of_order AND now)                  AS "orders!",
                  count(*) FILTER (WHERE taken AND of_order AND before)               AS "orders_before!",
                  COALESCE(sum(amount_minor)
                      FILTER (WHERE taken AND of_order AND now), 0)::bigint           AS "revenue!",
                  COALESCE(sum(amount_minor)
                      FILTER (WHERE taken AND of_order AND before), 0)::bigint        AS "revenue_before!",
                  count(*) FILTER (WHERE taken AND NOT of_order AND now)              AS "subscriptions!",
                  count(*) FILTER (WHERE taken AND NOT of_order AND before)           AS "subscriptions_before!",
                  COALESCE(sum(amount_minor)
                      FILTER (WHERE taken AND NOT of_order AND now), 0)::bigint       AS "subscription_revenue!",
                  COALESCE(sum(amount_minor)
                      FILTER (WHERE taken AND NOT of_order AND before), 0)::bigint    AS "subscription_revenue_before!",
                  count(*) FILTER (WHERE refunded_now)                                AS "refunds!",
                  count(*) FILTER (WHERE refunded_before)                             AS "refunds_before!",
                  COALESCE(sum(amount_minor) FILTER (WHERE refunded_now), 0)::bigint    AS "refunded!",
                  COALESCE(sum(amount_minor) FILTER (WHERE refunded_before), 0)::bigint AS "refunded_before!"
           FROM (SELECT currency,
                        amount_minor,
                        CASE WHEN state = 'declined' THEN COALESCE(decline_code, $4) END AS decline_code,
                        state = 'declined'                            AS declined,
                        state <> 'declined'                           AS taken,
                        subject_kind = 'order'                        AS of_order,
                        concluded_at >= $2 AND concluded_at < $3      AS now,
                        concluded_at >= $1 AND concluded_at < $2      AS before,
                        refunded_at >= $2 AND refunded_at < $3        AS refunded_now,
                        refunded_at >= $1 AND refunded_at < $2        AS refunded_before
                 FROM charges
                 WHERE concluded_at >= $1 AND concluded_at < $3
                    OR refunded_at >= $1 AND refunded_at < $3) AS charge
           GROUP BY currency, decline_code"#,
        period.window_before().from,
        period.window().from,
        period.window().to,
        NO_CODE
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows)
}

/// The rows of charges that were not declined, one a currency.
fn currencies(ledger: &[LedgerRow]) -> Result<Vec<CurrencySales>, AnalyticsError> {
    let mut currencies = ledger
        .iter()
        .filter(|row| row.decline_code.is_none())
        .map(currency_sales)
        .collect::<Result<Vec<_>, _>>()?;
    currencies.sort_by_key(|sales| sales.currency.as_str());
    Ok(currencies)
}

fn currency_sales(row: &LedgerRow) -> Result<CurrencySales, AnalyticsError> {
    let currency = known_currency(&row.currency)?;
    let amount = |minor| Money::from_minor(minor, currency).amount();
    let orders = Compared::new(row.orders, row.orders_before).map(count);
    let revenue = Compared::new(row.revenue, row.revenue_before).map(amount);
    Ok(CurrencySales {
        currency,
        revenue,
        paid_orders: orders,
        average_order: Compared {
            current: average(revenue.current, orders.current, currency),
            previous: average(revenue.previous, orders.previous, currency),
        },
        subscription_revenue: Compared {
            current: amount(row.subscription_revenue),
            previous: amount(row.subscription_revenue_before),
        },
        subscription_payments: Compared::new(row.subscriptions, row.subscriptions_before)
            .map(count),
        refunds: Compared::new(row.refunds, row.refunds_before).map(count),
        refunded_amount: Compared::new(row.refunded, row.refunded_before).map(amount),
    })
}

/// The mean in minor units; a half is rounded up.
fn average(total: Amount, count: u64, currency: Currency) -> Option<Amount> {
    let mean = total.value().checked_div(Decimal::from(count))?;
    let strategy = RoundingStrategy::MidpointAwayFromZero;
    let mut mean = mean.round_dp_with_strategy(currency.decimals(), strategy);
    mean.rescale(currency.decimals());
    Some(Amount::new(mean))
}

/// The declines of all currencies by their reason, the most frequent first.
fn decline_reasons(ledger: &[LedgerRow]) -> Vec<DeclineReason> {
    let mut counts = BTreeMap::<&str, Compared<u64>>::new();
    for row in ledger {
        if let Some(code) = &row.decline_code {
            let of_code = counts.entry(code).or_default();
            of_code.current += count(row.declines);
            of_code.previous += count(row.declines_before);
        }
    }
    let mut reasons: Vec<_> = counts
        .into_iter()
        .map(|(code, count)| DeclineReason {
            code: code.to_owned(),
            count,
        })
        .collect();
    // The sort is stable: what is equally frequent stays in alphabetical order.
    reasons.sort_by_key(|reason| Reverse((reason.count.current, reason.count.previous)));
    reasons
}

async fn orders_by_status(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Vec<StatusCount>, AnalyticsError> {
    let rows = sqlx::query!(
        r#"SELECT status,
                  count(*) FILTER (WHERE created_at >= $2) AS "current!",
                  count(*) FILTER (WHERE created_at < $2)  AS "previous!"
           FROM orders
           WHERE created_at >= $1 AND created_at < $3
           GROUP BY status
           ORDER BY count(*) DESC, status"#,
        period.window_before().from,
        period.window().from,
        period.window().to
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StatusCount {
            status: row.status,
            count: Compared::new(row.current, row.previous).map(count),
        })
        .collect())
}

/// What the orders that were paid in the period were made of, at the prices that they were ordered at.
async fn top_articles(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Vec<ArticleSales>, AnalyticsError> {
    let rows = sqlx::query!(
        r#"WITH sold AS (
               SELECT currency,
                      sku,
                      COALESCE(sum(quantity) FILTER (WHERE now), 0)::bigint     AS quantity,
                      COALESCE(sum(quantity) FILTER (WHERE NOT now), 0)::bigint AS quantity_before,
                      COALESCE(sum(quantity * unit_price_minor::numeric)
                          FILTER (WHERE now), 0)::bigint                        AS revenue,
                      COALESCE(sum(quantity * unit_price_minor::numeric)
                          FILTER (WHERE NOT now), 0)::bigint                    AS revenue_before
               FROM (SELECT currency, subject_id, concluded_at >= $2 AS now
                     FROM charges
                     WHERE subject_kind = 'order'
                       AND state <> 'declined'
                       AND concluded_at >= $1 AND concluded_at < $3) AS charge
               JOIN order_items ON order_id = subject_id
               GROUP BY currency, sku
           ),
           ranked AS (
               SELECT *, row_number() OVER (PARTITION BY currency
                                            ORDER BY revenue DESC, quantity DESC, sku COLLATE "C") AS place
               FROM sold
               WHERE quantity > 0
           )
           SELECT currency,
                  sku,
                  quantity        AS "quantity!",
                  quantity_before AS "quantity_before!",
                  revenue         AS "revenue!",
                  revenue_before  AS "revenue_before!"
           FROM ranked
           WHERE place <= $4
           ORDER BY currency, place"#,
        period.window_before().from,
        period.window().from,
        period.window().to,
        i64::from(SalesMetrics::MAX_ARTICLES)
    )
    .fetch_all(snapshot)
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency = known_currency(&row.currency)?;
            let amount = |minor| Money::from_minor(minor, currency).amount();
            Ok(ArticleSales {
                sku: row.sku,
                currency,
                quantity: Compared::new(row.quantity, row.quantity_before).map(count),
                revenue: Compared::new(row.revenue, row.revenue_before).map(amount),
            })
        })
        .collect()
}

/// Reads a currency that the database's CHECK already guards.
fn known_currency(code: &str) -> Result<Currency, AnalyticsError> {
    Currency::parse(code).map_err(|error| AnalyticsError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_the_decimals_of_its_currency() {
        for (minor, orders, expected) in [
            (1_000, 2, Some("5.00")),
            (100, 3, Some("0.33")),
            (200, 3, Some("0.67")),
            (5, 2, Some("0.03")),
            (0, 1, Some("0.00")),
            (i64::MAX, 1, Some("92233720368547758.07")),
            (100, 0, None),
        ] {
            let total = Money::from_minor(minor, Currency::EUR).amount();
            let mean = average(total, orders, Currency::EUR).map(|mean| mean.to_string());
            assert_eq!(mean.as_deref(), expected, "{minor} / {orders}");
        }
    }
}
