//! What was deleted and what was put back, for whoever asks later.

use chrono::{DateTime, Utc};

use super::{CleanupRepository, number};
use crate::cleanup::{CleanupType, Manifest};
use crate::error::AnalyticsError;

/// A cleanup that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditEntry<'a> {
    /// The operation's own id: it is written down once.
    pub operation_id: &'a str,
    /// What was cleaned up.
    pub cleanup_type: CleanupType,
    /// How many rows were deleted.
    pub deleted: u64,
    /// The backup, if anything was deleted.
    pub backup: Option<&'a str>,
    /// When it was over.
    pub completed_at: DateTime<Utc>,
}

impl CleanupRepository {
    /// How many rows the run of a backup deleted.
    pub async fn deleted_by(&self, backup: &str) -> Result<Option<u64>, AnalyticsError> {
        let deleted = sqlx::query_scalar!(
            "SELECT progress.deleted_rows AS \"deleted!\"
             FROM cleanup_runs AS run
             JOIN cleanup_progress AS progress ON progress.run_id = run.id
             WHERE run.backup_reference = $1",
            backup
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(deleted.map(super::count))
    }

    /// Writes a cleanup down; `false` if it is written down with other figures.
    pub async fn record_cleanup(&self, entry: &AuditEntry<'_>) -> Result<bool, AnalyticsError> {
        let recorded = sqlx::query!(
            "INSERT INTO cleanup_audit (operation, operation_id, cleanup_type, rows,
                                        backup_reference, completed_at)
             VALUES ('cleanup', $1, $2, $3, $4, $5)
             ON CONFLICT (operation_id) WHERE operation = 'cleanup' DO NOTHING",
            entry.operation_id,
            entry.cleanup_type.as_str(),
            number(entry.deleted),
            entry.backup,
            entry.completed_at
        )
        .execute(&self.pool)
        .await?;
        if recorded.rows_affected() == 1 {
            return Ok(true);
        }
        let is_same = sqlx::query_scalar!(
            "SELECT cleanup_type = $2 AND rows = $3 AND backup_reference IS NOT DISTINCT FROM $4
                    AS \"is_same!\"
             FROM cleanup_audit
             WHERE operation = 'cleanup' AND operation_id = $1",
            entry.operation_id,
            entry.cleanup_type.as_str(),
            number(entry.deleted),
            entry.backup
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(is_same)
    }

    /// Writes down that a backup was put back.
    pub async fn record_restore(
        &self,
        manifest: &Manifest,
        backup: &str,
        restored: u64,
    ) -> Result<(), AnalyticsError> {
        sqlx::query!(
            "INSERT INTO cleanup_audit (operation, operation_id, cleanup_type, rows,
                                        backup_reference, completed_at)
             VALUES ('restore', $1, $2, $3, $4, now())",
            manifest.run_id,
            manifest.cleanup_type.as_str(),
            number(restored),
            backup
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
