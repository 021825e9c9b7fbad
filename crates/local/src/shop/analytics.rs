//! What analytics keeps and takes away: old rows, reminders, reports.

use super::Shop;

impl Shop {
    /// Adds a row of a type for each name: the first is 31 days old, and each further one a day older.
    ///
    /// A name is a log's message, the hash of a session's token, or the reference of a temporary file.
    pub async fn add_old_rows(
        &self,
        cleanup_type: &str,
        names: &[String],
    ) -> Result<(), sqlx::Error> {
        let statement = match cleanup_type {
            "logs" => {
                "INSERT INTO application_logs (level, source, message, fields, created_at)
                 SELECT 'info', 'api', name, jsonb_build_object('n', 1.10),
                        now() - make_interval(days => 30 + n::int)
                 FROM unnest($1::text[]) WITH ORDINALITY AS row (name, n)"
            }
            "sessions" => {
                "INSERT INTO sessions (user_id, token_hash, last_seen_at)
                 SELECT 'ana', name, now() - make_interval(days => 30 + n::int)
                 FROM unnest($1::text[]) WITH ORDINALITY AS row (name, n)"
            }
            _ => {
                "INSERT INTO temp_files (object_reference, file_name, created_at)
                 SELECT name, 'upload.bin', now() - make_interval(days => 30 + n::int)
                 FROM unnest($1::text[]) WITH ORDINALITY AS row (name, n)"
            }
        };
        sqlx::query(statement)
            .bind(names)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Puts the oldest row of the logs under legal hold.
    pub async fn hold_oldest_log(&self) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE application_logs SET legal_hold = true
             WHERE id = (SELECT id FROM application_logs ORDER BY created_at LIMIT 1)",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Every row of a type, in the very text that a backup keeps.
    pub async fn cleanable_rows(&self, cleanup_type: &str) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT content FROM cleanable_rows WHERE cleanup_type = $1 ORDER BY id")
            .bind(cleanup_type)
            .fetch_all(&self.pool)
            .await
    }

    /// How many rows the cleanups of a workflow deleted, as the audit has it: an entry each.
    pub async fn audited_cleanups(&self, workflow_id: &str) -> Result<Vec<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT rows FROM cleanup_audit
             WHERE operation = 'cleanup' AND operation_id LIKE $1 || '/%' ORDER BY id",
        )
        .bind(workflow_id)
        .fetch_all(&self.pool)
        .await
    }

    /// How many reminders a user was sent, as it is on record.
    pub async fn reminders_sent(&self, user_id: &str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT count(*) FROM reminders_sent WHERE user_id = $1")
            .bind(user_id)
            .fetch_one(&self.pool)
            .await
    }

    /// How the reports of a workflow are on record: how many recipients got one, and how many could not
    /// be reached.
    pub async fn logged_reports(&self, workflow_id: &str) -> Result<Vec<(i32, i32)>, sqlx::Error> {
        sqlx::query_as(
            "SELECT recipient_count, failed_count FROM report_log
             WHERE operation_id LIKE $1 || '/%' ORDER BY recorded_at",
        )
        .bind(workflow_id)
        .fetch_all(&self.pool)
        .await
    }
}
