//! `renewListing`: the date is put off or forward, of a listing that is shown.

use anyhow::Result;
use serde_json::{Value, json};

use super::{APRIL, FEBRUARY, MARCH, not_shown, renewed_until_april, shown_until_march, until};
use crate::answers::{done, refused};
use crate::support::{LISTING, World};

#[tokio::test]
async fn the_date_is_put_off_or_forward() -> Result<()> {
    let world = shown_until_march(World::start().await?).await?;
    for date in [APRIL, FEBRUARY] {
        let result = done(world.renew(until(date)).await)?;
        assert!(result.success);
        assert_eq!(result.listing_id, LISTING);
        let status = done(world.status(json!({})).await)?;
        assert_eq!(status.expiration_date, Some(date.parse()?));
        assert!(status.renewed);
    }
    assert_eq!(world.times("expiration_changed").await?, 3);
    Ok(())
}

#[tokio::test]
async fn the_same_date_again_changes_nothing() -> Result<()> {
    let start = World::start().await?;
    let world = renewed_until_april(start.beside()).await?;
    world
        .run("UPDATE listings SET renewed_at = '2027-01-01T00:00:00Z' WHERE id = $1")
        .await?;
    let before = world.everything().await?;
    for same in [
        APRIL,
        "2027-04-01T14:00:00+02:00",
        "2027-04-01T12:00:00.000000001Z",
    ] {
        done(world.renew(until(same)).await)?;
        assert_eq!(world.everything().await?, before, "{same}");
    }
    // The date that it has without a renewal is none either.
    let world = shown_until_march(start.beside()).await?;
    done(world.renew(until(MARCH)).await)?;
    assert_eq!(world.column("renewed_at").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn only_a_listing_that_is_shown_is_renewed() -> Result<()> {
    let start = World::start().await?;
    for (world, status) in not_shown(&start).await? {
        let before = world.everything().await?;
        let error = refused(world.renew(until(APRIL)).await)?;
        assert_eq!(
            error,
            format!(
                "listing {} is {status}, only an approved listing can be renewed",
                world.id
            )
        );
        assert_eq!(world.everything().await?, before);
    }
    Ok(())
}
