//! Idempotency keys.

use sqlx::PgPool;

/// What was asked under which idempotency key.
#[derive(Debug, Clone)]
pub(crate) struct RequestRepository {
    pool: PgPool,
}

/// The first request under a key.
pub(crate) struct First {
    pub(crate) request_hash: Vec<u8>,
    pub(crate) workflow_id: String,
}

impl RequestRepository {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
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
            "SELECT request_hash, workflow_id FROM api_requests WHERE caller = $1 AND key = $2",
            caller,
            key
        )
        .fetch_one(&self.pool)
        .await
    }
}
