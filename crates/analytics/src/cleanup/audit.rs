//! Writing down that a cleanup is over.

use super::Cleanup;
use crate::error::AnalyticsError;
use crate::repository::cleanup::AuditEntry;

impl Cleanup {
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
