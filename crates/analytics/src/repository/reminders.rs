//! What reminders ask of the tables of other domains, and those that went out.

use chrono::{DateTime, Utc};
use partner_core::ids::UserId;
use sqlx::PgPool;

use crate::error::AnalyticsError;
use crate::reminder::Claim;

/// Reminders of a database.
#[derive(Debug, Clone)]
pub struct ReminderRepository {
    pool: PgPool,
}

/// A reminder that went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentReminder<'a> {
    /// Its own id: it is marked once.
    pub id: &'a str,
    /// Who was reminded.
    pub user_id: &'a UserId,
    /// Of what.
    pub reminder_type: &'a str,
    /// When.
    pub sent_at: DateTime<Utc>,
}

impl ReminderRepository {
    /// Reminders of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Whether what a reminder of this user claims is so. Nothing that the database does not know is.
    pub async fn holds(&self, user_id: &UserId, claim: &Claim) -> Result<bool, AnalyticsError> {
        let user = user_id.as_str();
        let holds = match claim {
            Claim::Nothing => true,
            Claim::OrderIsOwed(order) => {
                sqlx::query_scalar!(
                    r#"SELECT EXISTS (
                           SELECT FROM orders
                           WHERE id = $1 AND user_id = $2 AND status IN ('pending', 'payment_failed')
                       ) AS "holds!""#,
                    order.as_str(),
                    user
                )
                .fetch_one(&self.pool)
                .await?
            }
            // The date is the first day of the oldest period that is not paid.
            Claim::SubscriptionIsOwed { subscription, due } => {
                sqlx::query_scalar!(
                    r#"SELECT EXISTS (
                           SELECT FROM subscriptions
                           WHERE id = $1 AND user_id = $2 AND status IN ('active', 'suspended')
                             AND COALESCE(next_payment_date, anchor_date) <= COALESCE($3::timestamptz, now())
                       ) AS "holds!""#,
                    subscription.as_str(),
                    user,
                    *due as Option<DateTime<Utc>>
                )
                .fetch_one(&self.pool)
                .await?
            }
            // A listing may be shown in an older version while an edit is under review.
            Claim::ListingExpires { listing, by } => {
                sqlx::query_scalar!(
                    r#"SELECT EXISTS (
                           SELECT FROM listings
                           WHERE id = $1 AND user_id = $2
                             AND (status = 'approved' OR live_version IS NOT NULL)
                             AND expires_at <= COALESCE($3::timestamptz, 'infinity'::timestamptz)
                       ) AS "holds!""#,
                    listing.as_str(),
                    user,
                    *by as Option<DateTime<Utc>>
                )
                .fetch_one(&self.pool)
                .await?
            }
        };
        Ok(holds)
    }

    /// Marks a reminder as sent, and tells when it was: the first time counts.
    pub async fn mark_sent(
        &self,
        reminder: &SentReminder<'_>,
    ) -> Result<DateTime<Utc>, AnalyticsError> {
        let sent_at = sqlx::query_scalar!(
            "INSERT INTO reminders_sent (id, user_id, reminder_type, sent_at)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE SET sent_at = reminders_sent.sent_at
             RETURNING sent_at",
            reminder.id,
            reminder.user_id.as_str(),
            reminder.reminder_type,
            reminder.sent_at
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(sent_at)
    }
}
