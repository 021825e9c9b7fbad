//! `submitListing`: versions, owners, and whose the review is.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use partner_core::wire::Wire;
use partner_listing::model::{Decision, ListingStatus};
use serde_json::{Value, json};

use crate::answers::{done, refused};
use crate::support::{LISTING, OWNER, WORKFLOW, World, edited, property, with};

use ListingStatus::{Approved, Draft, Error, Expired, PendingReview, Rejected, ValidationFailed};

/// What is offered in each version, the oldest first.
async fn versions(world: &World) -> Result<Vec<Value>> {
    let versions = world
        .find("SELECT jsonb_agg(data ORDER BY version) FROM listing_versions WHERE listing_id = $1")
        .await?;
    Ok(versions.as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn an_unknown_listing_is_created_as_a_draft() -> Result<()> {
    let world = World::start().await?;
    let result = done(world.submit(json!({})).await)?;
    assert_eq!(
        serde_json::to_value(&result)?,
        json!({
            "listingId": LISTING,
            "version": 1,
            "status": "draft",
            "reviewWindowSeconds": 172_800,
            "reviewReminderSeconds": 43_200,
        })
    );
    let listing = world.listing().await?;
    assert_eq!(
        json!([listing["user_id"], listing["status"], listing["version"]]),
        json!([OWNER, "draft", 1])
    );
    assert_eq!(listing["review_workflow_id"], WORKFLOW);
    assert_eq!(versions(&world).await?, [property()]);
    assert_eq!(world.trail().await?, ["created v0", "version_submitted v1"]);
    Ok(())
}

#[tokio::test]
async fn the_same_again_is_the_same_version() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let before = world.everything().await?;
    let data = property();
    let mut backwards = serde_json::Map::new();
    for (name, value) in data.as_object().context("no object")?.iter().rev() {
        backwards.insert(name.clone(), value.clone());
    }
    for same in [
        json!({}),
        json!({"propertyData": backwards}),
        json!({"propertyData": with(data.clone(), json!({"garage": true}))}),
        json!({"propertyData": with(data, json!({"price": 450_000.0}))}),
    ] {
        assert_eq!(done(world.submit(same.clone()).await)?.version, 1, "{same}");
        assert_eq!(world.everything().await?, before, "{same}");
    }
    Ok(())
}

#[tokio::test]
async fn anything_else_is_a_new_version_and_those_before_are_kept() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let mut offers = vec![property()];
    for (version, changes) in [
        (2, json!({"title": "Flat by the sea"})),
        (3, json!({"price": 450_000.01})),
        (
            4,
            json!({"images": ["https://cdn.example.com/2.jpg", "https://cdn.example.com/1.jpg"]}),
        ),
        (5, json!({"area": null})),
        // Back to what it was before, which is not what it is.
        (6, json!({})),
    ] {
        let offer = with(property(), changes);
        let result = done(world.submit(json!({"propertyData": offer})).await)?;
        assert_eq!((result.version, result.status), (version, Draft));
        offers.push(offer);
    }
    offers[4]
        .as_object_mut()
        .context("no object")?
        .remove("area");
    assert_eq!(versions(&world).await?, offers);
    assert_eq!(world.column("version").await?, 6);
    Ok(())
}

#[tokio::test]
async fn an_owner_is_the_same_by_id_and_by_address() -> Result<()> {
    let world = World::start().await?;
    world.add_user(OWNER, "ana@example.com").await?;
    for (first, second) in [
        (OWNER, "Ana@Example.com"),
        ("ANA@example.com", OWNER),
        ("ana@example.com", "ana@example.com"),
    ] {
        let world = world.beside();
        for user in [first, second] {
            let result = done(world.submit(json!({"userId": user})).await)?;
            assert_eq!(result.version, 1, "{user}");
        }
        assert_eq!(world.column("user_id").await?, first);
    }
    Ok(())
}

#[tokio::test]
async fn another_user_is_refused_and_nothing_changes() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    world.add_user(OWNER, "ana@example.com").await?;
    world.add_user("eve", "eve@example.com").await?;
    let before = world.everything().await?;
    for user in [
        "eve",
        "eve@example.com",
        "nobody",
        "anna@example.com",
        "Ana",
    ] {
        let input = json!({
            "userId": user,
            "propertyData": edited("Mine now, and not yours"),
            "expirationDate": "2027-03-01T12:00:00Z",
        });
        let error = refused(world.submit_by("another", input).await)?;
        assert_eq!(
            error,
            format!("listing {LISTING} does not belong to {user}")
        );
        assert_eq!(world.everything().await?, before, "{user}");
    }
    Ok(())
}

