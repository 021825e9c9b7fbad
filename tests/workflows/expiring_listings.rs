//! `expiringListingsWorkflow`.

use anyhow::Result;
use chrono::TimeDelta;
use partner_tests::branches::expiring_listings::WORKFLOW;
use partner_tests::branches::listing_expiration::wait_for;
use partner_tests::history;
use partner_tests::listings::{Listing, decide, property};
use partner_tests::stage::{Stage, on_stage};
use partner_tests::sweeps::{counts, long_ago};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

async fn sweep(stage: &Stage) -> Result<Value> {
    stage.sweep(WORKFLOW, &json!({})).await
}

async fn status(stage: &Stage, listing: &Listing) -> Result<String> {
    let process = stage.client.process(&listing.expiration_id());
    stage.result(&process).await?;
    Ok(stage.shown(listing).await?.status)
}

#[test]
fn a_listing_that_nobody_follows_is_followed() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let listing = stage.overdue_listing().await?;
        let process = stage.start_sweep(WORKFLOW, &json!({})).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["counts"], counts(1, 1, 0, 0, 0));
        assert_eq!(status(stage, &listing).await?, "expired");
        assert_eq!(sweep(stage).await?, counts(0, 0, 0, 0, 0));
        assert_eq!(process.query("getStatus").await?["status"], "completed");
        assert_eq!(process.query("getProgress").await?["percent"], 100);
        let details = process.query("getDetails").await?;
        assert_eq!(
            (&details["total"], &details["counts"]),
            (&json!(1), &result["counts"])
        );
        Ok(())
    })
}

#[test]
fn a_listing_that_is_shown_again_is_followed_again() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let listing = stage.overdue_listing().await?;
        sweep(stage).await?;
        assert_eq!(status(stage, &listing).await?, "expired");
        // The workflow of its id has ended well, and the review starts none: there is no date yet.
        stage.shop.renew_listing(&listing.id, None).await?;
        let property = property("Flat by the lake, with a garden");
        let review = stage.under_review(&listing, &property).await?;
        stage
            .update(&review, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&review).await?;
        stage.shop.date_listing(&listing.id, long_ago()).await?;
        assert_eq!(sweep(stage).await?, counts(1, 1, 0, 0, 0));
        assert_eq!(status(stage, &listing).await?, "expired");
        Ok(())
    })
}

#[test]
fn a_date_that_was_moved_is_told_once() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let now = stage.now().await?;
        let process = wait_for(stage, &listing, now + TimeDelta::days(60)).await?;
        // Nobody else's listing expires so soon, and is not followed.
        let moved = now + TimeDelta::minutes(90);
        stage.shop.date_listing(&listing.id, moved).await?;
        let as_of = json!({ "asOf": moved - TimeDelta::days(9) });
        // What other tests let expire soon is swept as well: only this one's history counts.
        stage.sweep(WORKFLOW, &as_of).await?;
        let date = |details: &Value| {
            let date = details["expirationDate"].as_str().unwrap_or_default();
            date.parse()
                .ok()
                .map(|date: chrono::DateTime<chrono::Utc>| date)
        };
        stage
            .details(&process, "follows the new date", |details| {
                date(details).is_some_and(|date| (date - moved).abs() < TimeDelta::seconds(1))
            })
            .await?;
        stage.sweep(WORKFLOW, &as_of).await?;
        let events = process.history().await?;
        let signals = history::count(&events, EventType::WorkflowExecutionSignaled);
        assert_eq!(signals, 1);
        process.cancel().await?;
        stage.cancelled(&process).await?;
        let later = now + TimeDelta::days(90);
        stage.shop.date_listing(&listing.id, later).await?;
        Ok(())
    })
}

#[test]
fn a_date_that_was_moved_into_the_past_is_kept_by_the_next_sweep() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let later = stage.now().await? + TimeDelta::days(60);
        let waiting = wait_for(stage, &listing, later).await?;
        stage.shop.date_listing(&listing.id, long_ago()).await?;
        assert_eq!(sweep(stage).await?, counts(1, 0, 1, 1, 0));
        stage.cancelled(&waiting).await?;
        assert_eq!(sweep(stage).await?, counts(1, 1, 0, 0, 0));
        assert_eq!(status(stage, &listing).await?, "expired");
        Ok(())
    })
}
