//! Which workflows were started for whom.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// Which workflows were started for whom through the API.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowRepository {
    pool: PgPool,
}

/// A workflow of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) workflow_id: String,
    pub(crate) created_at: DateTime<Utc>,
}

impl WorkflowRepository {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes down that a workflow is started for a user.
    pub(crate) async fn add(&self, workflow_id: &str, user: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO api_workflows (workflow_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            workflow_id,
            user
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A user's workflows before this one, the latest first.
    pub(crate) async fn of_user(
        &self,
        user: &str,
        before: Option<&Owned>,
        limit: i64,
    ) -> Result<Vec<Owned>, sqlx::Error> {
        sqlx::query_as!(
            Owned,
            "SELECT workflow_id, created_at
             FROM api_workflows
             WHERE user_id = $1
               AND ($2::timestamptz IS NULL OR (created_at, workflow_id) < ($2, $3::text))
             ORDER BY created_at DESC, workflow_id DESC
             LIMIT $4",
            user,
            before.map(|before| before.created_at),
            before.map(|before| before.workflow_id.as_str()),
            limit
        )
        .fetch_all(&self.pool)
        .await
    }
}