#[tokio::test]
async fn a_listing_is_reviewed_by_one_workflow_at_a_time() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let before = world.everything().await?;
    for offer in [property(), edited("Flat by the sea")] {
        let error = refused(
            world
                .submit_by("another", json!({"propertyData": offer}))
                .await,
        )?;
        assert_eq!(
            error,
            format!("listing {LISTING} is under review by workflow {WORKFLOW}")
        );
        assert_eq!(world.everything().await?, before);
    }
    let edit = json!({"propertyData": edited("Flat by the sea")});
    let result = done(world.submit(edit.clone()).await)?;
    assert_eq!((result.version, result.status), (2, PendingReview));

    // After the decision, whoever comes next may have it.
    done(world.decide(Decision::Reject, json!({})).await)?;
    assert_eq!(done(world.submit_by("another", edit).await)?.version, 3);
    assert_eq!(world.column("review_workflow_id").await?, "another");
    Ok(())
}

#[tokio::test]
async fn a_version_that_was_approved_comes_back_with_its_decision() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let decision = json!({"reviewer": "rita", "reviewComment": "Nice", "score": 0.9});
    let decided = done(world.decide(Decision::Approve, decision).await)?.decision;
    for status in [Approved, Error] {
        if status == Error {
            world.become_status(Error).await?;
        }
        for _ in 0..2 {
            let before = world.everything().await?;
            let result = done(world.submit(json!({})).await)?;
            assert_eq!((result.version, result.status), (1, status));
            assert_eq!(result.decision.as_ref(), Some(&decided));
            assert_eq!(world.everything().await?, before);
        }
    }
    let edit = json!({"propertyData": edited("Flat by the sea")});
    let result = done(world.submit(edit).await)?;
    assert_eq!((result.version, result.decision), (2, None));
    Ok(())
}

#[tokio::test]
async fn what_is_shown_and_until_when_comes_back() -> Result<()> {
    let world = World::start().await?.live().await?;
    let date = json!({"expirationDate": "2027-03-01T12:00:00Z"});
    done(world.renew(date).await)?;
    let edit = json!({"propertyData": edited("Flat by the sea")});
    let result = done(world.submit(edit).await)?;
    assert_eq!((result.version, result.live_version), (2, Some(1)));
    assert_eq!(
        result.expiration_date,
        Some("2027-03-01T12:00:00Z".parse()?)
    );
    Ok(())
}

#[tokio::test]
async fn what_was_decided_and_is_over_is_a_new_version_when_it_is_submitted_again() -> Result<()> {
    let world = World::start().await?;
    for (decision, then) in [
        (Decision::Reject, Rejected),
        (Decision::Reject, Draft),
        (Decision::Reject, Error),
        (Decision::Approve, Expired),
        (Decision::Approve, Draft),
        (Decision::Approve, ValidationFailed),
    ] {
        let world = world.beside().under_review().await?;
        done(world.decide(decision, json!({})).await)?;
        if world.column("status").await? != then.as_str() {
            world.become_status(then).await?;
        }
        let result = done(world.submit(json!({})).await)?;
        assert_eq!(
            (result.version, result.status, result.decision),
            (2, then, None),
            "{decision}, {then}"
        );
        assert_eq!(versions(&world).await?, [property(), property()]);
        // From here on, it is the version that waits.
        assert_eq!(done(world.submit(json!({})).await)?.version, 2);
    }
    Ok(())
}

