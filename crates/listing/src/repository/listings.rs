//! Listings and their versions.

use chrono::{DateTime, Utc};
use partner_core::ids::{ListingId, UserId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

use super::{Locked, act_as, decision_of, lock, refused_step};
use crate::error::ListingError;
use crate::model::{Decision, ListingStatus, PropertyData, ReviewDecision};
use crate::quality::Score;

/// Takes listings in, and moves them along their state machine.
#[derive(Debug, Clone)]
pub struct ListingRepository {
    pool: PgPool,
}

/// What an owner submits.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// The listing. One that does not exist is created.
    pub listing_id: &'a ListingId,
    /// The owner: a user's id, or their email address.
    pub user_id: &'a UserId,
    /// What is offered.
    pub property: &'a PropertyData,
    /// Until when it shall be shown; what is on record stays without it.
    pub expires_at: Option<DateTime<Utc>>,
    /// The workflow that reviews it.
    pub workflow_id: &'a str,
}

/// What a submission came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its version: a new one if what is offered changed, or was decided before.
    pub version: i32,
    /// How the listing stood.
    pub status: ListingStatus,
    /// The version that the search index shows.
    pub live_version: Option<i32>,
    /// What was decided about this very version before: a run that was cut off goes on from there.
    pub decision: Option<ReviewDecision>,
    /// Until when it is shown.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a listing shall become.
#[derive(Debug, Clone, Copy)]
pub struct StatusChange<'a> {
    /// The listing.
    pub listing_id: &'a ListingId,
    /// What it shall become; a decision is not made here.
    pub status: ListingStatus,
    /// Why; a status without a reason clears that of the one before.
    pub reason: Option<&'a str>,
    /// What its owner is told about it; what is on record stays without it.
    pub comment: Option<&'a str>,
    /// The score of the current version; what is on record stays without it.
    pub score: Option<Score>,
    /// Who changes it.
    pub actor: &'a str,
}

impl ListingRepository {
    /// Listings of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Takes a submission in: creates the listing if it is unknown, gives what is offered a version,
    /// and claims the review for the workflow.
    ///
    /// # Errors
    /// If the listing is someone else's, or under review by another workflow; nothing has changed
    /// then.
    pub async fn submit(&self, submission: &Submission<'_>) -> Result<Submitted, ListingError> {
        let mut transaction = self.pool.begin().await?;
        act_as(&mut transaction, submission.workflow_id).await?;
        create_if_unknown(&mut transaction, submission).await?;
        let found = lock(&mut transaction, submission.listing_id.as_str()).await?;
        check_owner(&mut transaction, submission, &found).await?;
        check_claim(submission, &found)?;
        let decision = standing_decision(&mut transaction, submission, &found).await?;
        let is_known = matches!(decision, Standing::Undecided | Standing::Approved(_));
        let version = if is_known {
            found.version
        } else {
            insert_version(&mut transaction, submission, found.version + 1).await?
        };
        let expires_at = claim(&mut transaction, submission, version).await?;
        transaction.commit().await?;
        Ok(Submitted {
            version,
            status: found.status,
            live_version: found.live_version,
            decision: match decision {
                Standing::Approved(decision) => Some(decision),
                Standing::Undecided | Standing::New => None,
            },
            expires_at,
        })
    }

    /// Moves a listing to a status, along the state machine that the database guards; tells which
    /// version the search index shows.
    pub async fn change_status(
        &self,
        change: &StatusChange<'_>,
    ) -> Result<Option<i32>, ListingError> {
        let mut transaction = self.pool.begin().await?;
        act_as(&mut transaction, change.actor).await?;
        let id = change.listing_id.as_str();
        let found = lock(&mut transaction, id).await?;
        if change.status == ListingStatus::PendingReview {
            check_claimant(change, &found)?;
        }
        sqlx::query!(
            "UPDATE listings
             SET status = $2,
                 status_reason = $3,
                 review_comment = COALESCE($4, review_comment),
                 auto_check_score = COALESCE($5, auto_check_score),
                 updated_at = now()
             WHERE id = $1",
            id,
            change.status.as_str(),
            change.reason,
            change.comment,
            change.score.map(|score| i16::from(score.hundredths()))
        )
        .execute(&mut *transaction)
        .await
        .map_err(|error| refused_step(error, id, found.status, change.status))?;
        transaction.commit().await?;
        Ok(found.live_version)
    }

