//! What users were told, and how that went.

use sqlx::PgPool;

use crate::error::UserError;

/// What became of a notification.
#[derive(Debug, Clone, Copy)]
pub struct NotificationRecord<'a> {
    /// Which.
    pub id: &'a str,
    /// Who was told.
    pub user_id: &'a str,
    /// What it was about.
    pub kind: &'a str,
    /// How it went, in the caller's words.
    pub status: &'a str,
}

/// Writes notifications.
#[derive(Debug, Clone)]
pub struct NotificationRepository {
    pool: PgPool,
}

impl NotificationRepository {
    /// Notifications of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes down what became of a notification, in place of what was said before.
    ///
    /// `false` if the id is that of another user's notification, or of one of another type.
    pub async fn record(&self, record: NotificationRecord<'_>) -> Result<bool, UserError> {
        let recorded = sqlx::query!(
            "INSERT INTO notifications AS notification (id, user_id, type, status)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE
             SET status = excluded.status, updated_at = now()
             WHERE notification.user_id = excluded.user_id AND notification.type = excluded.type",
            record.id,
            record.user_id,
            record.kind,
            record.status
        )
        .execute(&self.pool)
        .await?;
        Ok(recorded.rows_affected() == 1)
    }
}
