//! The in-app inbox.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;

use super::deliveries::{Delivery, superseded};
use crate::error::UserError;
use crate::notification::Notification;

/// A message in a user's inbox.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxMessage {
    /// Its number; a later message has a higher one.
    pub id: i64,
    /// The notification that it is.
    pub notification_id: String,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// The headline.
    pub title: String,
    /// The text.
    pub message: String,
    /// Anything that the reader's program can use.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// When it came.
    pub created_at: DateTime<Utc>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
}

/// The in-app inbox.
#[derive(Debug, Clone)]
pub struct InboxRepository {
    pool: PgPool,
}

impl InboxRepository {
    /// Inboxes of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// A user's messages before this one, the latest first.
    pub async fn list(
        &self,
        user_id: &str,
        before: Option<i64>,
        unread_only: bool,
        limit: i64,
    ) -> Result<Vec<InboxMessage>, UserError> {
        let messages = sqlx::query_as!(
            InboxMessage,
            "SELECT id, notification_id, type AS kind, title, message, metadata, created_at, read_at
             FROM inbox_messages
             WHERE user_id = $1
               AND ($2::bigint IS NULL OR id < $2)
               AND (NOT $3 OR read_at IS NULL)
             ORDER BY id DESC
             LIMIT $4",
            user_id,
            before,
            unread_only,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(messages)
    }

    /// Notes that a user read a message; `None` if they have no such message. What was read stays so.
    pub async fn mark_read(
        &self,
        user_id: &str,
        id: i64,
    ) -> Result<Option<InboxMessage>, UserError> {
        let message = sqlx::query_as!(
            InboxMessage,
            "UPDATE inbox_messages
             SET read_at = COALESCE(read_at, now())
             WHERE user_id = $1 AND id = $2
             RETURNING id, notification_id, type AS kind, title, message, metadata, created_at, read_at",
            user_id,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(message)
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
