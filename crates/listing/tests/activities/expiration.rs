//! `getListingStatus`, `expireListing`, `renewListing` and `sendExpirationReminder`: until when a
//! listing is shown.

mod expire;
mod remind;
mod renew;
mod status;

use anyhow::Result;
use partner_listing::model::{Decision, ListingStatus};
use serde_json::{Value, json};

use crate::answers::{done, refused};
use crate::support::{LISTING, World, with};

use ListingStatus::{Draft, Error, Expired, PendingReview, Rejected, ValidationFailed};

const FEBRUARY: &str = "2027-02-01T12:00:00Z";
const MARCH: &str = "2027-03-01T12:00:00Z";
const APRIL: &str = "2027-04-01T12:00:00Z";

fn until(date: &str) -> Value {
    json!({"expirationDate": date})
}

/// This world once its listing is submitted, to be shown until March, and waits for a decision.
async fn under_review_until_march(world: World) -> Result<World> {
    done(world.submit(until(MARCH)).await)?;
    world.become_status(PendingReview).await?;
    Ok(world)
}

/// This world once its listing is approved, to be shown until March; it was never renewed.
async fn shown_until_march(world: World) -> Result<World> {
    let world = under_review_until_march(world).await?;
    done(world.decide(Decision::Approve, json!({})).await)?;
    Ok(world)
}

/// This world once its listing is approved, and was renewed until April.
async fn renewed_until_april(world: World) -> Result<World> {
    let world = shown_until_march(world).await?;
    done(world.renew(until(APRIL)).await)?;
    Ok(world)
}

/// This world once its listing is approved, and another service renewed it for ever.
async fn renewed_for_ever(world: World) -> Result<World> {
    let world = shown_until_march(world).await?;
    world
        .run("UPDATE listings SET expires_at = NULL, renewed_at = now() WHERE id = $1")
        .await?;
    Ok(world)
}

/// Worlds whose listings are not shown though they were to be until March, and how they stand.
async fn not_shown(start: &World) -> Result<Vec<(World, ListingStatus)>> {
    let mut worlds = Vec::new();
    for status in [Draft, PendingReview, ValidationFailed, Error] {
        let world = shown_until_march(start.beside()).await?;
        world.become_status(status).await?;
        worlds.push((world, status));
    }
    let rejected = under_review_until_march(start.beside()).await?;
    done(rejected.decide(Decision::Reject, json!({})).await)?;
    worlds.push((rejected, Rejected));
    let expired = shown_until_march(start.beside()).await?;
    done(expired.expire(json!({})).await)?;
    worlds.push((expired, Expired));
    Ok(worlds)
}

#[tokio::test]
async fn an_unknown_listing_is_refused() -> Result<()> {
    let world = World::start().await?;
    let reminder = with(until(MARCH), json!({"daysBefore": 7}));
    for error in [
        refused(world.status(json!({})).await)?,
        refused(world.expire(json!({})).await)?,
        refused(world.renew(until(MARCH)).await)?,
        refused(world.remind(reminder).await)?,
    ] {
        assert_eq!(error, format!("listing {LISTING} does not exist"));
    }
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_by_the_name_of_its_field() -> Result<()> {
    let world = shown_until_march(World::start().await?).await?;
    let before = world.everything().await?;
    for (field, changes) in [
        ("listingId", json!({"listingId": ""})),
        ("expirationDate", until("tomorrow")),
        ("invalid type", json!(null)),
    ] {
        for error in [
            refused(world.status(changes.clone()).await)?,
            refused(world.expire(changes.clone()).await)?,
            refused(world.renew(changes.clone()).await)?,
            refused(world.remind(changes.clone()).await)?,
        ] {
            assert!(error.contains(field), "{changes}: {error}");
        }
    }
    for (field, changes) in [
        ("expirationDate", json!({})),
        ("daysBefore", until(MARCH)),
        ("daysBefore", with(until(MARCH), json!({"daysBefore": -1}))),
        (
            "userId",
            with(until(MARCH), json!({"daysBefore": 1, "userId": ""})),
        ),
    ] {
        let error = refused(world.remind(changes.clone()).await)?;
        assert!(error.contains(field), "{changes}: {error}");
    }
    let error = refused(world.renew(json!({})).await)?;
    assert!(error.contains("expirationDate"), "{error}");
    assert_eq!(world.everything().await?, before);
    Ok(())
}
