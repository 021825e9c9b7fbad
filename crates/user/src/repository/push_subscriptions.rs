//! The devices that users allowed to be pushed to.

use partner_core::ports::push::PushTarget;
use sqlx::PgPool;

use crate::error::UserError;

/// A device that may be pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSubscription {
    /// The row's id.
    pub id: i64,
    /// Where and for whom messages to it are encrypted.
    pub target: PushTarget,
}

/// Reads and disables push subscriptions.
#[derive(Debug, Clone)]
pub struct PushSubscriptionRepository {
    pool: PgPool,
}

impl PushSubscriptionRepository {
    /// Push subscriptions of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The devices of a user that can still be reached.
    pub async fn list(&self, user_id: &str) -> Result<Vec<PushSubscription>, UserError> {
        let rows = sqlx::query!(
            "SELECT id, endpoint, p256dh, auth
             FROM push_subscriptions
             WHERE user_id = $1 AND disabled_at IS NULL
             ORDER BY id",
            user_id
        )
        .fetch_all(&self.pool)
        .await?;
        let subscriptions = rows.into_iter().map(|row| PushSubscription {
            id: row.id,
            target: PushTarget {
                endpoint: row.endpoint,
                p256dh: row.p256dh,
                auth: row.auth,
            },
        });
        Ok(subscriptions.collect())
    }

    /// Writes down that nothing will ever reach this device again.
    pub async fn disable(&self, id: i64, reason: &str) -> Result<(), UserError> {
        sqlx::query!(
            "UPDATE push_subscriptions
             SET disabled_at = now(), disabled_reason = $2
             WHERE id = $1 AND disabled_at IS NULL",
            id,
            reason
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
