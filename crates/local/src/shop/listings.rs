//! Listings: who decides about them, and what was decided.

use chrono::{DateTime, Utc};

use super::Shop;

/// A listing as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ListingRow {
    /// How it stands.
    pub status: String,
    /// Its latest version.
    pub version: i32,
    /// The version that the search index shows.
    pub live_version: Option<i32>,
    /// Until when it is shown.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A decision about a version.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DecisionRow {
    /// Which version.
    pub version: i32,
    /// `approve` or `reject`.
    pub decision: String,
    /// `human`, `rule` or `timeout`.
    pub provenance: String,
    /// Who decided; empty if nobody was named.
    pub reviewer: String,
}

impl Shop {
    /// Lets a user review listings, and lead those who do.
    pub async fn add_reviewer(&self, user_id: &str, is_lead: bool) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO reviewers (user_id, is_lead) VALUES ($1, $2)
             ON CONFLICT (user_id) DO UPDATE SET is_lead = EXCLUDED.is_lead",
        )
        .bind(user_id)
        .bind(is_lead)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// A listing, as it stands; none if nobody knows it.
    pub async fn listing(&self, id: &str) -> Result<Option<ListingRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT status, version, live_version, expires_at FROM listings WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await
    }

    /// How many listings stand so.
    pub async fn listings_of_status(&self, status: &str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT count(*) FROM listings WHERE status = $1")
            .bind(status)
            .fetch_one(&self.pool)
            .await
    }

    /// What was decided about a listing, the oldest version first.
    pub async fn decisions(&self, listing_id: &str) -> Result<Vec<DecisionRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT version, decision, provenance, reviewer
             FROM review_decisions WHERE listing_id = $1 ORDER BY version",
        )
        .bind(listing_id)
        .fetch_all(&self.pool)
        .await
    }

    /// Puts a listing's expiration off as the listing service would, which knows no workflows; for
    /// ever without a date.
    pub async fn renew_listing(
        &self,
        id: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE listings SET expires_at = $2, renewed_at = now() WHERE id = $1")
            .bind(id)
            .bind(until)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Gives a listing another date, as the listing service would, which knows no workflows.
    pub async fn date_listing(&self, id: &str, date: DateTime<Utc>) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE listings SET expires_at = $2 WHERE id = $1")
            .bind(id)
            .bind(date)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<DateTime<Utc>, sqlx::Error> {
        sqlx::query_scalar("SELECT now()")
            .fetch_one(&self.pool)
            .await
    }
}
