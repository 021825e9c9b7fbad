//! `sendExpirationReminder`: the owner is reminded of what is due, once.

use std::time::Duration;

use anyhow::{Context, Result};
use partner_listing::model::ListingStatus::Approved;
use serde_json::{Value, json};

use super::{
    APRIL, MARCH, not_shown, renewed_for_ever, renewed_until_april, shown_until_march, until,
};
use crate::answers::{done, failure, refused};
use crate::doubles::Unreachable;
use crate::support::{LISTING, OWNER, World, with};

fn reminder(date: &str, days: u16) -> Value {
    with(until(date), json!({"daysBefore": days}))
}

#[tokio::test]
async fn the_owner_is_reminded_of_what_is_due() -> Result<()> {
    let start = World::start().await?;
    start.add_user(OWNER, "ana@example.com").await?;
    for (days, when) in [(7, "in 7 days"), (1, "tomorrow")] {
        let world = shown_until_march(start.beside()).await?;
        // By whatever name the workflow knows the owner, it is the one on record who is told.
        let input = with(reminder(MARCH, days), json!({"userId": "ana@example.com"}));
        let result = done(world.remind_again(true, input).await)?;
        assert_eq!(
            serde_json::to_value(result)?,
            json!({
                "sent": true,
                "status": "approved",
                "renewed": false,
                "expirationDate": MARCH,
            })
        );
        let told = world.post.told().pop().context("nobody was told")?;
        assert!(told.retried);
        let reminded = told.notification;
        assert_eq!(
            (reminded.user_id.as_str(), reminded.kind.as_str()),
            (OWNER, "listing_expiring")
        );
        assert!(reminded.message.contains(when), "{}", reminded.message);
        let mail = reminded.email.context("no mail")?;
        let link = format!("https://portal.example.com/listings/{}", world.id);
        for part in [link.as_str(), "1 March 2027"] {
            assert!(mail.text.contains(part), "{part} is not in {}", mail.text);
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_date_has_its_own_reminders_and_each_comes_once() -> Result<()> {
    let world = shown_until_march(World::start().await?).await?;
    for input in [reminder(MARCH, 7), reminder(MARCH, 7), reminder(MARCH, 1)] {
        assert!(done(world.remind(input).await)?.sent);
    }
    done(world.renew(until(APRIL)).await)?;
    for _ in 0..2 {
        assert!(done(world.remind(reminder(APRIL, 7)).await)?.sent);
    }
    let keys: Vec<_> = world
        .post
        .told()
        .into_iter()
        .map(|told| told.notification.notification_id.unwrap_or_default())
        .collect();
    assert_eq!(
        keys,
        [
            "listing/listing-1/listing_expiring/1803902400/7",
            "listing/listing-1/listing_expiring/1803902400/1",
            "listing/listing-1/listing_expiring/1806580800/7",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn of_a_listing_that_was_renewed_the_new_date_comes_back_instead() -> Result<()> {
    let start = World::start().await?;
    for (world, date) in [
        (renewed_until_april(start.beside()).await?, Some(APRIL)),
        (renewed_for_ever(start.beside()).await?, None),
    ] {
        let result = done(world.remind(reminder(MARCH, 7)).await)?;
        assert_eq!((result.sent, result.renewed), (false, true));
        assert_eq!(result.expiration_date, date.map(str::parse).transpose()?);
        assert_eq!(result.status, Approved);
        assert!(world.post.told().is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn of_a_listing_that_is_not_shown_nobody_is_reminded() -> Result<()> {
    let start = World::start().await?;
    for (world, status) in not_shown(&start).await? {
        let result = done(world.remind(reminder(MARCH, 7)).await)?;
        assert_eq!((result.sent, result.renewed), (false, false));
        assert_eq!(result.status, status);
        assert!(world.post.told().is_empty(), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn a_listing_without_a_date_on_record_is_reminded_of_the_callers() -> Result<()> {
    let world = World::start().await?.approved().await?;
    let result = done(world.remind(reminder(MARCH, 7)).await)?;
    assert_eq!((result.sent, result.expiration_date), (true, None));
    assert_eq!(world.post.told().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_owner_who_cannot_be_reached_is_a_failure_of_that_kind() -> Result<()> {
    let start = World::start().await?;
    for (retry_after, retryable) in [(Some(Duration::from_secs(7)), true), (None, false)] {
        let world = shown_until_march(start.beside()).await?;
        world.post.lose(OWNER, Unreachable { retry_after });
        let failure = failure(world.remind(reminder(MARCH, 7)).await)?;
        assert_eq!(
            (
                failure.code.as_str(),
                failure.retryable,
                failure.retry_after
            ),
            ("EXTERNAL_SERVICE_ERROR", retryable, retry_after)
        );
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_reminded_of_another_users_listing() -> Result<()> {
    let world = shown_until_march(World::start().await?).await?;
    let input = with(reminder(MARCH, 7), json!({"userId": "eve"}));
    let error = refused(world.remind(input).await)?;
    assert_eq!(error, format!("listing {LISTING} does not belong to eve"));
    assert!(world.post.told().is_empty());
    Ok(())
}
