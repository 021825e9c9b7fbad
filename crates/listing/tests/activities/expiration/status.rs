//! `getListingStatus`: how a listing stands, and whether it was renewed.

use anyhow::Result;
use partner_listing::model::ListingStatus::{Approved, Draft};
use serde_json::json;

use super::{
    APRIL, FEBRUARY, MARCH, renewed_for_ever, renewed_until_april, shown_until_march, until,
};
use crate::answers::{done, refused};
use crate::support::{LISTING, OWNER, World, edited};

#[tokio::test]
async fn renewed_means_shown_beyond_the_date_or_renewed_at_all() -> Result<()> {
    let start = World::start().await?;
    // Without a date, and with each of them.
    for (world, date, renewed) in [
        (
            start.beside().approved().await?,
            None,
            [false, false, false, false],
        ),
        (
            shown_until_march(start.beside()).await?,
            Some(MARCH),
            [false, true, false, false],
        ),
        (
            renewed_until_april(start.beside()).await?,
            Some(APRIL),
            [true, true, true, false],
        ),
        (
            renewed_for_ever(start.beside()).await?,
            None,
            [true, true, true, true],
        ),
    ] {
        let questions = [json!({}), until(FEBRUARY), until(MARCH), until(APRIL)];
        for (question, renewed) in questions.into_iter().zip(renewed) {
            let result = done(world.status(question.clone()).await)?;
            assert_eq!(result.renewed, renewed, "{date:?}, {question}");
            let date = date.map(str::parse).transpose()?;
            assert_eq!(result.expiration_date, date);
            assert_eq!(result.status, Approved);
        }
    }
    Ok(())
}

#[tokio::test]
async fn it_says_what_the_expiration_needs() -> Result<()> {
    let world = shown_until_march(World::start().await?).await?;
    let edit = json!({"propertyData": edited("Flat by the sea")});
    done(world.submit(edit).await)?;
    let result = done(world.status(json!({"userId": OWNER})).await)?;
    assert_eq!(
        serde_json::to_value(result)?,
        json!({
            "listingId": LISTING,
            "status": "approved",
            "renewed": false,
            "expirationDate": MARCH,
            "title": "Flat by the sea",
            // The longest first, and each once, whatever the configuration says.
            "reminderDays": [30, 7, 1],
        })
    );
    Ok(())
}

#[tokio::test]
async fn a_listing_without_a_version_has_no_title() -> Result<()> {
    let world = World::start().await?;
    world
        .run("INSERT INTO listings (id, user_id) VALUES ($1, 'ana')")
        .await?;
    let result = done(world.status(json!({})).await)?;
    assert_eq!((result.title.as_str(), result.status), ("", Draft));
    Ok(())
}

#[tokio::test]
async fn a_listing_of_another_user_is_refused() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    world.add_user(OWNER, "ana@example.com").await?;
    world.add_user("eve", "eve@example.com").await?;
    for owner in [OWNER, "ANA@example.com"] {
        done(world.status(json!({"userId": owner})).await)?;
    }
    for user in ["eve", "eve@example.com", "nobody"] {
        let error = refused(world.status(json!({"userId": user})).await)?;
        assert_eq!(
            error,
            format!("listing {LISTING} does not belong to {user}")
        );
    }
    Ok(())
}
