//! The tables of the listing domain, one file an aggregate.

mod audit;
mod decisions;
mod expirations;
mod index_writes;
mod listings;
mod reviewers;
mod reviews;

pub use audit::{AuditEntry, AuditRepository};
pub use decisions::{DecisionRepository, Verdict};
pub use expirations::{Expiration, ExpirationRepository, Expired, ExpiringListing};
pub use index_writes::{IndexWrite, IndexWriteRepository, Publication};
pub use listings::{ListingRepository, StatusChange, Submission, Submitted};
pub use reviewers::{Reviewer, ReviewerRepository};
pub use reviews::{QueuedReview, ReviewRepository};

use sqlx::PgConnection;

use crate::error::ListingError;
use crate::model::{Decision, ListingStatus, Provenance, ReviewDecision};
use crate::quality::Score;

/// Says who acts until the transaction ends: the audit trail has it from here.
async fn act_as(connection: &mut PgConnection, actor: &str) -> Result<(), ListingError> {
    sqlx::query_scalar!("SELECT set_config('partner.actor', $1, true)", actor)
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// A listing as whoever changes it finds it.
struct Locked {
    user_id: String,
    status: ListingStatus,
    version: i32,
    live_version: Option<i32>,
    review_workflow_id: Option<String>,
}

/// Finds a listing, and keeps others from changing it until the transaction ends.
async fn lock(connection: &mut PgConnection, listing_id: &str) -> Result<Locked, ListingError> {
    let row = sqlx::query!(
        "SELECT user_id, status, version, live_version, review_workflow_id
         FROM listings
         WHERE id = $1
         FOR NO KEY UPDATE",
        listing_id
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| ListingError::NotFound(listing_id.to_owned()))?;
    Ok(Locked {
        user_id: row.user_id,
        status: status(&row.status)?,
        version: row.version,
        live_version: row.live_version,
        review_workflow_id: row.review_workflow_id,
    })
}

fn status(text: &str) -> Result<ListingStatus, ListingError> {
    ListingStatus::from_text(text).ok_or_else(|| unknown("status", text))
}

fn unknown(what: &str, text: &str) -> ListingError {
    ListingError::Invalid(format!("unknown {what} {text:?} in the database"))
}

/// The database's refusal of a step, in the domain's words.
fn refused_step(
    error: sqlx::Error,
    listing_id: &str,
    from: ListingStatus,
    to: ListingStatus,
) -> ListingError {
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    match constraint {
        Some("listings_status_step" | "listings_decided") => ListingError::IllegalTransition {
            listing: listing_id.to_owned(),
            from,
            to,
        },
        _ => error.into(),
    }
}

/// What was decided about a version, if anything was.
async fn decision_of(
    connection: &mut PgConnection,
    listing_id: &str,
    version: i32,
) -> Result<Option<ReviewDecision>, ListingError> {
    let row = sqlx::query!(
        "SELECT decision, provenance, reviewer, comment, score, decided_at
         FROM review_decisions
         WHERE listing_id = $1 AND version = $2",
        listing_id,
        version
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(ReviewDecision {
            decision: Decision::from_text(&row.decision)
                .ok_or_else(|| unknown("decision", &row.decision))?,
            provenance: Provenance::from_text(&row.provenance)
                .ok_or_else(|| unknown("provenance", &row.provenance))?,
            reviewer: row.reviewer,
            comment: row.comment,
            listing_version: version,
            score: score(row.score),
            decided_at: row.decided_at,
        })
    })
    .transpose()
}

fn score(hundredths: Option<i16>) -> Option<Score> {
    let hundredths = u8::try_from(hundredths?).ok()?;
    Some(Score::from_hundredths(hundredths))
}
