//! `publishToSearchIndex` and `removeFromSearchIndex`: the public finds what was approved, and nothing
//! else.

use anyhow::{Context, Result};
use partner_core::ports::search_index::SearchDocument;
use partner_listing::model::{Decision, ListingStatus};
use serde_json::{Value, json};

use crate::answers::{done, refused};
use crate::support::{LISTING, WORKFLOW, World, edited, property, with};

use ListingStatus::{Draft, Error, Expired, PendingReview, ValidationFailed};

/// An edit of a listing that was approved before is approved too; tells what it offers.
pub(crate) async fn approve_edit(world: &World, title: &str) -> Result<Value> {
    let offer = edited(title);
    done(world.submit(json!({"propertyData": offer})).await)?;
    world.become_status(PendingReview).await?;
    done(world.decide(Decision::Approve, json!({})).await)?;
    Ok(offer)
}

/// The title that the public finds, and the version that is on record as found.
pub(crate) async fn shown(world: &World) -> Result<(Option<String>, Value)> {
    let title = world.index.document(&world.id).map(|found| found.title);
    Ok((title, world.column("live_version").await?))
}

/// The number of the latest write, which the index and the database must agree on.
pub(crate) async fn number(world: &World) -> Result<i64> {
    let number = world.index.version(&world.id).context("no write")?;
    assert_eq!(world.column("index_version").await?, number);
    Ok(number)
}

#[tokio::test]
async fn the_public_finds_what_was_approved() -> Result<()> {
    let world = World::start().await?.approved().await?;
    let result = done(world.publish(json!({"listingVersion": 1})).await)?;
    assert!(result.success);
    assert_eq!(result.listing_id, LISTING);
    let found = world.index.document(LISTING).context("not found")?;
    assert_eq!(
        found,
        SearchDocument {
            listing_id: LISTING.to_owned(),
            version: number(&world).await?,
            title: "Flat by the lake".to_owned(),
            description: "Bright, quiet, and close to everything; the lake is at the door."
                .to_owned(),
            price: "450000".parse()?,
            city: "Zug".to_owned(),
            state: "ZG".to_owned(),
            address: "Seestrasse 1".to_owned(),
            zip_code: Some("6300".to_owned()),
            bedrooms: Some("2".parse()?),
            bathrooms: Some("1.5".parse()?),
            area: Some("85".parse()?),
            images: vec![
                "https://cdn.example.com/1.jpg".to_owned(),
                "https://cdn.example.com/2.jpg".to_owned(),
            ],
        }
    );
    assert_eq!(world.column("live_version").await?, 1);
    let last = world.audit.list(LISTING).await?.pop().context("no trail")?;
    assert_eq!((last.action.as_str(), last.version), ("published", 1));
    assert_eq!(last.actor, WORKFLOW);
    Ok(())
}

#[tokio::test]
async fn nothing_is_published_that_was_not_approved() -> Result<()> {
    let world = World::start().await?.approved().await?;
    let before = world.everything().await?;
    let other = |changes| json!({"propertyData": with(property(), changes)});
    for changes in [
        other(json!({"title": "Flat by the sea"})),
        other(json!({"price": 1})),
        other(json!({"images": []})),
        other(json!({"area": null})),
    ] {
        let error = refused(world.publish(changes.clone()).await)?;
        assert_eq!(
            error,
            format!("listing {LISTING} cannot be published: propertyData is not what was approved"),
            "{changes}"
        );
    }
    for version in [0, 2] {
        let error = refused(world.publish(json!({"listingVersion": version})).await)?;
        let says = format!("listing {LISTING} has version 1 now, not {version}");
        assert!(error.starts_with(&says), "{error}");
    }
    let error = refused(world.publish(json!({"listingId": "listing-2"})).await)?;
    assert_eq!(error, "listing listing-2 does not exist");

    assert_eq!(world.index.version(LISTING), None);
    // A number may be left out, nothing else has changed.
    world
        .run("UPDATE listings SET index_version = 0 WHERE id = $1")
        .await?;
    assert_eq!(world.everything().await?, before);
    Ok(())
}

