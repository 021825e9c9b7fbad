//! What keeps a listing from being shown, decided or claimed by whoever must not.

use anyhow::{Context, Result};
use partner_core::ports::search_index::SearchIndex;
use partner_listing::model::{Decision, ListingStatus};
use serde_json::{Value, json};

use crate::answers::{done, failure, refused};
use crate::doubles::Moment;
use crate::support::{World, edited, property};

/// A listing of which another version was submitted, and nobody has looked at it.
async fn with_an_edit(world: World) -> Result<World> {
    let edit = json!({ "propertyData": edited("Never looked at by anyone") });
    done(world.submit(edit).await)?;
    Ok(world)
}

#[tokio::test]
async fn an_edit_that_nobody_approved_is_not_published() -> Result<()> {
    let world = with_an_edit(World::start().await?.live().await?).await?;
    let edit = json!({ "propertyData": edited("Never looked at by anyone"), "listingVersion": 2 });
    let reason = refused(world.publish(edit).await)?;
    assert!(
        reason.contains("version 2 of it was not approved"),
        "{reason}"
    );
    assert_eq!(world.column("live_version").await?, json!(1));
    Ok(())
}

#[tokio::test]
async fn a_listing_that_another_service_wrote_as_approved_is_not_published() -> Result<()> {
    let world = World::start().await?;
    world
        .run(
            "INSERT INTO listings (id, user_id, status, version) VALUES ($1, 'ana', 'approved', 1)",
        )
        .await?;
    sqlx::query("INSERT INTO listing_versions (listing_id, version, data) VALUES ($1, 1, $2)")
        .bind(&world.id)
        .bind(property())
        .execute(&world.pool)
        .await?;
    let reason = refused(world.publish(json!({})).await)?;
    assert!(reason.contains("was not approved"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn only_what_is_under_review_is_decided() -> Result<()> {
    let approved = with_an_edit(World::start().await?.approved().await?).await?;
    let rejected = World::start().await?.under_review().await?;
    done(rejected.decide(Decision::Reject, json!({})).await)?;
    let rejected = with_an_edit(rejected).await?;
    let failed = World::start().await?.under_review().await?;
    failed.become_status(ListingStatus::Error).await?;
    for (world, decision, before) in [
        (approved, Decision::Approve, 1),
        (rejected, Decision::Reject, 1),
        (failed, Decision::Approve, 0),
    ] {
        let reason = refused(world.decide(decision, json!({})).await)?;
        assert!(reason.contains("cannot become"), "{reason}");
        assert_eq!(world.decisions().await?.len(), before, "{reason}");
    }
    Ok(())
}

/// The listing is still approved: what was overtaken is done again, with a higher number.
#[tokio::test]
async fn a_publication_that_a_removal_has_overtaken_is_tried_again() -> Result<()> {
    for moment in Moment::ALL {
        let world = World::start().await?.approved().await?;
        let held = world.index.hold(moment);
        let removal = held.meanwhile(async { done(world.remove(json!({})).await) });
        let (published, removed) = tokio::join!(world.publish(json!({})), removal);
        removed?;
        assert!(failure(published)?.retryable, "{moment:?}");
        assert_eq!(world.column("live_version").await?, Value::Null);
        done(world.publish(json!({})).await)?;
        assert_eq!(world.column("live_version").await?, json!(1));
        assert!(world.index.document(&world.id).is_some(), "{moment:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_index_that_is_ahead_of_the_database_is_not_taken_for_success() -> Result<()> {
    let world = World::start().await?.approved().await?;
    world.index.remove(&world.id, i64::MAX).await?;
    for failed in [
        failure(world.publish(json!({})).await)?,
        failure(world.remove(json!({})).await)?,
    ] {
        assert!(failed.retryable, "{failed:?}");
    }
    assert_eq!(world.column("live_version").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn of_two_workflows_that_took_a_listing_in_the_later_one_reviews_it() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    done(world.submit_by("another", json!({})).await)?;
    let reason = refused(world.update(json!({ "status": "pending_review" })).await)?;
    assert!(
        reason.contains("under review by workflow another"),
        "{reason}"
    );
    Ok(())
}

#[tokio::test]
async fn an_id_that_no_index_can_address_is_refused() -> Result<()> {
    let world = World::start().await?;
    for id in [".", ".."] {
        let reason = refused(world.submit(json!({ "listingId": id })).await)?;
        assert!(reason.contains("listing id"), "{reason}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_reminded_of_a_date_that_does_not_hold() -> Result<()> {
    let world = World::start().await?.approved().await?;
    let date = json!({ "expirationDate": "2027-02-01T12:00:00Z" });
    done(world.renew(date).await)?;
    let later = json!({ "expirationDate": "2027-03-01T12:00:00Z", "daysBefore": 1 });
    assert!(!done(world.remind(later).await)?.sent);
    Ok(())
}

#[tokio::test]
async fn what_is_live_while_its_edit_is_reviewed_is_told_at_its_date() -> Result<()> {
    let world = with_an_edit(World::start().await?.live().await?).await?;
    world.become_status(ListingStatus::PendingReview).await?;
    let date = json!({ "expirationDate": "2027-03-01T12:00:00Z" });
    let ended = done(world.expire(date).await)?;
    assert!(!ended.success);
    assert_eq!(ended.live_version.context("nothing is live")?, 1);
    Ok(())
}
