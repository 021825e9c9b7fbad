//! Files whose rows were deleted, until they are gone as well.

use std::collections::BTreeSet;

use super::CleanupRepository;
use crate::error::AnalyticsError;

impl CleanupRepository {
    /// Forgets the files that rows stand for again: those are not deleted.
    pub async fn forget_used_files(&self) -> Result<(), AnalyticsError> {
        sqlx::query!(
            "DELETE FROM temp_file_deletions AS gone
             USING temp_files
             WHERE temp_files.object_reference = gone.object_reference"
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Sets out to delete the next files after a reference, and gives theirs in order.
    pub async fn claim_files(&self, after: &str, most: i64) -> Result<Vec<String>, AnalyticsError> {
        let claimed = sqlx::query_scalar!(
            "WITH next AS (
                 SELECT object_reference
                 FROM temp_file_deletions AS waiting
                 WHERE object_reference > $1
                   AND NOT EXISTS (
                       SELECT FROM temp_files
                       WHERE temp_files.object_reference = waiting.object_reference
                   )
                 ORDER BY object_reference
                 LIMIT $2
                 FOR UPDATE
             )
             UPDATE temp_file_deletions AS gone
             SET claimed_at = now(), attempts = attempts + 1
             FROM next
             WHERE gone.object_reference = next.object_reference
             RETURNING gone.object_reference",
            after,
            most
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(claimed
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect())
    }

    /// Forgets a file that is gone.
    pub async fn forget_file(&self, reference: &str) -> Result<(), AnalyticsError> {
        sqlx::query!(
            "DELETE FROM temp_file_deletions WHERE object_reference = $1",
            reference
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes down why a file could not be deleted.
    pub async fn record_file_failure(
        &self,
        reference: &str,
        error: &str,
    ) -> Result<(), AnalyticsError> {
        sqlx::query!(
            "UPDATE temp_file_deletions SET last_error = $2 WHERE object_reference = $1",
            reference,
            // PostgreSQL's text holds everything but this character.
            error.replace('\0', "")
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps a file after all.
    ///
    /// Refused with [`AnalyticsError::FileBusy`] for as long as somebody who set out to delete it may
    /// still do that: much longer than a call to object storage can take.
    pub async fn keep_file(&self, reference: &str) -> Result<(), AnalyticsError> {
        let is_busy = sqlx::query_scalar!(
            "WITH kept AS (
                 DELETE FROM temp_file_deletions
                 WHERE object_reference = $1
                   AND (claimed_at IS NULL OR claimed_at < now() - interval '5 minutes')
                 RETURNING object_reference
             )
             SELECT EXISTS (SELECT FROM temp_file_deletions WHERE object_reference = $1)
                    AND NOT EXISTS (SELECT FROM kept) AS \"is_busy!\"",
            reference
        )
        .fetch_one(&self.pool)
        .await?;
        if is_busy {
            Err(AnalyticsError::FileBusy(reference.to_owned()))
        } else {
            Ok(())
        }
    }

    /// Those of the keys that no temporary file has.
    pub async fn missing_files(&self, keys: &[i64]) -> Result<BTreeSet<i64>, AnalyticsError> {
        let missing = sqlx::query_scalar!(
            "SELECT key AS \"key!\"
             FROM unnest($1::bigint[]) AS batch (key)
             WHERE NOT EXISTS (SELECT FROM temp_files WHERE id = key)",
            keys
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(missing.into_iter().collect())
    }
}