#[tokio::test]
async fn only_an_approved_listing_is_published() -> Result<()> {
    let start = World::start().await?;
    for status in [Draft, PendingReview, ValidationFailed, Error, Expired] {
        let world = start.beside().approved().await?;
        world.become_status(status).await?;
        for version in [json!({}), json!({"listingVersion": 1})] {
            let error = refused(world.publish(version).await)?;
            assert_eq!(
                error,
                format!(
                    "listing {} cannot be published: it is {status}, not approved",
                    world.id
                )
            );
        }
        assert_eq!(world.index.version(&world.id), None);
        assert_eq!(world.column("live_version").await?, Value::Null);
    }
    let world = start.under_review().await?;
    done(world.decide(Decision::Reject, json!({})).await)?;
    let error = refused(world.publish(json!({})).await)?;
    assert!(error.ends_with("it is rejected, not approved"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_same_number_written_otherwise_is_what_was_approved() -> Result<()> {
    let world = World::start().await?.approved().await?;
    let offer = with(property(), json!({"price": 450_000.0, "garage": true}));
    done(world.publish(json!({"propertyData": offer})).await)?;
    let found = world.index.document(LISTING).context("not found")?;
    assert_eq!(found.price.to_string(), "450000");
    Ok(())
}

#[tokio::test]
async fn published_again_only_its_number_is_another() -> Result<()> {
    let world = World::start().await?.live().await?;
    let first = world.index.document(LISTING).context("not found")?;
    let trail = world.trail().await?;
    done(world.publish(json!({})).await)?;
    let second = world.index.document(LISTING).context("not found")?;
    assert!(second.version > first.version);
    let version = second.version;
    assert_eq!(second, SearchDocument { version, ..first });
    assert_eq!(world.trail().await?, trail);
    Ok(())
}

#[tokio::test]
async fn an_edit_is_found_once_it_is_approved_and_published() -> Result<()> {
    let world = World::start().await?.live().await?;
    let (lake, sea) = ("Flat by the lake".to_owned(), "Flat by the sea".to_owned());
    let offer = approve_edit(&world, &sea).await?;
    assert_eq!(shown(&world).await?, (Some(lake), json!(1)));
    // What was approved before is not what is approved now.
    refused(world.publish(json!({"listingVersion": 1})).await)?;
    refused(world.publish(json!({})).await)?;
    let edit = json!({"propertyData": offer, "listingVersion": 2});
    done(world.publish(edit).await)?;
    assert_eq!(shown(&world).await?, (Some(sea), json!(2)));
    let published: Vec<_> = world.trail().await?;
    assert_eq!(published.last().map(String::as_str), Some("published v2"));
    Ok(())
}

#[tokio::test]
async fn taken_out_it_is_not_found_any_more() -> Result<()> {
    let world = World::start().await?.live().await?;
    let published = number(&world).await?;
    for _ in 0..2 {
        let result = done(world.remove(json!({})).await)?;
        assert!(result.success);
        assert_eq!(result.listing_id, LISTING);
        assert_eq!(shown(&world).await?, (None, Value::Null));
        assert!(number(&world).await? > published);
    }
    assert_eq!(world.times("taken_down").await?, 1);
    assert_eq!(
        world.trail().await?.last().map(String::as_str),
        Some("taken_down v1")
    );
    Ok(())
}

#[tokio::test]
async fn what_was_never_published_can_be_taken_out() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let trail = world.trail().await?;
    done(world.remove(json!({})).await)?;
    assert_eq!(shown(&world).await?, (None, Value::Null));
    assert_eq!(world.trail().await?, trail);
    Ok(())
}

#[tokio::test]
async fn only_what_does_not_exist_is_not_taken_out() -> Result<()> {
    let world = World::start().await?.live().await?;
    for (says, changes) in [
        (
            "listing listing-2 does not exist",
            json!({"listingId": "listing-2"}),
        ),
        ("listingId", json!({"listingId": ""})),
        ("invalid type", json!(null)),
    ] {
        let error = refused(world.remove(changes).await)?;
        assert!(error.contains(says), "{error}");
    }
    assert!(world.index.document(LISTING).is_some());
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_by_the_name_of_its_field() -> Result<()> {
    let world = World::start().await?.approved().await?;
    for (field, changes) in [
        ("listingId", json!({"listingId": ""})),
        ("propertyData", json!({"propertyData": null})),
        (
            "propertyData.price",
            json!({"propertyData": with(property(), json!({"price": "1"}))}),
        ),
        ("listingVersion", json!({"listingVersion": 1.5})),
        ("invalid type", json!(null)),
    ] {
        let error = refused(world.publish(changes.clone()).await)?;
        assert!(error.contains(field), "{changes}: {error}");
    }
    assert_eq!(world.index.version(LISTING), None);
    Ok(())
}
