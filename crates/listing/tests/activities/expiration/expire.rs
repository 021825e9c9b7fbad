//! `expireListing`: a listing expires at its date, unless it was renewed beyond it.

use anyhow::Result;
use partner_listing::model::ListingStatus::{Approved, Expired};
use serde_json::{Value, json};

use super::{
    APRIL, FEBRUARY, MARCH, not_shown, renewed_for_ever, renewed_until_april, shown_until_march,
    until,
};
use crate::answers::{done, refused};
use crate::support::World;

#[tokio::test]
async fn a_listing_expires_at_its_date_unless_it_was_renewed_beyond_it() -> Result<()> {
    let start = World::start().await?;
    for (world, date, then) in [
        (shown_until_march(start.beside()).await?, until(MARCH), None),
        (shown_until_march(start.beside()).await?, until(APRIL), None),
        (
            shown_until_march(start.beside()).await?,
            until(FEBRUARY),
            Some(Some(MARCH)),
        ),
        (
            shown_until_march(start.beside()).await?,
            until("2027-03-01T11:59:59.999999Z"),
            Some(Some(MARCH)),
        ),
        // Finer than what is on record.
        (
            shown_until_march(start.beside()).await?,
            until("2027-03-01T12:00:00.000000001Z"),
            None,
        ),
        (
            renewed_until_april(start.beside()).await?,
            until(MARCH),
            Some(Some(APRIL)),
        ),
        (
            renewed_until_april(start.beside()).await?,
            until(APRIL),
            None,
        ),
        (
            renewed_for_ever(start.beside()).await?,
            until(APRIL),
            Some(None),
        ),
        // Without a date on record, it was to expire when the caller says so.
        (start.beside().approved().await?, until(MARCH), None),
        // Without a date, it does whatever is on record.
        (renewed_until_april(start.beside()).await?, json!({}), None),
        (renewed_for_ever(start.beside()).await?, json!({}), None),
    ] {
        let before = world.everything().await?;
        let result = done(world.expire(date.clone()).await)?;
        let renewed = then.is_some();
        assert_eq!(
            (result.success, result.renewed),
            (!renewed, renewed),
            "{date}"
        );
        let until = then.flatten().map(str::parse).transpose()?;
        assert_eq!(result.expiration_date, until, "{date}");
        let status = if renewed { Approved } else { Expired };
        assert_eq!(result.status, status, "{date}");
        if renewed {
            assert_eq!(world.everything().await?, before, "{date}");
        }
        assert_eq!(world.column("status").await?, result.status.as_str());
    }
    Ok(())
}

#[tokio::test]
async fn twice_is_once() -> Result<()> {
    let world = shown_until_march(World::start().await?).await?;
    let first = done(world.expire(until(MARCH)).await)?;
    let before = world.everything().await?;
    for date in [until(MARCH), json!({}), until(FEBRUARY)] {
        assert_eq!(done(world.expire(date).await)?, first);
    }
    assert_eq!(world.everything().await?, before);
    Ok(())
}

#[tokio::test]
async fn a_listing_that_is_not_shown_says_so() -> Result<()> {
    let start = World::start().await?;
    let worlds = not_shown(&start).await?;
    for (world, status) in worlds.into_iter().filter(|(_, status)| *status != Expired) {
        let before = world.everything().await?;
        for date in [until(MARCH), json!({})] {
            let result = done(world.expire(date).await)?;
            assert_eq!((result.success, result.renewed), (false, false));
            assert_eq!((result.status, result.expiration_date), (status, None));
        }
        assert_eq!(world.everything().await?, before);
    }
    Ok(())
}

#[tokio::test]
async fn what_expires_has_no_reason_left() -> Result<()> {
    let world = shown_until_march(World::start().await?).await?;
    world
        .run("UPDATE listings SET status_reason = 'as before' WHERE id = $1")
        .await?;
    done(world.expire(until(MARCH)).await)?;
    assert_eq!(world.column("status_reason").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_renewal_at_the_same_moment_is_before_it_or_refused() -> Result<()> {
    let start = World::start().await?;
    for _ in 0..20 {
        let world = shown_until_march(start.beside()).await?;
        let (renewed, expired) =
            tokio::join!(world.renew(until(APRIL)), world.expire(until(MARCH)));
        let expired = done(expired)?;
        if expired.renewed {
            done(renewed)?;
            assert_eq!(expired.expiration_date, Some(APRIL.parse()?));
        } else {
            let error = refused(renewed)?;
            assert!(error.contains("is expired"), "{error}");
        }
        assert_eq!(world.column("status").await?, expired.status.as_str());
    }
    Ok(())
}
