//! Decisions: one for each version of a listing, whoever races for it.

use chrono::{DateTime, Utc};
use partner_core::ids::ListingId;
use sqlx::{PgConnection, PgPool};

use super::{Locked, act_as, decision_of, lock, refused_step};
use crate::error::ListingError;
use crate::model::{Decision, ListingStatus, Provenance, ReviewDecision};
use crate::quality::Score;

/// Writes decisions down, together with what the listing becomes by them.
#[derive(Debug, Clone)]
pub struct DecisionRepository {
    pool: PgPool,
}

/// A decision to write down.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a> {
    /// The listing.
    pub listing_id: &'a ListingId,
    /// The version that was looked at; the latest without it.
    pub version: Option<i32>,
    /// What was decided.
    pub decision: Decision,
    /// What that rests on.
    pub provenance: Provenance,
    /// Who decided; empty if nobody was named.
    pub reviewer: &'a str,
    /// What the owner is told.
    pub comment: &'a str,
    /// The score that was known.
    pub score: Option<Score>,
    /// When it was decided; by the database's clock without it.
    pub decided_at: Option<DateTime<Utc>>,
    /// The workflow that writes it down.
    pub actor: &'a str,
}

impl DecisionRepository {
    /// Decisions of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes a decision down, and moves the listing by it; tells what stands. The same decision
    /// again changes nothing.
    ///
    /// # Errors
    /// If the version was decided otherwise, is not the latest any more, or the listing is not
    /// under review.
    pub async fn decide(&self, verdict: &Verdict<'_>) -> Result<ReviewDecision, ListingError> {
        let mut transaction = self.pool.begin().await?;
        act_as(&mut transaction, verdict.actor).await?;
        let id = verdict.listing_id.as_str();
        let found = lock(&mut transaction, id).await?;
        let version = version(verdict, &found)?;
        let decision = match decision_of(&mut transaction, id, version).await? {
            Some(decided) if decided.decision == verdict.decision => decided,
            Some(decided) => {
                return Err(ListingError::AlreadyDecided {
                    listing: id.to_owned(),
                    decided: Box::new(decided),
                });
            }
            None if found.status == ListingStatus::PendingReview => {
                insert(&mut transaction, verdict, version).await?
            }
            None => {
                return Err(ListingError::IllegalTransition {
                    listing: id.to_owned(),
                    from: found.status,
                    to: verdict.decision.status(),
                });
            }
        };
        if found.status != decision.decision.status() {
            move_listing(&mut transaction, id, &found, &decision).await?;
        }
        transaction.commit().await?;
        Ok(decision)
    }
}

fn version(verdict: &Verdict<'_>, found: &Locked) -> Result<i32, ListingError> {
    match verdict.version {
        Some(given) if given != found.version => Err(ListingError::AnotherVersion {
            listing: verdict.listing_id.to_string(),
            current: found.version,
            given,
        }),
        _ if found.version == 0 => Err(ListingError::Invalid(format!(
            "listing {} has no version that could be decided: submit it first",
            verdict.listing_id
        ))),
        _ => Ok(found.version),
    }
}

async fn insert(
    connection: &mut PgConnection,
    verdict: &Verdict<'_>,
    version: i32,
) -> Result<ReviewDecision, ListingError> {
    let decided_at = sqlx::query_scalar!(
        "INSERT INTO review_decisions
             (listing_id, version, decision, provenance, reviewer, comment, score, workflow_id, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, COALESCE($9, now()))
         RETURNING decided_at",
        verdict.listing_id.as_str(),
        version,
        verdict.decision.as_str(),
        verdict.provenance.as_str(),
        verdict.reviewer,
        verdict.comment,
        verdict.score.map(|score| i16::from(score.hundredths())),
        verdict.actor,
        verdict.decided_at
    )
    .fetch_one(connection)
    .await?;
    Ok(ReviewDecision {
        decision: verdict.decision,
        provenance: verdict.provenance,
        reviewer: verdict.reviewer.to_owned(),
        comment: verdict.comment.to_owned(),
        listing_version: version,
        score: verdict.score,
        decided_at,
    })
}

async fn move_listing(
    connection: &mut PgConnection,
    id: &str,
    found: &Locked,
    decision: &ReviewDecision,
) -> Result<(), ListingError> {
    let status = decision.decision.status();
    sqlx::query!(
        "UPDATE listings
         SET status = $2, status_reason = NULL, review_comment = $3, updated_at = now()
         WHERE id = $1",
        id,
        status.as_str(),
        decision.comment
    )
    .execute(connection)
    .await
    .map_err(|error| refused_step(error, id, found.status, status))?;
    Ok(())
}
