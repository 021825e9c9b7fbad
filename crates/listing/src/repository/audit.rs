//! The audit trail: what happened to a listing, and whether the record of it is whole.
//!
//! The database writes it by itself (see the migration), so here is only what reads it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;

use crate::error::ListingError;

/// Reads and verifies audit trails.
#[derive(Debug, Clone)]
pub struct AuditRepository {
    pool: PgPool,
}

/// Something that happened to a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place in the trail, from 1.
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: a workflow's id, or the database user of another service.
    pub actor: String,
    /// What, such as `decided`.
    pub action: String,
    /// To which version.
    pub version: i32,
    /// What else is known of it.
    pub details: Value,
    /// SHA-256 over all that and the hash of the entry before.
    pub hash: Vec<u8>,
}

impl AuditRepository {
    /// Audit trails of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// A listing's trail, the oldest entry first.
    pub async fn list(&self, listing_id: &str) -> Result<Vec<AuditEntry>, ListingError> {
        let entries = sqlx::query_as!(
            AuditEntry,
            "SELECT sequence, at, actor, action, version, details, hash
             FROM listing_audit
             WHERE listing_id = $1
             ORDER BY sequence",
            listing_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(entries)
    }

    /// The first entry that does not follow from those before it: behind a gap, the one after it.
    /// None if the trail is whole.
    pub async fn first_broken(&self, listing_id: &str) -> Result<Option<i64>, ListingError> {
        let broken = sqlx::query_scalar!("SELECT listing_audit_first_broken($1)", listing_id)
            .fetch_one(&self.pool)
            .await?;
        Ok(broken)
    }

    /// The hash that stands for the whole trail so far, in hexadecimal. Kept elsewhere, such as in a
    /// workflow's history, it shows whether the trail was written anew.
    pub async fn head(&self, listing_id: &str) -> Result<Option<String>, ListingError> {
        let head = sqlx::query_scalar!(
            r#"SELECT encode(hash, 'hex') AS "hash!" FROM listing_audit_heads WHERE listing_id = $1"#,
            listing_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(head)
    }
}
