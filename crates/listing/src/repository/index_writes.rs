//! What the search index is told, in an order that the database gives.
//!
//! Each write takes the next number of its listing before it leaves, and the index keeps the write
//! with the highest. So a write that was held up on its way, even for hours, cannot undo a later one.
//! What came of a write is put down only if no later one has begun.
//!
//! A number is the database's clock in microseconds, or one more than the last if that is higher: it
//! grows also after the database was restored from a backup, when the index remembers later writes
//! than the database does.

use partner_core::ids::ListingId;
use sqlx::PgPool;
use sqlx::types::Json;

use super::{act_as, status};
use crate::error::ListingError;
use crate::model::{ListingStatus, PropertyData};

/// Numbers the writes to the search index, and keeps what the index shows.
#[derive(Debug, Clone)]
pub struct IndexWriteRepository {
    pool: PgPool,
}

/// A write that may leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexWrite {
    /// Its number: the index's version.
    pub number: i64,
}

/// An approved version that may be published now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The write.
    pub write: IndexWrite,
    /// Which version.
    pub version: i32,
    /// What it offers.
    pub property: PropertyData,
}

impl IndexWriteRepository {
    /// The index's writes of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Begins to publish the approved version.
    ///
    /// # Errors
    /// If the listing is not approved, or another version of it was meant.
    pub async fn begin_publication(
        &self,
        listing_id: &ListingId,
        version: Option<i32>,
    ) -> Result<Publication, ListingError> {
        let row = sqlx::query!(
            r#"UPDATE listings
               SET index_version = GREATEST(
                       index_version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
               FROM listing_versions
               WHERE listings.id = $1
                 AND listings.status = 'approved'
                 AND listings.version = COALESCE($2, listings.version)
                 AND listing_versions.listing_id = listings.id
                 AND listing_versions.version = listings.version
                 AND EXISTS (
                     SELECT FROM review_decisions
                     WHERE listing_id = listings.id AND review_decisions.version = listings.version
                       AND decision = 'approve')
               RETURNING listings.index_version, listings.version,
                         listing_versions.data AS "data: Json<PropertyData>""#,
            listing_id.as_str(),
            version
        )
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => Ok(Publication {
                write: IndexWrite {
                    number: row.index_version,
                },
                version: row.version,
                property: row.data.0,
            }),
            None => Err(self.why_not(listing_id, version).await?),
        }
    }

    /// Begins to take a listing out of the index.
    pub async fn begin_removal(&self, listing_id: &ListingId) -> Result<IndexWrite, ListingError> {
        let number = sqlx::query_scalar!(
            "UPDATE listings
             SET index_version = GREATEST(
                     index_version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
             WHERE id = $1
             RETURNING index_version",
            listing_id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| ListingError::NotFound(listing_id.to_string()))?;
        Ok(IndexWrite { number })
    }

    /// Puts down which version the index shows since this write, unless a later one has begun; tells
    /// whether it is the latest.
    pub async fn complete(
        &self,
        listing_id: &ListingId,
        write: IndexWrite,
        live_version: Option<i32>,
        actor: &str,
    ) -> Result<bool, ListingError> {
        let mut transaction = self.pool.begin().await?;
        act_as(&mut transaction, actor).await?;
        let updated = sqlx::query!(
            "UPDATE listings SET live_version = $3, updated_at = now()
             WHERE id = $1 AND index_version = $2",
            listing_id.as_str(),
            write.number,
            live_version
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(updated.rows_affected() == 1)
    }

    /// Whether the index shows a version by now, after a later write than its own has begun.
    ///
    /// # Errors
    /// Why it shall not be shown any more.
    pub async fn is_shown(
        &self,
        listing_id: &ListingId,
        version: i32,
    ) -> Result<bool, ListingError> {
        let shown = sqlx::query_scalar!(
            r#"SELECT live_version IS NOT DISTINCT FROM $2 AS "is_shown!"
               FROM listings
               WHERE id = $1 AND status = 'approved' AND version = $2"#,
            listing_id.as_str(),
            version
        )
        .fetch_optional(&self.pool)
        .await?;
        match shown {
            Some(is_shown) => Ok(is_shown),
            None => Err(self.why_not(listing_id, Some(version)).await?),
        }
    }

    /// Whether no later write than this has begun.
    pub async fn is_latest(
        &self,
        listing_id: &ListingId,
        write: IndexWrite,
    ) -> Result<bool, ListingError> {
        let latest = sqlx::query_scalar!(
            "SELECT index_version FROM listings WHERE id = $1",
            listing_id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(latest == Some(write.number))
    }

    async fn why_not(
        &self,
        listing_id: &ListingId,
        version: Option<i32>,
    ) -> Result<ListingError, ListingError> {
        let row = sqlx::query!(
            "SELECT status, version FROM listings WHERE id = $1",
            listing_id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else {
            return Ok(ListingError::NotFound(listing_id.to_string()));
        };
        Ok(match (status(&row.status)?, version) {
            (ListingStatus::Approved, Some(given)) if given != row.version => {
                ListingError::AnotherVersion {
                    listing: listing_id.to_string(),
                    current: row.version,
                    given,
                }
            }
            (ListingStatus::Approved, _) => ListingError::NotPublishable {
                listing: listing_id.to_string(),
                reason: format!("version {} of it was not approved", row.version),
            },
            (status, _) => ListingError::NotPublishable {
                listing: listing_id.to_string(),
                reason: format!("it is {status}, not approved"),
            },
        })
    }
}
