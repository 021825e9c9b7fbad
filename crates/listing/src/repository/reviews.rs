//! What waits for a reviewer.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

use crate::error::ListingError;
use crate::quality::Score;

/// A listing that waits for a decision.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueuedReview {
    /// The listing.
    pub listing_id: String,
    /// Whose it is.
    pub user_id: String,
    /// The version that is looked at: a decision names it.
    pub version: i32,
    /// What it is called.
    pub title: String,
    /// How good the automated checks find it.
    pub score: Option<Score>,
    /// When this version came.
    pub submitted_at: DateTime<Utc>,
    /// When its review became urgent.
    pub escalated_at: Option<DateTime<Utc>>,
}

/// What waits for a reviewer.
#[derive(Debug, Clone)]
pub struct ReviewRepository {
    pool: PgPool,
}

impl ReviewRepository {
    /// Reviews of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The reviews after this one, the oldest first.
    pub async fn queue(
        &self,
        after: Option<(DateTime<Utc>, &str)>,
        limit: i64,
    ) -> Result<Vec<QueuedReview>, ListingError> {
        let rows = sqlx::query!(
            "SELECT listings.id, listings.user_id, listings.version, listings.auto_check_score,
                    listings.escalated_at, versions.submitted_at,
                    versions.data ->> 'title' AS title
             FROM listings
             JOIN listing_versions AS versions
               ON versions.listing_id = listings.id AND versions.version = listings.version
             WHERE listings.status = 'pending_review'
               AND ($1::timestamptz IS NULL
                    OR (versions.submitted_at, listings.id) > ($1, $2::text))
             ORDER BY versions.submitted_at, listings.id
             LIMIT $3",
            after.map(|(at, _)| at),
            after.map(|(_, id)| id),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let reviews = rows.into_iter().map(|row| QueuedReview {
            listing_id: row.id,
            user_id: row.user_id,
            version: row.version,
            title: row.title.unwrap_or_default(),
            score: row
                .auto_check_score
                .and_then(|score| u8::try_from(score).ok())
                .map(Score::from_hundredths),
            submitted_at: row.submitted_at,
            escalated_at: row.escalated_at,
        });
        Ok(reviews.collect())
    }
}
