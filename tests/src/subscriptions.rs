//! Subscriptions to bill, and what came of it.

use anyhow::Result;
use chrono::{DateTime, Utc};
use partner_local::shop::NewSubscription;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::users::Person;

/// What every period costs, in minor units.
pub const PRICE: i64 = 999;

/// A subscription and its user.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Who pays.
    pub user: Person,
}

impl Subscription {
    /// The workflow's input.
    pub fn input(&self) -> Value {
        json!({
            "subscriptionId": self.id,
            "userId": self.user.id,
            "amount": 9.99,
            "currency": "EUR",
            "billingPeriod": "monthly",
        })
    }

    /// An id of a run: the contract's, with something in the period's place.
    pub fn run(&self, name: &str) -> String {
        format!("subscription-payment-{}-{name}", self.id)
    }
}

impl Stage {
    /// A monthly subscription whose first period, 31 January 2026, is not paid, nor any after it.
    pub async fn subscription(&self) -> Result<Subscription> {
        let anchor = DateTime::from_timestamp_nanos(1_769_850_000_000_000_000);
        self.subscription_from(anchor, Some(anchor)).await
    }

    /// A monthly subscription whose periods are counted from the anchor, paid up to a date.
    pub async fn subscription_from(
        &self,
        anchor: DateTime<Utc>,
        next_payment_date: Option<DateTime<Utc>>,
    ) -> Result<Subscription> {
        let subscription = Subscription {
            id: self.unique("subscription"),
            user: self.person().await?,
        };
        self.shop
            .add_subscription(&NewSubscription {
                id: &subscription.id,
                user_id: &subscription.user.id,
                plan: "Pro",
                amount_minor: PRICE,
                currency: "EUR",
                billing_period: "monthly",
                payment_method: "card",
                stored_method: None,
                anchor_date: anchor,
                next_payment_date,
            })
            .await?;
        Ok(subscription)
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(self.shop.now().await?)
    }

    /// Gives a subscription another status, as another service would.
    pub async fn become_(&self, subscription: &Subscription, status: &str) -> Result<()> {
        sqlx::query("UPDATE subscriptions SET status = $2 WHERE id = $1")
            .bind(&subscription.id)
            .bind(status)
            .execute(self.shop.pool())
            .await?;
        Ok(())
    }

    /// The charges of a subscription: period, purpose and state, in their order.
    pub async fn charges(
        &self,
        subscription: &Subscription,
    ) -> Result<Vec<(String, String, String)>> {
        Ok(sqlx::query_as(
            "SELECT period, purpose, state FROM charges
             WHERE subject_kind = 'subscription' AND subject_id = $1 ORDER BY id",
        )
        .bind(&subscription.id)
        .fetch_all(self.shop.pool())
        .await?)
    }

    /// What the gateway holds of a subscription's charges, and how often the issuer approved one.
    pub fn held(&self, subscription: &Subscription) -> (i64, usize) {
        let payments = self.platform.gateway.payments_of(&subscription.id);
        let held = payments
            .iter()
            .map(|payment| payment.received - payment.refunded);
        let charges = payments.iter().map(|payment| payment.times_charged);
        (held.sum(), charges.sum())
    }
}
