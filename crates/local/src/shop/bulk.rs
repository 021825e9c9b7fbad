//! Many rows at once: what a benchmark measures with.

use super::Shop;

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
