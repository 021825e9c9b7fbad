//! Input that breaks the contract is an answer at once, never a stuck workflow, and touches nothing.

use anyhow::Result;
use futures::future::try_join_all;
use partner_core::error::ErrorCode;
use partner_tests::listings::{APPROVAL, TITLE, property};
use partner_tests::stage::{on_stage, payload};
use serde_json::{Value, json};

/// A field by its path, what it is replaced by, and what the message must name.
fn bad_fields() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/listingId", json!(""), "listingId"),
        ("/listingId", json!(7), "listingId"),
        ("/userId", json!(""), "userId"),
        ("/userId", Value::Null, "userId"),
        ("/propertyData", json!([]), "propertyData"),
        ("/propertyData/title", json!(7), "propertyData.title"),
        (
            "/propertyData/title",
            json!("a\u{0}title of a flat"),
            "propertyData.title",
        ),
        ("/propertyData/price", json!("450000"), "propertyData.price"),
        ("/propertyData/images", json!("x"), "propertyData.images"),
        ("/propertyData/images/0", json!(7), "propertyData.images[0]"),
        (
            "/propertyData/location",
            json!("Zug"),
            "propertyData.location",
        ),
        (
            "/propertyData/bedrooms",
            json!("two"),
            "propertyData.bedrooms",
        ),
    ]
}

#[test]
fn ill_typed_fields_fail_at_once_are_named_and_touch_nothing() -> Result<()> {
    on_stage(async |stage| {
        try_join_all(bad_fields().iter().map(async |(path, value, named)| {
            let listing = stage.listing().await?;
            let mut input = listing.input(&property(TITLE));
            if let Some(field) = input.pointer_mut(path) {
                *field = value.clone();
            }
            let id = stage.unique("bad-input");
            let process = stage
                .start_raw(APPROVAL, &id, vec![payload(&input)], |_| {})
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(named), "{path}={value}: {message}");
            let known: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM listings WHERE id = $1)")
                    .bind(&listing.id)
                    .fetch_one(stage.shop.pool())
                    .await?;
            assert!(!known, "{path}={value}");
            anyhow::Ok(())
        }))
        .await?;
        Ok(())
    })
}

#[test]
fn missing_fields_fail_at_once_and_are_named() -> Result<()> {
    on_stage(async |stage| {
        for (parent, field) in [
            ("", "listingId"),
            ("", "userId"),
            ("", "propertyData"),
            ("/propertyData", "title"),
            ("/propertyData", "description"),
            ("/propertyData", "price"),
            ("/propertyData", "location"),
            ("/propertyData", "images"),
        ] {
            let listing = stage.listing().await?;
            let mut input = listing.input(&property(TITLE));
            if let Some(parent) = input.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.remove(field);
            }
            let id = stage.unique("bad-input");
            let process = stage
                .start_raw(APPROVAL, &id, vec![payload(&input)], |_| {})
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(field), "{field}: {message}");
        }
        Ok(())
    })
}

#[test]
fn somebody_elses_listing_is_refused_and_stays_as_it_is() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let before = stage.shown(&listing).await?;
        let mut input = listing.input(&property("A listing of someone else"));
        input["userId"] = json!(stage.person().await?.id);
        let id = stage.unique("theft");
        let process = stage
            .start_raw(APPROVAL, &id, vec![payload(&input)], |_| {})
            .await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert!(message.contains("does not belong to"), "{message}");
        assert_eq!(stage.shown(&listing).await?, before);
        Ok(())
    })
}
