//! Who is asked to decide, and which reviews are urgent.

use partner_core::ids::ListingId;
use sqlx::PgPool;

use super::act_as;
use crate::error::ListingError;

/// Finds reviewers, and makes reviews urgent.
#[derive(Debug, Clone)]
pub struct ReviewerRepository {
    pool: PgPool,
}

/// Someone who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewer {
    /// Their user id.
    pub user_id: String,
    /// Whether they are asked when a review becomes urgent.
    pub is_lead: bool,
}

impl ReviewerRepository {
    /// Reviewers of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Everyone who reviews at present.
    pub async fn active(&self) -> Result<Vec<Reviewer>, ListingError> {
        let reviewers = sqlx::query_as!(
            Reviewer,
            "SELECT user_id, is_lead FROM reviewers WHERE is_active ORDER BY user_id"
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(reviewers)
    }

    /// Makes the review of a version urgent, if it still waits for its decision; tells whether it
    /// does.
    pub async fn escalate(
        &self,
        listing_id: &ListingId,
        version: Option<i32>,
        actor: &str,
    ) -> Result<bool, ListingError> {
        let mut transaction = self.pool.begin().await?;
        act_as(&mut transaction, actor).await?;
        let updated = sqlx::query!(
            "UPDATE listings
             SET escalated_at = COALESCE(escalated_at, now()), updated_at = now()
             WHERE id = $1 AND status = 'pending_review' AND version = COALESCE($2, version)",
            listing_id.as_str(),
            version
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(updated.rows_affected() == 1)
    }
}
