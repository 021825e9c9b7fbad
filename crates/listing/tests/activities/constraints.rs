//! What the database refuses by itself, whoever writes SQL: decisions that make no sense, and any
//! change of versions, decisions and the trail.

use anyhow::{Context, Result};
use partner_listing::model::{Decision, ListingStatus};
use serde_json::json;

use crate::answers::{constraint, done};
use crate::support::{World, edited};

/// How the past could be changed, and the name of what is in the way.
const CHANGES: [(&str, &str); 12] = [
    (
        "listing_versions_append_only",
        "UPDATE listing_versions SET data = '{}'",
    ),
    (
        "listing_versions_append_only",
        "UPDATE listing_versions SET data = data WHERE false",
    ),
    (
        "listing_versions_append_only",
        "DELETE FROM listing_versions",
    ),
    (
        "listing_versions_append_only",
        "TRUNCATE listing_versions CASCADE",
    ),
    (
        "listing_versions_append_only",
        "INSERT INTO listing_versions (listing_id, version, data) VALUES ('listing-1', 1, '{}')
         ON CONFLICT (listing_id, version) DO UPDATE SET data = excluded.data",
    ),
    (
        "review_decisions_append_only",
        "UPDATE review_decisions SET decision = 'reject'",
    ),
    (
        "review_decisions_append_only",
        "DELETE FROM review_decisions",
    ),
    ("review_decisions_append_only", "TRUNCATE review_decisions"),
    (
        "review_decisions_append_only",
        "INSERT INTO review_decisions (listing_id, version, decision, provenance)
         VALUES ('listing-1', 1, 'reject', 'human')
         ON CONFLICT ON CONSTRAINT review_decisions_once DO UPDATE SET decision = 'reject'",
    ),
    (
        "listing_audit_append_only",
        "UPDATE listing_audit SET actor = 'nobody'",
    ),
    ("listing_audit_append_only", "DELETE FROM listing_audit"),
    ("listing_audit_append_only", "TRUNCATE listing_audit"),
];

#[tokio::test]
async fn versions_decisions_and_the_trail_are_never_changed() -> Result<()> {
    let world = World::start().await?.live().await?;
    let before = world.everything().await?;
    for (name, change) in CHANGES {
        let refused = sqlx::query(change).execute(&world.pool).await;
        assert_eq!(constraint(refused).context(change)?, name, "{change}");
        assert_eq!(world.everything().await?, before, "{change}");
    }
    Ok(())
}

#[tokio::test]
async fn versions_decisions_and_the_trail_still_grow() -> Result<()> {
    let world = World::start().await?.live().await?;
    let edit = json!({"propertyData": edited("Flat by the sea")});
    done(world.submit(edit).await)?;
    world.become_status(ListingStatus::PendingReview).await?;
    done(world.decide(Decision::Reject, json!({})).await)?;
    assert_eq!(world.decisions().await?.len(), 2);
    assert_eq!(
        world.trail().await?[6..],
        [
            "version_submitted v2",
            "status_changed v2",
            "decided v2",
            "status_changed v2"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_listing_does_not_go_away_with_its_history() -> Result<()> {
    let world = World::start().await?.live().await?;
    let before = world.everything().await?;
    for statement in [
        "DELETE FROM listings",
        "TRUNCATE listings CASCADE",
        "UPDATE listings SET id = 'listing-2'",
    ] {
        let refused = sqlx::query(statement).execute(&world.pool).await;
        let name = constraint(refused).context(statement)?;
        assert!(
            name.ends_with("_append_only") || name.ends_with("_listing_id_fkey"),
            "{statement}: {name}"
        );
        assert_eq!(world.everything().await?, before, "{statement}");
    }
    Ok(())
}

#[tokio::test]
async fn the_database_takes_no_decision_that_makes_no_sense() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    for (decision, provenance, score, name) in [
        ("reject", "rule", None, "review_decisions_rule_approves"),
        (
            "approve",
            "timeout",
            None,
            "review_decisions_timeout_rejects",
        ),
        ("approve", "whim", None, "review_decisions_provenance_known"),
        ("maybe", "human", None, "review_decisions_known"),
        (
            "approve",
            "human",
            Some(101_i16),
            "review_decisions_score_in_range",
        ),
        (
            "approve",
            "human",
            Some(-1),
            "review_decisions_score_in_range",
        ),
    ] {
        assert_eq!(
            constraint(insert(&world, 1, decision, provenance, score).await)?,
            name
        );
    }
    // There is nothing to decide without a version, and nothing any more with a decision.
    let unknown = constraint(insert(&world, 2, "approve", "human", None).await)?;
    assert_eq!(unknown, "review_decisions_listing_id_version_fkey");
    insert(&world, 1, "approve", "human", None).await?;
    let second = constraint(insert(&world, 1, "reject", "human", None).await)?;
    assert_eq!(second, "review_decisions_once");
    Ok(())
}

async fn insert(
    world: &World,
    version: i32,
    decision: &str,
    provenance: &str,
    score: Option<i16>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO review_decisions (listing_id, version, decision, provenance, score)
         VALUES ('listing-1', $1, $2, $3, $4)",
    )
    .bind(version)
    .bind(decision)
    .bind(provenance)
    .bind(score)
    .execute(&world.pool)
    .await
    .map(drop)
}
