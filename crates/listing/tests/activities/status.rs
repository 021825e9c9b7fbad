//! `updateListingStatus`: the state machine, in the database and in the model.

use anyhow::{Context, Result};
use partner_listing::model::{Decision, ListingStatus};
use serde_json::{Value, json};

use crate::answers::{constraint, done, failure, refused};
use crate::support::{LISTING, World, edited, property, with};

use ListingStatus::{Approved, Draft, Error, Expired, PendingReview, Rejected, ValidationFailed};

/// What becomes a status by a decision.
const DECISIONS: [Decision; 2] = [Decision::Approve, Decision::Reject];

/// A listing of this status with one version, as if it had come there by itself.
async fn put(world: &World, id: &str, status: ListingStatus) -> Result<()> {
    sqlx::query("INSERT INTO listings (id, user_id, status, version) VALUES ($1, 'ana', $2, 1)")
        .bind(id)
        .bind(status.as_str())
        .execute(&world.pool)
        .await?;
    put_version(world, id, 1).await?;
    match status {
        Approved | Expired => put_decision(world, id, 1, Decision::Approve).await,
        Rejected => put_decision(world, id, 1, Decision::Reject).await,
        _ => Ok(()),
    }
}

async fn put_version(world: &World, id: &str, version: i32) -> Result<()> {
    sqlx::query("INSERT INTO listing_versions (listing_id, version, data) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(version)
        .bind(property())
        .execute(&world.pool)
        .await?;
    Ok(())
}

async fn put_decision(world: &World, id: &str, version: i32, decision: Decision) -> Result<()> {
    sqlx::query(
        "INSERT INTO review_decisions (listing_id, version, decision, provenance)
         VALUES ($1, $2, $3, 'human')",
    )
    .bind(id)
    .bind(version)
    .bind(decision.as_str())
    .execute(&world.pool)
    .await?;
    Ok(())
}

/// What a listing is once someone has tried to make it this by hand.
async fn set(world: &World, id: &str, status: ListingStatus) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE listings SET status = $2 WHERE id = $1")
        .bind(id)
        .bind(status.as_str())
        .execute(&world.pool)
        .await
        .map(drop)
}

async fn status_of(world: &World, id: &str) -> Result<String> {
    let status = sqlx::query_scalar("SELECT status FROM listings WHERE id = $1");
    Ok(status.bind(id).fetch_one(&world.pool).await?)
}

/// Every pair of statuses.
fn pairs() -> impl Iterator<Item = (ListingStatus, ListingStatus)> {
    let all = ListingStatus::ALL.iter().copied();
    all.clone()
        .flat_map(move |from| all.clone().map(move |to| (from, to)))
}

fn is_by_decision(status: ListingStatus) -> bool {
    DECISIONS.iter().any(|decision| decision.status() == status)
}