#[tokio::test]
async fn what_nobody_decided_is_still_the_same_version() -> Result<()> {
    let world = World::start().await?;
    for then in [Draft, ValidationFailed, Error] {
        let world = world.beside().under_review().await?;
        world.become_status(then).await?;
        let result = done(world.submit(json!({})).await)?;
        assert_eq!(
            (result.version, result.status, result.decision),
            (1, then, None)
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_expiration_date_is_kept_when_none_is_given() -> Result<()> {
    let world = World::start().await?;
    for (given, kept) in [
        (json!({}), None),
        (
            json!({"expirationDate": "2027-03-01T13:00:00+01:00"}),
            Some("2027-03-01T12:00:00Z"),
        ),
        (json!({}), Some("2027-03-01T12:00:00Z")),
        (
            json!({"expirationDate": null}),
            Some("2027-03-01T12:00:00Z"),
        ),
        (
            json!({"propertyData": edited("Flat by the sea")}),
            Some("2027-03-01T12:00:00Z"),
        ),
        (
            json!({"expirationDate": "2027-02-01T00:00:00Z"}),
            Some("2027-02-01T00:00:00Z"),
        ),
    ] {
        let kept = kept.map(str::parse).transpose()?;
        let result = done(world.submit(given.clone()).await)?;
        assert_eq!(result.expiration_date, kept, "{given}");
    }
    assert_eq!(world.times("expiration_changed").await?, 2);
    Ok(())
}

#[tokio::test]
async fn the_character_that_no_text_holds_is_refused_wherever_it_is() -> Result<()> {
    let world = World::start().await?;
    let place = |field: &str| {
        let location = with(property()["location"].clone(), json!({field: "a\0b"}));
        json!({"location": location})
    };
    for (field, changes) in [
        ("title", json!({"title": "\0"})),
        ("description", json!({"description": "Bright\0"})),
        (
            "images",
            json!({"images": ["https://cdn.example.com/1.jpg", "\0"]}),
        ),
        ("location.address", place("address")),
        ("location.city", place("city")),
        ("location.state", place("state")),
        ("location.zipCode", place("zipCode")),
    ] {
        let offer = with(property(), changes);
        let error = refused(world.submit(json!({"propertyData": offer})).await)?;
        assert_eq!(
            error,
            format!("propertyData.{field}: must not contain the character U+0000")
        );
    }
    for id in ["listingId", "userId"] {
        let error = refused(world.submit(json!({id: "a\0b"})).await)?;
        assert!(error.contains(id), "{error}");
    }
    assert_eq!(world.listing().await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn numbers_keep_their_digits() -> Result<()> {
    let world = World::start().await?;
    for (version, price) in (1..).zip([
        "999999999999999999.99",
        "0.10",
        "1234.5600",
        "0.1000000000000000055511151231",
    ]) {
        let json = format!(
            r#"{{"listingId": "listing-1", "userId": "ana", "propertyData": {{
                "title": "", "description": "", "price": {price}, "images": [],
                "location": {{"latitude": 47.166667000, "longitude": -8.5}}
            }}}}"#
        );
        let input = Wire::from_json(json.as_bytes());
        done(world.submission.submit(input, WORKFLOW).await)?;
        let stored = world
            .find(
                "SELECT jsonb_build_array(data ->> 'price', data #>> '{location,latitude}')
                 FROM listing_versions ORDER BY version DESC LIMIT 1",
            )
            .await?;
        assert_eq!(stored, json!([price, "47.166667000"]));
        let read = world.listings.version(LISTING, version).await?;
        let read = serde_json::to_value(read.context("not there")?)?;
        assert_eq!(read["price"].to_string(), price);
    }
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_by_the_name_of_its_field() -> Result<()> {
    let world = World::start().await?;
    let offer = |changes| json!({"propertyData": with(property(), changes)});
    let without = |field: &str| -> Result<Value> {
        let mut data = property();
        data.as_object_mut().context("no object")?.remove(field);
        Ok(json!({"propertyData": data}))
    };
    for (field, changes) in [
        ("listingId", json!({"listingId": null})),
        ("listingId", json!({"listingId": " "})),
        ("userId", json!({"userId": ""})),
        ("userId", json!({"userId": 7})),
        ("propertyData", json!({"propertyData": null})),
        ("price", without("price")?),
        ("images", without("images")?),
        ("propertyData.price", offer(json!({"price": "450000"}))),
        ("propertyData.title", offer(json!({"title": null}))),
        ("propertyData.images[0]", offer(json!({"images": [1]}))),
        (
            "propertyData.location.city",
            offer(json!({"location": {"city": 1}})),
        ),
        ("propertyData.area", offer(json!({"area": "85 m2"}))),
        ("expirationDate", json!({"expirationDate": "tomorrow"})),
        ("invalid type", json!(null)),
        ("invalid type", json!("listing-1")),
    ] {
        let error = refused(world.submit(changes.clone()).await)?;
        assert!(error.contains(field), "{changes}: {error}");
    }
    assert_eq!(world.listing().await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn many_submissions_of_the_same_at_once_make_one_version() -> Result<()> {
    let world = World::start().await?;
    for answer in join_all((0..20).map(|_| world.submit(json!({})))).await {
        assert_eq!(done(answer)?.version, 1);
    }
    assert_eq!(versions(&world).await?, [property()]);
    assert_eq!(world.trail().await?, ["created v0", "version_submitted v1"]);
    Ok(())
}

#[tokio::test]
async fn many_edits_at_once_have_a_version_each() -> Result<()> {
    let world = World::start().await?;
    let titles: Vec<_> = (1..=20).map(|edit| format!("Edit number {edit}")).collect();
    let edits = titles
        .iter()
        .map(|title| world.submit(json!({"propertyData": edited(title)})));
    let mut numbers = BTreeSet::new();
    for (title, answer) in titles.iter().zip(join_all(edits).await) {
        let version = done(answer)?.version;
        let offer = world.listings.version(LISTING, version).await?;
        ensure!(offer.is_some_and(|offer| &offer.title == title), "{title}");
        numbers.insert(version);
    }
    assert_eq!(numbers, (1..=20).collect());
    assert_eq!(world.column("version").await?, 20);
    Ok(())
}
