//! Users: how they want to be told, and what they were told.

use chrono::NaiveTime;

use super::Shop;
use crate::push::PushDevice;

/// A user to add.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    /// Their id.
    pub id: &'a str,
    /// Where their mail goes.
    pub email: &'a str,
    /// What they are called.
    pub name: &'a str,
    /// `pending`, `onboarding`, `active`, `onboarding_failed` or `suspended`.
    pub status: &'a str,
    /// Their zone, such as `Europe/Berlin`.
    pub time_zone: &'a str,
    /// From when until when they want no messages, by their clock.
    pub quiet_hours: Option<(NaiveTime, NaiveTime)>,
}

impl<'a> NewUser<'a> {
    /// An active user in UTC who wants messages at any time.
    pub const fn active(id: &'a str, email: &'a str, name: &'a str) -> Self {
        Self {
            id,
            email,
            name,
            status: "active",
            time_zone: "UTC",
            quiet_hours: None,
        }
    }
}

/// A message in a user's inbox in the app.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct InboxRow {
    /// The notification that it belongs to.
    pub notification_id: String,
    /// What it is about.
    pub r#type: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub message: String,
}

/// A line of the send ledger.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeliveryRow {
    /// The notification, or the mail's key.
    pub notification_id: String,
    /// An address, a user, or a push subscription.
    pub recipient: String,
    /// `email`, `in_app` or `push`.
    pub channel: String,
    /// How it stands.
    pub state: String,
    /// How often it was begun.
    pub attempts: i32,
}

impl Shop {
    /// Adds an active user.
    pub async fn add_user(&self, id: &str, email: &str, name: &str) -> Result<(), sqlx::Error> {
        self.add_user_with(&NewUser::active(id, email, name)).await
    }

    /// Adds a user.
    pub async fn add_user_with(&self, user: &NewUser<'_>) -> Result<(), sqlx::Error> {
        let (from, until) = user.quiet_hours.unzip();
        sqlx::query(
            "INSERT INTO users (id, email, name, status, time_zone, quiet_from, quiet_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(user.id)
        .bind(user.email)
        .bind(user.name)
        .bind(user.status)
        .bind(user.time_zone)
        .bind(from)
        .bind(until)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Sets whether a user wants messages of this type on this channel; `*` stands for all of them.
    pub async fn set_preference(
        &self,
        user_id: &str,
        r#type: &str,
        channel: &str,
        enabled: bool,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO notification_preferences (user_id, type, channel, enabled)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (user_id, type, channel) DO UPDATE SET enabled = EXCLUDED.enabled",
        )
        .bind(user_id)
        .bind(r#type)
        .bind(channel)
        .bind(enabled)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Lets a user's device be pushed to; gives back the subscription's id.
    pub async fn add_push_subscription(
        &self,
        user_id: &str,
        device: &PushDevice,
    ) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "INSERT INTO push_subscriptions (user_id, endpoint, p256dh, auth)
             VALUES ($1, $2, $3, $4)
             RETURNING id",
        )
        .bind(user_id)
        .bind(&device.endpoint)
        .bind(&device.p256dh)
        .bind(&device.auth)
        .fetch_one(&self.pool)
        .await
    }

    /// Why a push subscription is disabled; none if it is not.
    pub async fn push_disabled(&self, endpoint: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT COALESCE(disabled_reason, '') FROM push_subscriptions
             WHERE endpoint = $1 AND disabled_at IS NOT NULL",
        )
        .bind(endpoint)
        .fetch_optional(&self.pool)
        .await
    }

    /// What is in a user's inbox in the app, the oldest first.
    pub async fn inbox_messages(&self, user_id: &str) -> Result<Vec<InboxRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT notification_id, type, title, message
             FROM inbox_messages
             WHERE user_id = $1
             ORDER BY id",
        )
        .bind(user_id)
        .fetch_all(&self.pool)
        .await
    }

    /// Whether there is such a user.
    pub async fn has_user(&self, id: &str) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM users WHERE id = $1)")
            .bind(id)
            .fetch_one(&self.pool)
            .await
    }

    /// How a user stands, and why.
    pub async fn user_status(&self, id: &str) -> Result<(String, Option<String>), sqlx::Error> {
        sqlx::query_as("SELECT status, status_reason FROM users WHERE id = $1")
            .bind(id)
            .fetch_one(&self.pool)
            .await
    }

    /// The lines of the send ledger whose notification or recipient this is, the oldest first.
    pub async fn deliveries(
        &self,
        notification_or_recipient: &str,
    ) -> Result<Vec<DeliveryRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT notification_id, recipient, channel, state, attempts
             FROM deliveries
             WHERE notification_id = $1 OR recipient = $1
             ORDER BY created_at, notification_id, channel, recipient",
        )
        .bind(notification_or_recipient)
        .fetch_all(&self.pool)
        .await
    }
}
