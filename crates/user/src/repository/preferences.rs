//! What users want to be told, and how.

use sqlx::PgPool;

use crate::error::UserError;

/// Stands for every type, or every channel.
const ANY: &str = "*";

/// What one user wants of one type of notification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences(Vec<Preference>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Preference {
    kind: String,
    channel: String,
    enabled: bool,
}

impl Preferences {
    /// Of someone who never said what they want: everything.
    pub const fn everything() -> Self {
        Self(Vec::new())
    }

    /// Whether they want it on this channel. The most exact row counts: one of the type before one of
    /// the channel.
    pub fn wants(&self, channel: &str) -> bool {
        self.0
            .iter()
            .filter(|row| row.channel == channel || row.channel == ANY)
            .max_by_key(|row| (row.kind != ANY, row.channel != ANY))
            .is_none_or(|row| row.enabled)
    }
}

/// Reads preferences.
#[derive(Debug, Clone)]
pub struct PreferenceRepository {
    pool: PgPool,
}

impl PreferenceRepository {
    /// Preferences of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// What this user wants of this type.
    pub async fn lookup(&self, user_id: &str, kind: &str) -> Result<Preferences, UserError> {
        let rows = sqlx::query_as!(
            Preference,
            "SELECT type AS kind, channel, enabled
             FROM notification_preferences
             WHERE user_id = $1 AND type IN ($2, '*')",
            user_id,
            kind
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(Preferences(rows))
    }
}
