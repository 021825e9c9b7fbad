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

/// For measuring: many rows at once.
impl Shop {
    /// Adds so many rows to the logs that are more than 31 days old, of some 200 bytes each.
    pub async fn add_many_old_logs(&self, count: i64) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO application_logs (level, source, message, fields, created_at)
             SELECT 'info', 'api', 'GET /listings/' || n || ' answered 200',
                    jsonb_build_object('request', md5(n::text), 'milliseconds', n % 500),
                    now() - interval '31 days' - n * interval '1 second'
             FROM generate_series(1, $1) AS n",
        )
        .bind(count)
        .execute(&self.pool)
        .await?;
        sqlx::query("ANALYZE application_logs")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The first and the last key of the logs; none if there are no rows.
    pub async fn log_keys(&self) -> Result<Option<(i64, i64)>, sqlx::Error> {
        let keys: (Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT min(id), max(id) FROM application_logs")
                .fetch_one(&self.pool)
                .await?;
        Ok(keys.0.zip(keys.1))
    }

    /// Deletes the logs of a range of keys that are old and not under hold, as one would without a
    /// backup; how many.
    pub async fn delete_old_logs(&self, first: i64, last: i64) -> Result<u64, sqlx::Error> {
        let deleted = sqlx::query(
            "DELETE FROM application_logs
             WHERE id BETWEEN $1 AND $2 AND NOT legal_hold
               AND created_at < now() - interval '30 days'",
        )
        .bind(first)
        .bind(last)
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected())
    }

    /// Adds so many paid orders of the last two days, each with an article and a charge.
    pub async fn add_many_paid_orders(&self, count: i64) -> Result<(), sqlx::Error> {
        for statement in [
            "INSERT INTO orders (id, user_id, amount_minor, currency, status, transaction_id, created_at)
             SELECT 'bulk-' || n, 'user-' || n % 10000, 1000 + n % 9000,
                    (ARRAY['EUR', 'USD', 'INR'])[1 + n % 3], 'paid', 'bulk-' || n,
                    now() - (n % 172800) * interval '1 second'
             FROM generate_series(1, $1) AS n",
            "INSERT INTO order_items (order_id, sku, quantity, unit_price_minor)
             SELECT 'bulk-' || n, 'sku-' || n % 500, 1, 1000 + n % 9000
             FROM generate_series(1, $1) AS n",
            "INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash, user_id, amount_minor,
                                  currency, payment_method, state, gateway_id, concluded_at)
             SELECT 'order', 'bulk-' || n, 'payment/1', '', 'user-' || n % 10000, 1000 + n % 9000,
                    (ARRAY['EUR', 'USD', 'INR'])[1 + n % 3], 'card', 'succeeded', 'bulk-' || n,
                    now() - (n % 172800) * interval '1 second'
             FROM generate_series(1, $1) AS n",
        ] {
            sqlx::query(statement)
                .bind(count)
                .execute(&self.pool)
                .await?;
        }
        sqlx::query("ANALYZE").execute(&self.pool).await?;
        Ok(())
    }
}
