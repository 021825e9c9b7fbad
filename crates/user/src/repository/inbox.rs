//! The in-app inbox.

use serde_json::Value;
use sqlx::PgPool;

use super::deliveries::{Delivery, superseded};
use crate::error::UserError;
use crate::notification::Notification;

/// Writes the in-app inbox.
#[derive(Debug, Clone)]
pub struct InboxRepository {
    pool: PgPool,
}

impl InboxRepository {
    /// Inboxes of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Puts a notification into a user's inbox and closes its delivery, both or neither: here the
    /// gate and the other side are the same database, and no outcome is ever unknown.
    pub async fn add(
        &self,
        delivery: &Delivery,
        user_id: &str,
        notification: &Notification,
    ) -> Result<(), UserError> {
        let passed = sqlx::query_scalar!(
            r#"WITH gate AS (
                   UPDATE deliveries
                   SET state = 'sent', handed_over_at = now(), last_error = NULL, updated_at = now()
                   WHERE notification_id = $1 AND recipient = $2 AND channel = $3
                     AND attempts = $4
                     AND state = 'sending'
                   RETURNING notification_id
               ), added AS (
                   INSERT INTO inbox_messages (user_id, notification_id, type, title, message, metadata)
                   SELECT $5, notification_id, $6, $7, $8, $9
                   FROM gate
                   ON CONFLICT ON CONSTRAINT inbox_messages_once DO NOTHING
               )
               SELECT count(*) AS "count!" FROM gate"#,
            delivery.key().notification_id,
            delivery.key().recipient,
            delivery.key().channel,
            delivery.attempt(),
            user_id,
            notification.kind,
            notification.title,
            notification.message,
            Value::Object(notification.metadata.clone())
        )
        .fetch_one(&self.pool)
        .await?;
        if passed == 1 {
            Ok(())
        } else {
            Err(superseded().into())
        }
    }
}