    /// The version that the search index shows, if it shows any.
    pub async fn live_version(&self, listing_id: &str) -> Result<Option<i32>, ListingError> {
        let live = sqlx::query_scalar!(
            "SELECT live_version FROM listings WHERE id = $1",
            listing_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(live.flatten())
    }

    /// What a version of a listing offers.
    pub async fn version(
        &self,
        listing_id: &str,
        version: i32,
    ) -> Result<Option<PropertyData>, ListingError> {
        let data = sqlx::query_scalar!(
            r#"SELECT data AS "data: Json<PropertyData>"
               FROM listing_versions
               WHERE listing_id = $1 AND version = $2"#,
            listing_id,
            version
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(data.map(|Json(property)| property))
    }
}

/// How what is submitted stands to the latest version.
enum Standing {
    /// It is that, and waits for a decision.
    Undecided,
    /// It is that, and it was approved: what is missing is only to publish it.
    Approved(ReviewDecision),
    /// It is something else, or submitted once more after it was decided.
    New,
}

async fn create_if_unknown(
    connection: &mut PgConnection,
    submission: &Submission<'_>,
) -> Result<(), ListingError> {
    sqlx::query!(
        "INSERT INTO listings (id, user_id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        submission.listing_id.as_str(),
        submission.user_id.as_str()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A user is the same by their id and by their address.
async fn check_owner(
    connection: &mut PgConnection,
    submission: &Submission<'_>,
    found: &Locked,
) -> Result<(), ListingError> {
    let user_id = submission.user_id.as_str();
    if found.user_id == user_id || is_same_user(connection, &found.user_id, user_id).await? {
        return Ok(());
    }
    Err(ListingError::NotTheOwner {
        listing: submission.listing_id.to_string(),
        user: user_id.to_owned(),
    })
}

pub(super) async fn is_same_user(
    connection: &mut PgConnection,
    one: &str,
    other: &str,
) -> Result<bool, ListingError> {
    let is_same = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM users
               WHERE (id = $1 AND lower(email) = lower($2)) OR (id = $2 AND lower(email) = lower($1))
           ) AS "is_same!""#,
        one,
        other
    )
    .fetch_one(connection)
    .await?;
    Ok(is_same)
}

fn check_claim(submission: &Submission<'_>, found: &Locked) -> Result<(), ListingError> {
    match &found.review_workflow_id {
        Some(workflow)
            if found.status == ListingStatus::PendingReview
                && workflow != submission.workflow_id =>
        {
            Err(ListingError::UnderReview {
                listing: submission.listing_id.to_string(),
                workflow: workflow.clone(),
            })
        }
        _ => Ok(()),
    }
}

/// Of two workflows that took a listing in, the later one reviews it.
fn check_claimant(change: &StatusChange<'_>, found: &Locked) -> Result<(), ListingError> {
    match &found.review_workflow_id {
        Some(workflow) if workflow != change.actor => Err(ListingError::UnderReview {
            listing: change.listing_id.to_string(),
            workflow: workflow.clone(),
        }),
        _ => Ok(()),
    }
}

async fn standing_decision(
    connection: &mut PgConnection,
    submission: &Submission<'_>,
    found: &Locked,
) -> Result<Standing, ListingError> {
    let id = submission.listing_id.as_str();
    let is_same = sqlx::query_scalar!(
        r#"SELECT data = $3 AS "is_same!"
           FROM listing_versions
           WHERE listing_id = $1 AND version = $2"#,
        id,
        found.version,
        Json(submission.property) as _
    )
    .fetch_optional(&mut *connection)
    .await?;
    if is_same != Some(true) {
        return Ok(Standing::New);
    }
    let decision = decision_of(connection, id, found.version).await?;
    let is_unfinished = matches!(found.status, ListingStatus::Approved | ListingStatus::Error);
    Ok(match decision {
        None => Standing::Undecided,
        Some(decision) if decision.decision == Decision::Approve && is_unfinished => {
            Standing::Approved(decision)
        }
        // Rejected, withdrawn or expired since: the same again is decided again.
        Some(_) => Standing::New,
    })
}

async fn insert_version(
    connection: &mut PgConnection,
    submission: &Submission<'_>,
    version: i32,
) -> Result<i32, ListingError> {
    sqlx::query!(
        "INSERT INTO listing_versions (listing_id, version, data) VALUES ($1, $2, $3)",
        submission.listing_id.as_str(),
        version,
        Json(submission.property) as _
    )
    .execute(connection)
    .await?;
    Ok(version)
}

/// The version becomes the latest, and its review is the workflow's; tells until when the listing
/// is shown.
async fn claim(
    connection: &mut PgConnection,
    submission: &Submission<'_>,
    version: i32,
) -> Result<Option<DateTime<Utc>>, ListingError> {
    let expires_at = sqlx::query_scalar!(
        "UPDATE listings
         SET version = $2,
             review_workflow_id = $3,
             expires_at = COALESCE($4, expires_at),
             escalated_at = CASE WHEN version = $2 THEN escalated_at END,
             updated_at = now()
         WHERE id = $1
         RETURNING expires_at",
        submission.listing_id.as_str(),
        version,
        submission.workflow_id,
        submission.expires_at
    )
    .fetch_one(connection)
    .await?;
    Ok(expires_at)
}