#[tokio::test]
async fn the_database_and_the_model_agree_on_every_step() -> Result<()> {
    let world = World::start().await?;
    for (from, to) in pairs() {
        let id = format!("{from}-{to}");
        put(&world, &id, from).await?;
        // Another version, decided as the step needs it.
        put_version(&world, &id, 2).await?;
        if let Some(decision) = DECISIONS.iter().find(|decision| decision.status() == to) {
            put_decision(&world, &id, 2, *decision).await?;
        }
        let submit = sqlx::query("UPDATE listings SET version = 2 WHERE id = $1");
        submit.bind(&id).execute(&world.pool).await?;

        let updated = set(&world, &id, to).await;
        if from.may_become(to) {
            updated.with_context(|| format!("only the model allows {id}"))?;
            assert_eq!(status_of(&world, &id).await?, to.as_str());
        } else {
            let name =
                constraint(updated).with_context(|| format!("only the database allows {id}"))?;
            assert_eq!(name, "listings_status_step", "{id}");
            assert_eq!(status_of(&world, &id).await?, from.as_str());
        }
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_approved_or_rejected_without_a_decision_of_its_version() -> Result<()> {
    let world = World::start().await?;
    for from in [PendingReview, Error] {
        for (decision, other) in [
            (Decision::Approve, Decision::Reject),
            (Decision::Reject, Decision::Approve),
        ] {
            let to = decision.status();
            if !from.may_become(to) {
                continue;
            }
            let id = format!("{from}-{to}");
            put(&world, &id, from).await?;
            assert_eq!(constraint(set(&world, &id, to).await)?, "listings_decided");
            // That of the version before is not one of this.
            put_decision(&world, &id, 1, decision).await?;
            put_version(&world, &id, 2).await?;
            let submit = sqlx::query("UPDATE listings SET version = 2 WHERE id = $1");
            submit.bind(&id).execute(&world.pool).await?;
            assert_eq!(constraint(set(&world, &id, to).await)?, "listings_decided");
            // Nor is the opposite one.
            put_decision(&world, &id, 2, other).await?;
            assert_eq!(constraint(set(&world, &id, to).await)?, "listings_decided");
            assert_eq!(status_of(&world, &id).await?, from.as_str());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_listing_takes_the_steps_of_the_state_machine_and_no_others() -> Result<()> {
    let world = World::start().await?;
    for (from, to) in pairs().filter(|(_, to)| !is_by_decision(*to)) {
        let id = format!("{from}-{to}");
        put(&world, &id, from).await?;
        let update = || world.update(json!({"listingId": id, "status": to}));
        if from.may_become(to) {
            for _ in 0..2 {
                let result = done(update().await).context(id.clone())?;
                assert_eq!((result.listing_id, result.status), (id.clone(), to));
                assert!(result.success);
                assert_eq!(status_of(&world, &id).await?, to.as_str(), "{id}");
            }
            let entries = world.audit.list(&id).await?;
            let steps = entries
                .iter()
                .filter(|entry| entry.action == "status_changed");
            assert_eq!(steps.count(), usize::from(from != to), "{id}");
        } else {
            let error = refused(update().await).context(id.clone())?;
            let says = format!("listing {id} is {from}, it cannot become {to}; possible: ");
            assert!(error.starts_with(&says), "{error}");
            assert_eq!(status_of(&world, &id).await?, from.as_str(), "{id}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_names_what_is_possible() -> Result<()> {
    let world = World::start().await?;
    for (from, to, possible) in [
        (Draft, Expired, "pending_review, validation_failed, error"),
        (
            PendingReview,
            Expired,
            "draft, approved, rejected, validation_failed, error",
        ),
        (
            Rejected,
            Expired,
            "draft, pending_review, validation_failed, error",
        ),
        (ValidationFailed, Expired, "draft, pending_review, error"),
        (
            Error,
            Expired,
            "draft, pending_review, approved, validation_failed",
        ),
        // What a decision cannot do is said in the same words.
        (Draft, Approved, "pending_review, validation_failed, error"),
        (ValidationFailed, Rejected, "draft, pending_review, error"),
    ] {
        let id = format!("{from}-{to}");
        put(&world, &id, from).await?;
        let error = refused(world.update(json!({"listingId": id, "status": to})).await)?;
        assert_eq!(
            error,
            format!("listing {id} is {from}, it cannot become {to}; possible: {possible}")
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_reason_is_kept_until_a_status_comes_without_one() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let failed = json!({"status": "validation_failed", "reason": "title: too\0 short"});
    for _ in 0..2 {
        done(world.update(failed.clone()).await)?;
        assert_eq!(world.column("status_reason").await?, "title: too short");
    }
    // A refused step leaves the reason as it leaves the status.
    refused(
        world
            .update(json!({"status": "expired", "reason": "over"}))
            .await,
    )?;
    assert_eq!(world.column("status_reason").await?, "title: too short");

    done(world.update(json!({"status": "pending_review"})).await)?;
    assert_eq!(world.column("status_reason").await?, Value::Null);

    // An error stands in for a reason, and does not stand in its way.
    for (changes, reason) in [
        (json!({"errorMessage": "no index"}), "no index"),
        (
            json!({"reason": "later", "errorMessage": "no index"}),
            "later",
        ),
    ] {
        done(world.update(with_status(Error, &changes)).await)?;
        assert_eq!(world.column("status_reason").await?, reason);
    }
    Ok(())
}

fn with_status(status: ListingStatus, changes: &Value) -> Value {
    with(json!({"status": status}), changes.clone())
}

#[tokio::test]
async fn comment_and_score_stay_until_others_come() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    for (changes, comment, score) in [
        (json!({}), json!(null), json!(null)),
        (json!({"autoCheckScore": 0.85}), json!(null), json!(85)),
        (
            json!({"reviewComment": "Ask\0 again"}),
            json!("Ask again"),
            json!(85),
        ),
        (json!({}), json!("Ask again"), json!(85)),
        (
            json!({"autoCheckScore": 0, "reviewComment": ""}),
            json!(""),
            json!(0),
        ),
    ] {
        done(world.update(with_status(PendingReview, &changes)).await)?;
        let listing = world.listing().await?;
        assert_eq!(listing["review_comment"], comment, "{changes}");
        assert_eq!(listing["auto_check_score"], score, "{changes}");
    }
    Ok(())
}

#[tokio::test]
async fn twice_has_one_effect() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let update = json!({"status": "error", "errorMessage": "no index", "autoCheckScore": 0.5});
    let first = done(world.update(update.clone()).await)?;
    let before = world.everything().await?;
    assert_eq!(done(world.update(update).await)?, first);
    assert_eq!(world.everything().await?, before);
    assert_eq!(world.times("status_changed").await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_answer_tells_what_the_public_finds() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let review = json!({"status": "pending_review"});
    assert_eq!(done(world.update(review.clone()).await)?.live_version, None);
    done(world.decide(Decision::Approve, json!({})).await)?;
    done(world.publish(json!({})).await)?;
    done(
        world
            .submit(json!({"propertyData": edited("Flat by the sea")}))
            .await,
    )?;
    assert_eq!(done(world.update(review).await)?.live_version, Some(1));
    Ok(())
}

#[tokio::test]
async fn an_unknown_listing_is_refused() -> Result<()> {
    let world = World::start().await?;
    for status in ListingStatus::ALL {
        let error = refused(world.update(json!({"status": status})).await)?;
        assert_eq!(error, format!("listing {LISTING} does not exist"));
    }
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_by_the_name_of_its_field() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let before = world.everything().await?;
    for (field, changes) in [
        ("status", json!({})),
        ("status", json!({"status": "lost"})),
        ("listingId", json!({"status": "draft", "listingId": ""})),
        ("reason", json!({"status": "error", "reason": 7})),
        (
            "autoCheckScore",
            json!({"status": "draft", "autoCheckScore": 1.5}),
        ),
        (
            "autoCheckScore",
            json!({"status": "draft", "autoCheckScore": -0.1}),
        ),
        (
            "autoCheckScore",
            json!({"status": "draft", "autoCheckScore": "0.5"}),
        ),
        ("invalid type", json!(null)),
    ] {
        let error = refused(world.update(changes.clone()).await)?;
        assert!(error.contains(field), "{changes}: {error}");
    }
    assert_eq!(world.everything().await?, before);
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_gone_is_tried_again() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    world.pool.close().await;
    let failure = failure(world.update(json!({"status": "pending_review"})).await)?;
    assert_eq!(
        (failure.code.as_str(), failure.retryable),
        ("DATABASE_ERROR", true)
    );
    Ok(())
}
