//! Until when listings are shown.

use chrono::{DateTime, Utc};
use partner_core::ids::ListingId;
use partner_core::sweep::Position;
use sqlx::PgPool;

use super::listings::is_same_user;
use super::{act_as, lock, refused_step, status};
use crate::error::ListingError;
use crate::model::ListingStatus;

/// Puts expirations off, and lets listings expire.
#[derive(Debug, Clone)]
pub struct ExpirationRepository {
    pool: PgPool,
}

/// A listing's expiration, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiration {
    /// Whose it is.
    pub user_id: String,
    /// How it stands.
    pub status: ListingStatus,
    /// Until when it is shown; for ever without it.
    pub expires_at: Option<DateTime<Utc>>,
    /// When that was last put off.
    pub renewed_at: Option<DateTime<Utc>>,
    /// What it is called.
    pub title: String,
}

impl Expiration {
    /// Whether the listing is shown beyond a date at which it was to expire.
    ///
    /// A listing of which no date is on record was renewed for ever, if it was renewed at all.
    pub fn is_renewed_beyond(&self, date: DateTime<Utc>) -> bool {
        is_renewed(self.expires_at, self.renewed_at, date)
    }
}

fn is_renewed(
    expires_at: Option<DateTime<Utc>>,
    renewed_at: Option<DateTime<Utc>>,
    date: DateTime<Utc>,
) -> bool {
    expires_at.map_or(renewed_at.is_some(), |at| at > date)
}

/// A listing that is shown, and expires soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiringListing {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// When.
    pub expires_at: DateTime<Utc>,
    /// Whether its expiration knows this date, or did when it began.
    pub is_told: bool,
}

/// What letting a listing expire came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expired {
    /// It is expired, now or before.
    Expired,
    /// It was renewed; until when, if not for ever.
    Renewed(Option<DateTime<Utc>>),
    /// It is not approved, so it cannot expire; which version the search index shows all the same.
    NotApproved(ListingStatus, Option<i32>),
}

impl ExpirationRepository {
    /// Expirations of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// A listing's expiration; `owner`, if given, must be whose it is.
    pub async fn lookup(
        &self,
        listing_id: &ListingId,
        owner: Option<&str>,
    ) -> Result<Expiration, ListingError> {
        let mut connection = self.pool.acquire().await?;
        let row = sqlx::query!(
            r#"SELECT user_id, status, expires_at, renewed_at,
                      COALESCE((
                          SELECT data ->> 'title'
                          FROM listing_versions
                          WHERE listing_id = listings.id AND listing_versions.version = listings.version
                      ), '') AS "title!"
               FROM listings
               WHERE id = $1"#,
            listing_id.as_str()
        )
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| ListingError::NotFound(listing_id.to_string()))?;
        if let Some(owner) = owner
            && owner != row.user_id
            && !is_same_user(&mut connection, &row.user_id, owner).await?
        {
            return Err(ListingError::NotTheOwner {
                listing: listing_id.to_string(),
                user: owner.to_owned(),
            });
        }
        Ok(Expiration {
            user_id: row.user_id,
            status: status(&row.status)?,
            expires_at: row.expires_at,
            renewed_at: row.renewed_at,
            title: row.title,
        })
    }

    /// Puts a listing's expiration off, or forward; the same date again changes nothing.
    ///
    /// # Errors
    /// If the listing is not shown.
    pub async fn renew(
        &self,
        listing_id: &ListingId,
        expires_at: DateTime<Utc>,
        actor: &str,
    ) -> Result<(), ListingError> {
        let mut transaction = self.pool.begin().await?;
        act_as(&mut transaction, actor).await?;
        let found = lock(&mut transaction, listing_id.as_str()).await?;
        if found.status != ListingStatus::Approved {
            return Err(ListingError::Invalid(format!(
                "listing {listing_id} is {}, only an approved listing can be renewed",
                found.status
            )));
        }
        sqlx::query!(
            "UPDATE listings
             SET expires_at = $2, renewed_at = now(), updated_at = now(), expiration_told = $2
             WHERE id = $1 AND expires_at IS DISTINCT FROM $2",
            listing_id.as_str(),
            expires_at
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<DateTime<Utc>, ListingError> {
        let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
            .fetch_one(&self.pool)
            .await?;
        Ok(now)
    }

    /// How many listings are shown and expire until then.
    pub async fn count_expiring(&self, until: DateTime<Utc>) -> Result<u64, ListingError> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM listings WHERE status = 'approved' AND expires_at <= $1"#,
            until
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Those listings after a place, the earliest date first.
    pub async fn expiring(
        &self,
        until: DateTime<Utc>,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<ExpiringListing>, ListingError> {
        let (at, id) = match after {
            Some(Position { at, id }) => (Some(*at), id.as_str()),
            None => (None, ""),
        };
        let expiring = sqlx::query_as!(
            ExpiringListing,
            r#"SELECT id, user_id, expires_at AS "expires_at!",
                      expiration_told IS NOT DISTINCT FROM expires_at AS "is_told!"
               FROM listings
               WHERE status = 'approved' AND expires_at <= $1 AND (expires_at, id) > (COALESCE($2::timestamptz, '-infinity'), $3)
               ORDER BY expires_at, id
               LIMIT $4"#,
            until,
            at,
            id,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(expiring)
    }

    /// Writes down that a listing's expiration knows this date.
    pub async fn mark_told(
        &self,
        listing_id: &str,
        date: DateTime<Utc>,
    ) -> Result<(), ListingError> {
        sqlx::query!(
            "UPDATE listings SET expiration_told = expires_at WHERE id = $1 AND expires_at = $2",
            listing_id,
            date
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Lets a listing expire, unless it was renewed beyond `date`; without one, whether it was
    /// renewed or not.
    pub async fn expire(
        &self,
        listing_id: &ListingId,
        date: Option<DateTime<Utc>>,
        actor: &str,
    ) -> Result<Expired, ListingError> {
        let mut transaction = self.pool.begin().await?;
        act_as(&mut transaction, actor).await?;
        let id = listing_id.as_str();
        let found = lock(&mut transaction, id).await?;
        let from = found.status;
        match from {
            ListingStatus::Expired => return Ok(Expired::Expired),
            ListingStatus::Approved => {}
            other => return Ok(Expired::NotApproved(other, found.live_version)),
        }
        let until = sqlx::query!(
            "SELECT expires_at, renewed_at FROM listings WHERE id = $1",
            id
        )
        .fetch_one(&mut *transaction)
        .await?;
        if date.is_some_and(|date| is_renewed(until.expires_at, until.renewed_at, date)) {
            return Ok(Expired::Renewed(until.expires_at));
        }
        sqlx::query!(
            "UPDATE listings SET status = 'expired', status_reason = NULL, updated_at = now() WHERE id = $1",
            id
        )
        .execute(&mut *transaction)
        .await
        .map_err(|error| refused_step(error, id, from, ListingStatus::Expired))?;
        transaction.commit().await?;
        Ok(Expired::Expired)
    }
}
