//! Idempotency keys.

use std::time::Duration;

use sqlx::PgPool;

/// What was asked under which idempotency key.
#[derive(Debug, Clone)]
pub(crate) struct RequestRepository {
    pool: PgPool,
}

/// How many keys are forgotten at once.
const BATCH: i64 = 10_000;

/// The first request under a key.
pub(crate) struct First {
    pub(crate) request_hash: Vec<u8>,
    pub(crate) workflow_id: String,
    /// Whether the workflow was started.
    pub(crate) is_started: bool,
}

impl RequestRepository {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Forgets the keys that are older than this, a batch at a time; whether there may be more.
    pub(crate) async fn forget(&self, ttl: Duration) -> Result<bool, sqlx::Error> {
        let forgotten = sqlx::query!(
            "DELETE FROM api_requests
             WHERE (caller, key) IN (
                 SELECT caller, key
                 FROM api_requests
                 WHERE created_at < now() - make_interval(secs => $1)
                 LIMIT $2
             )",
            ttl.as_secs_f64(),
            BATCH
        )
        .execute(&self.pool)
        .await?;
        Ok(i64::try_from(forgotten.rows_affected()).is_ok_and(|rows| rows == BATCH))
    }

    /// Notes that the workflow of a key was started.
    pub(crate) async fn started(&self, caller: &str, key: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE api_requests SET started_at = now()
             WHERE caller = $1 AND key = $2 AND started_at IS NULL",
            caller,
            key
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The first request of a caller under a key: this one, unless there was one before.
    pub(crate) async fn claim(
        &self,
        caller: &str,
        key: &str,
        request_hash: &[u8],
        workflow_id: &str,
    ) -> Result<First, sqlx::Error> {
        // The insert waits for another one of the same key; what is read then is what that one wrote.
        sqlx::query!(
            "INSERT INTO api_requests (caller, key, request_hash, workflow_id)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            caller,
            key,
            request_hash,
            workflow_id
        )
        .execute(&self.pool)
        .await?;
        sqlx::query_as!(
            First,
            "SELECT request_hash, workflow_id, started_at IS NOT NULL AS \"is_started!\"
             FROM api_requests
             WHERE caller = $1 AND key = $2",
            caller,
            key
        )
        .fetch_one(&self.pool)
        .await
    }
}
