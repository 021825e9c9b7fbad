//! Writing down that a cleanup is over.

use super::Cleanup;
use crate::error::AnalyticsError;
use crate::repository::cleanup::AuditEntry;

impl Cleanup {
    /// Writes down a cleanup that stopped before its end, once, with as many rows as the database says
    /// that it deleted; how many those are.
    pub async fn log_interrupted(&self, entry: &AuditEntry<'_>) -> Result<u64, AnalyticsError> {
        let deleted = match entry.backup {
            Some(backup) => self.repository.deleted_by(backup).await?,
            None => None,
        };
        let deleted = deleted.unwrap_or_default();
        self.log(&AuditEntry { deleted, ..*entry }).await?;
        Ok(deleted)
    }

    /// Writes a cleanup down, once.
    ///
    /// # Errors
    /// [`AnalyticsError::Invalid`] if it is not what the database knows, or what was written down
    /// before.
    pub async fn log(&self, entry: &AuditEntry<'_>) -> Result<(), AnalyticsError> {
        if let Some(backup) = entry.backup
            && let Some(deleted) = self.repository.deleted_by(backup).await?
            && deleted != entry.deleted
        {
            return Err(AnalyticsError::Invalid(format!(
                "itemsDeleted: {} rows were deleted by the backup {backup:?}, not {}",
                deleted, entry.deleted
            )));
        }
        if self.repository.record_cleanup(entry).await? {
            Ok(())
        } else {
            Err(AnalyticsError::Invalid(format!(
                "the cleanup {} was written down with other figures",
                entry.operation_id
            )))
        }
    }
}
