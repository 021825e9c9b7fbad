//! API keys.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::auth::{ApiKey, Scope, Secret};

/// API keys of a database.
#[derive(Debug, Clone)]
pub struct KeyRepository {
    pool: PgPool,
}

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// Whose it is, or what it is for.
    pub name: &'a str,
    /// What it may.
    pub scopes: &'a [Scope],
    /// The user whose things are all that it sees.
    pub user_id: Option<&'a str>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
}

struct Row {
    id: String,
    name: String,
    scopes: Vec<String>,
    user_id: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl KeyRepository {
    /// Keys of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes a key down, of its secret only the hash.
    ///
    /// # Errors
    /// If PostgreSQL cannot be used, or refuses the key: an administrator's is nobody's own.
    pub async fn create(&self, secret: &Secret, new: &NewKey<'_>) -> Result<ApiKey, sqlx::Error> {
        let scopes: Vec<_> = new.scopes.iter().map(ToString::to_string).collect();
        let hash = secret.hash();
        let row = sqlx::query_as!(
            Row,
            "INSERT INTO api_keys (id, name, secret_hash, scopes, user_id, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             RETURNING id, name, scopes, user_id, created_at, expires_at, revoked_at, last_used_at",
            secret.id,
            new.name,
            hash.as_slice(),
            &scopes,
            new.user_id,
            new.expires_at
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.into())
    }

    /// Every key, the latest first.
    ///
    /// # Errors
    /// If PostgreSQL cannot be used.
    pub async fn list(&self) -> Result<Vec<ApiKey>, sqlx::Error> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT id, name, scopes, user_id, created_at, expires_at, revoked_at, last_used_at
             FROM api_keys
             ORDER BY created_at DESC, id"
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// Takes a key back; `None` if there is no such key. One that was taken back stays so.
    ///
    /// # Errors
    /// If PostgreSQL cannot be used.
    pub async fn revoke(&self, id: &str) -> Result<Option<ApiKey>, sqlx::Error> {
        let row = sqlx::query_as!(
            Row,
            "UPDATE api_keys
             SET revoked_at = COALESCE(revoked_at, now())
             WHERE id = $1
             RETURNING id, name, scopes, user_id, created_at, expires_at, revoked_at, last_used_at",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(ApiKey::from))
    }

    /// A key that works, with the hash of its secret.
    pub(crate) async fn find_valid(
        &self,
        id: &str,
    ) -> Result<Option<(ApiKey, [u8; 32])>, sqlx::Error> {
        let found = sqlx::query!(
            "SELECT id, name, scopes, user_id, created_at, expires_at, revoked_at, last_used_at,
                    secret_hash
             FROM api_keys
             WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let row = Row {
            id: found.id,
            name: found.name,
            scopes: found.scopes,
            user_id: found.user_id,
            created_at: found.created_at,
            expires_at: found.expires_at,
            revoked_at: found.revoked_at,
            last_used_at: found.last_used_at,
        };
        // The CHECK of the column: 32 bytes.
        let hash = found.secret_hash.try_into().ok();
        Ok(hash.map(|hash| (row.into(), hash)))
    }

    /// Notes that a key was used; at most once a minute, requests only read otherwise.
    pub(crate) async fn note_use(&self, id: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE api_keys
             SET last_used_at = now()
             WHERE id = $1 AND COALESCE(last_used_at < now() - interval '1 minute', true)",
            id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        let scopes = row.scopes.iter();
        Self {
            id: row.id,
            name: row.name,
            scopes: scopes.filter_map(|scope| Scope::from_text(scope)).collect(),
            user_id: row.user_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        }
    }
}
