//! Subscriptions: what users agreed to pay regularly, and what was charged for it.

use chrono::{DateTime, Utc};

use super::Shop;

/// A subscription to add.
#[derive(Debug, Clone, Copy)]
pub struct NewSubscription<'a> {
    /// Its id.
    pub id: &'a str,
    /// Who pays.
    pub user_id: &'a str,
    /// For what.
    pub plan: &'a str,
    /// How much each period costs, in minor units.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: &'a str,
    /// `weekly`, `monthly` or `yearly`.
    pub billing_period: &'a str,
    /// `card`, `upi` or `wallet`.
    pub payment_method: &'a str,
    /// The gateway's id of what the user pays with, if it is on file there.
    pub stored_method: Option<&'a str>,
    /// When the first period begins; all others are counted from it.
    pub anchor_date: DateTime<Utc>,
    /// When the oldest period begins that is not paid; without it, the first is.
    pub next_payment_date: Option<DateTime<Utc>>,
}

/// A subscription as the shop sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SubscriptionRow {
    /// How it stands.
    pub status: String,
    /// How often in a row it was not paid.
    pub failed_payment_count: i32,
    /// When the oldest period begins that is not paid.
    pub next_payment_date: Option<DateTime<Utc>>,
    /// When it was paid last.
    pub last_payment_date: Option<DateTime<Utc>>,
    /// When the next attempt is due after a decline.
    pub retry_at: Option<DateTime<Utc>>,
    /// Counts the changes of what the user pays with.
    pub payment_method_version: i32,
}

/// A charge as the shop sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ChargeRow {
    /// The first day of the subscription's period; empty for an order.
    pub period: String,
    /// Which attempt it is.
    pub purpose: String,
    /// How it stands.
    pub state: String,
    /// How much, in minor units.
    pub amount_minor: i64,
}

impl Shop {
    /// Adds an active subscription.
    pub async fn add_subscription(
        &self,
        subscription: &NewSubscription<'_>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO subscriptions (id, user_id, plan, amount_minor, currency, billing_period,
                                        payment_method, stored_method, anchor_date, next_payment_date)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(subscription.id)
        .bind(subscription.user_id)
        .bind(subscription.plan)
        .bind(subscription.amount_minor)
        .bind(subscription.currency)
        .bind(subscription.billing_period)
        .bind(subscription.payment_method)
        .bind(subscription.stored_method)
        .bind(subscription.anchor_date)
        .bind(subscription.next_payment_date)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Adds so many monthly subscriptions of a user, whose first period has long been due.
    pub async fn add_due_subscriptions(
        &self,
        user_id: &str,
        count: u32,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO subscriptions (id, user_id, plan, amount_minor, currency, billing_period,
                                        payment_method, anchor_date)
             SELECT $1 || '-' || number, $1, 'Pro', 999, 'EUR', 'monthly', 'card', '2001-01-01T00:00:00Z'
             FROM generate_series(1, $2) AS number",
        )
        .bind(user_id)
        .bind(i64::from(count))
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Lets a user pay for a subscription with something else that the gateway has on file.
    pub async fn set_stored_method(
        &self,
        id: &str,
        stored_method: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE subscriptions SET stored_method = $2 WHERE id = $1")
            .bind(id)
            .bind(stored_method)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// A subscription, as it stands.
    pub async fn subscription(&self, id: &str) -> Result<SubscriptionRow, sqlx::Error> {
        sqlx::query_as(
            "SELECT status, failed_payment_count, next_payment_date, last_payment_date, retry_at,
                    payment_method_version
             FROM subscriptions
             WHERE id = $1",
        )
        .bind(id)
        .fetch_one(&self.pool)
        .await
    }

    /// The charges of an order or a subscription, the oldest first.
    pub async fn charges_of(&self, subject_id: &str) -> Result<Vec<ChargeRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT period, purpose, state, amount_minor FROM charges WHERE subject_id = $1 ORDER BY id",
        )
        .bind(subject_id)
        .fetch_all(&self.pool)
        .await
    }
}
