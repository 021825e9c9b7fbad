//! The figures of a sales report.
//!
//! A sale counts when its money was taken, and a refund when it went back, as the charge ledger has
//! it. So each charge is in exactly one period, and the figures are those of the gateway's own books.

use partner_core::money::{Amount, Currency};
use serde::{Deserialize, Serialize};

use super::{Compared, StatusCount};

/// What was sold, refused and given back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SalesMetrics {
    /// Of each currency in which money moved, in alphabetical order.
    pub currencies: Vec<CurrencySales>,
    /// Orders that were placed in the period, by what they are now; a status without any is absent.
    pub orders_by_status: Vec<StatusCount>,
    /// Charges that the gateway refused, of orders and subscriptions.
    pub declines: Compared<u64>,
    /// Why, the most frequent first; at most [`SalesMetrics::MAX_REASONS`] of them.
    pub decline_reasons: Vec<DeclineReason>,
    /// What sold best, by currency and then by revenue; at most [`SalesMetrics::MAX_ARTICLES`] of each
    /// currency.
    pub top_articles: Vec<ArticleSales>,
}

impl SalesMetrics {
    /// How many reasons for declines are told apart.
    pub const MAX_REASONS: usize = 20;

    /// How many articles of a currency are told.
    pub const MAX_ARTICLES: u32 = 10;
}

/// What was sold in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrencySales {
    /// The currency of every amount beside it.
    pub currency: Currency,
    /// What was taken for orders, before refunds.
    pub revenue: Compared<Amount>,
    /// How many payments for orders were taken.
    pub paid_orders: Compared<u64>,
    /// The mean of what was taken for an order, rounded to minor units; none without orders.
    pub average_order: Compared<Option<Amount>>,
    /// What was taken for periods of subscriptions, before refunds.
    pub subscription_revenue: Compared<Amount>,
    /// How many payments for periods of subscriptions were taken.
    pub subscription_payments: Compared<u64>,
    /// How many payments of either kind went back.
    pub refunds: Compared<u64>,
    /// What went back.
    pub refunded_amount: Compared<Amount>,
}

impl CurrencySales {
    /// What was taken for orders and subscriptions, less what went back. None if the amounts are too
    /// large to be added, as only amounts that were never in the database can be.
    pub fn net(&self) -> Compared<Option<Amount>> {
        let net = |revenue: Amount, subscriptions: Amount, refunded: Amount| {
            revenue
                .value()
                .checked_add(subscriptions.value())?
                .checked_sub(refunded.value())
                .map(Amount::new)
        };
        Compared {
            current: net(
                self.revenue.current,
                self.subscription_revenue.current,
                self.refunded_amount.current,
            ),
            previous: net(
                self.revenue.previous,
                self.subscription_revenue.previous,
                self.refunded_amount.previous,
            ),
        }
    }
}

/// How often the gateway refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclineReason {
    /// The gateway's code.
    pub code: String,
    /// How often.
    pub count: Compared<u64>,
}

/// What was sold of one article in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleSales {
    /// The article.
    pub sku: String,
    /// The currency of the revenue.
    pub currency: Currency,
    /// How many were sold.
    pub quantity: Compared<u64>,
    /// For how much.
    pub revenue: Compared<Amount>,
}
