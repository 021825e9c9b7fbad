//! Files that a backup sets out to write, until it is whole: one that is not needed after all is found
//! here.

use super::{CleanupRepository, Session};
use crate::error::AnalyticsError;

impl Session {
    /// Writes down that files of these names will be written, before they are.
    pub async fn announce_files(
        &mut self,
        run_id: &str,
        names: &[String],
    ) -> Result<(), AnalyticsError> {
        sqlx::query!(
            "INSERT INTO cleanup_files (run_id, name)
             SELECT $1, name FROM unnest($2::text[]) AS file (name)
             ON CONFLICT DO NOTHING",
            run_id,
            names
        )
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}

impl CleanupRepository {
    /// Those that belong to no segment that was read back, and are not this manifest.
    pub async fn unneeded_files(
        &self,
        run_id: &str,
        manifest: &str,
    ) -> Result<Vec<String>, AnalyticsError> {
        let names = sqlx::query_scalar!(
            "SELECT name FROM cleanup_files WHERE run_id = $1 AND NOT kept AND name <> $2",
            run_id,
            manifest
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(names)
    }
}
