//! Subscriptions, as far as the contract's two activities need them.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::error::PaymentError;
use crate::model::{SubscriptionStatus, known};

/// Reads and changes subscriptions.
#[derive(Debug, Clone)]
pub struct SubscriptionRepository {
    pool: PgPool,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// How it stands.
    pub status: SubscriptionStatus,
    /// How the user pays: `card`, `upi` or `wallet`.
    pub payment_method: String,
    /// Failed charges since the last that succeeded.
    pub failed_payment_count: i32,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionChanges {
    /// When it was last paid.
    pub last_payment_date: Option<DateTime<Utc>>,
    /// When it is next due.
    pub next_payment_date: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: Option<SubscriptionStatus>,
    /// Failed charges since the last that succeeded.
    pub failed_payment_count: Option<i32>,
}

impl SubscriptionRepository {
    /// Subscriptions of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The subscription with this id.
    pub async fn lookup(&self, id: &str) -> Result<Option<Subscription>, PaymentError> {
        let row = sqlx::query!(
            "SELECT status, payment_method, failed_payment_count FROM subscriptions WHERE id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(Subscription {
                status: known(SubscriptionStatus::from_text(&row.status), &row.status)?,
                payment_method: row.payment_method,
                failed_payment_count: row.failed_payment_count,
            })
        })
        .transpose()
    }

    /// Changes a subscription.
    pub async fn update(
        &self,
        id: &str,
        changes: &SubscriptionChanges,
    ) -> Result<(), PaymentError> {
        let updated = sqlx::query!(
            "UPDATE subscriptions
             SET last_payment_date = COALESCE($2, last_payment_date),
                 next_payment_date = COALESCE($3, next_payment_date),
                 status = COALESCE($4, status),
                 failed_payment_count = COALESCE($5, failed_payment_count),
                 updated_at = now()
             WHERE id = $1",
            id,
            changes.last_payment_date,
            changes.next_payment_date,
            changes.status.map(SubscriptionStatus::as_str),
            changes.failed_payment_count
        )
        .execute(&self.pool)
        .await?;
        if updated.rows_affected() == 1 {
            Ok(())
        } else {
            Err(PaymentError::SubscriptionNotFound(id.to_owned()))
        }
    }
}
