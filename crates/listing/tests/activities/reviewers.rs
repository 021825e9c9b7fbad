//! `notifyReviewers`: who is asked, what for, and how often.

use std::time::Duration;

use anyhow::{Context, Result};
use partner_listing::model::{Decision, ListingStatus};
use serde_json::{Value, json};

use crate::answers::{done, failure, refused};
use crate::doubles::Unreachable;
use crate::support::{LISTING, World, edited};

/// Lets somebody review.
async fn add_reviewer(world: &World, id: &str, is_lead: bool, is_active: bool) -> Result<()> {
    world.add_user(id, &format!("{id}@example.com")).await?;
    sqlx::query("INSERT INTO reviewers (user_id, is_lead, is_active) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(is_lead)
        .bind(is_active)
        .execute(&world.pool)
        .await?;
    Ok(())
}

/// A listing that waits for a decision; `lea` leads `rita` and `ben`, and others did before.
async fn world_with_reviewers() -> Result<World> {
    let world = World::start().await?.under_review().await?;
    for (id, is_lead, is_active) in [
        ("rita", false, true),
        ("ben", false, true),
        ("lea", true, true),
        ("olga", false, false),
        ("otto", true, false),
    ] {
        add_reviewer(&world, id, is_lead, is_active).await?;
    }
    Ok(world)
}

fn kinds(told: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(user, kind): &(&str, &str)| ((*user).to_owned(), (*kind).to_owned());
    told.iter().map(own).collect()
}

fn urgent() -> Value {
    json!({"urgent": true, "deadline": "2027-03-01T12:00:00Z"})
}

#[tokio::test]
async fn everyone_who_reviews_is_asked() -> Result<()> {
    let world = world_with_reviewers().await?;
    let result = done(world.notify(json!({})).await)?;
    assert_eq!(
        (result.success, result.notified, result.failed),
        (true, 3, 0)
    );
    let requested = "listing_review_requested";
    assert_eq!(
        world.post.kinds(),
        kinds(&[("ben", requested), ("lea", requested), ("rita", requested)])
    );
    for told in world.post.told() {
        assert!(!told.notification.critical, "{told:?}");
    }
    assert_eq!(world.column("escalated_at").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn they_are_told_what_it_is_about() -> Result<()> {
    let world = world_with_reviewers().await?;
    let input = json!({"deadline": "2027-03-01T12:00:00Z", "listingVersion": 7});
    done(world.notify(input).await)?;
    for told in world.post.told() {
        let asked = told.notification;
        assert_eq!(
            asked.message,
            "Listing listing-1, version 7: Flat by the lake (score 0.85)"
        );
        let key = asked.notification_id.context("no key")?;
        assert_eq!(key, "listing/listing-1/listing_review_requested/v7");
        let mail = asked.email.context("no mail")?;
        for part in [
            "https://review.example.com/listings/listing-1",
            "1 March 2027, 12:00 UTC",
            "0.85",
            "ana",
        ] {
            assert!(mail.text.contains(part), "{part} is not in {}", mail.text);
        }
    }
    Ok(())
}

#[tokio::test]
async fn more_are_asked_than_can_be_at_once() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    for number in 0..40 {
        add_reviewer(&world, &format!("reviewer-{number}"), false, true).await?;
    }
    assert_eq!(done(world.notify(json!({})).await)?.notified, 40);
    assert_eq!(world.post.told().len(), 40);
    Ok(())
}

#[tokio::test]
async fn when_time_runs_out_leads_hear_that_it_is_theirs_whatever_they_mute() -> Result<()> {
    let world = world_with_reviewers().await?;
    let result = done(world.notify(urgent()).await)?;
    assert_eq!((result.notified, result.failed), (3, 0));
    let (reminder, escalated) = ("listing_review_reminder", "listing_review_escalated");
    assert_eq!(
        world.post.kinds(),
        kinds(&[("ben", reminder), ("lea", escalated), ("rita", reminder)])
    );
    for told in world.post.told() {
        let is_lead = told.notification.user_id == "lea";
        assert_eq!(told.notification.critical, is_lead, "{told:?}");
        let key = told.notification.notification_id.context("no key")?;
        assert_eq!(
            key,
            format!("listing/listing-1/{}/v1", told.notification.kind)
        );
    }
    Ok(())
}

#[tokio::test]
async fn asked_twice_they_hear_it_once() -> Result<()> {
    let world = world_with_reviewers().await?;
    for (retried, input, heard) in [
        (false, json!({}), 3),
        (true, json!({}), 3),
        (false, json!({}), 3),
        // What is asked later, or about another version, is something else.
        (true, urgent(), 6),
        (true, urgent(), 6),
        (false, json!({"listingVersion": 2}), 9),
    ] {
        assert_eq!(done(world.notify_again(retried, input).await)?.notified, 3);
        assert_eq!(world.post.told().len(), heard);
    }
    let retried: Vec<_> = world.post.told().iter().map(|told| told.retried).collect();
    let (first, again) = ([false; 3], [true; 3]);
    assert_eq!(retried, [first, again, first].concat());
    Ok(())
}

#[tokio::test]
async fn with_nobody_to_ask_it_is_done() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    add_reviewer(&world, "olga", true, false).await?;
    for input in [json!({}), urgent()] {
        let result = done(world.notify(input).await)?;
        assert_eq!(
            (result.success, result.notified, result.failed),
            (true, 0, 0)
        );
    }
    // That nobody heard of it does not keep the review from being urgent.
    assert_eq!(world.times("escalated").await?, 1);
    Ok(())
}

#[tokio::test]
async fn those_who_cannot_be_reached_are_counted_and_only_they_are_asked_again() -> Result<()> {
    let world = world_with_reviewers().await?;
    for (id, retry_after) in [("ben", None), ("lea", Some(Duration::from_secs(7)))] {
        world.post.lose(id, Unreachable { retry_after });
    }
    let result = done(world.notify(json!({})).await)?;
    assert_eq!(
        (result.success, result.notified, result.failed),
        (true, 1, 2)
    );
    let requested = "listing_review_requested";
    assert_eq!(world.post.kinds(), kinds(&[("rita", requested)]));

    world.post.find_everyone();
    let result = done(world.notify_again(true, json!({})).await)?;
    assert_eq!((result.notified, result.failed), (3, 0));
    assert_eq!(
        world.post.kinds(),
        kinds(&[("ben", requested), ("lea", requested), ("rita", requested)])
    );
    Ok(())
}

#[tokio::test]
async fn if_nobody_can_be_reached_the_reason_decides() -> Result<()> {
    let world = world_with_reviewers().await?;
    for (retry_after, retryable) in [(Some(Duration::from_secs(7)), true), (None, false)] {
        let world = world.beside().under_review().await?;
        for id in ["rita", "ben", "lea"] {
            world.post.lose(id, Unreachable { retry_after });
        }
        for input in [json!({}), urgent()] {
            let failure = failure(world.notify(input).await)?;
            assert_eq!(
                (
                    failure.code.as_str(),
                    failure.retryable,
                    failure.retry_after
                ),
                ("EXTERNAL_SERVICE_ERROR", retryable, retry_after)
            );
            assert!(failure.message.contains("nobody opens"), "{failure:?}");
        }
        assert!(world.post.told().is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_review_becomes_urgent_once_a_version() -> Result<()> {
    let world = world_with_reviewers().await?;
    done(world.notify(urgent()).await)?;
    let since = world.column("escalated_at").await?;
    assert!(since.is_string(), "{since}");
    done(world.notify(urgent()).await)?;
    // An attempt that does not know the version means the latest.
    done(
        world
            .notify(json!({"urgent": true, "listingVersion": null}))
            .await,
    )?;
    assert_eq!(world.column("escalated_at").await?, since);
    assert_eq!(world.times("escalated").await?, 1);

    // The same version again is as urgent as it was, an edit is not.
    done(world.submit(json!({})).await)?;
    assert_eq!(world.column("escalated_at").await?, since);
    let edit = json!({"propertyData": edited("Flat by the sea")});
    done(world.submit(edit).await)?;
    assert_eq!(world.column("escalated_at").await?, Value::Null);
    done(
        world
            .notify(json!({"urgent": true, "listingVersion": 2}))
            .await,
    )?;
    assert_eq!(
        world.trail().await?[3..],
        ["escalated v1", "version_submitted v2", "escalated v2"]
    );
    Ok(())
}

#[tokio::test]
async fn nobody_is_pressed_about_a_review_that_is_over() -> Result<()> {
    let world = world_with_reviewers().await?;
    let edit = json!({"propertyData": edited("Flat by the sea")});
    done(world.submit(edit).await)?;
    let nobody_is = |input: Value| {
        let world = &world;
        async move {
            let before = world.everything().await?;
            let result = done(world.notify(input).await)?;
            assert_eq!(
                (result.success, result.notified, result.failed),
                (true, 0, 0)
            );
            assert!(world.post.told().is_empty());
            assert_eq!(world.everything().await?, before);
            anyhow::Ok(())
        }
    };
    // Another version is reviewed now.
    nobody_is(urgent()).await?;
    nobody_is(json!({"urgent": true, "listingId": "listing-2"})).await?;
    let latest = json!({"urgent": true, "listingVersion": 2});
    world.become_status(ListingStatus::Draft).await?;
    nobody_is(latest.clone()).await?;
    world.become_status(ListingStatus::PendingReview).await?;
    done(world.decide(Decision::Reject, json!({})).await)?;
    nobody_is(latest).await?;
    nobody_is(json!({"urgent": true, "listingVersion": null})).await?;
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_by_the_name_of_its_field() -> Result<()> {
    let world = world_with_reviewers().await?;
    for (field, changes) in [
        ("listingId", json!({"listingId": ""})),
        ("userId", json!({"userId": null})),
        ("propertyData", json!({"propertyData": {}})),
        ("autoCheckScore", json!({"autoCheckScore": 2})),
        ("listingVersion", json!({"listingVersion": "1"})),
        ("deadline", json!({"deadline": "soon"})),
        ("urgent", json!({"urgent": 1})),
        ("invalid type", json!(null)),
    ] {
        let error = refused(world.notify(changes.clone()).await)?;
        assert!(error.contains(field), "{changes}: {error}");
    }
    assert!(world.post.told().is_empty());
    assert_eq!(world.audit.first_broken(LISTING).await?, None);
    Ok(())
}
