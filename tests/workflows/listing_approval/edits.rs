//! The owner changes the listing while it is reviewed, or after.

use anyhow::Result;
use partner_core::client::Process;
use partner_tests::listings::{REVIEWERS, Shown, TITLE, decide, poor_property, property};
use partner_tests::stage::{Stage, on_stage, payload};
use serde_json::{Value, json};

const RIVER: &str = "Flat by the river";

/// Edits a listing under review, and waits until the new version can be decided.
async fn edit(stage: &Stage, process: &Process, property: &Value, version: i32) -> Result<()> {
    process.signal("listingUpdated", property).await?;
    stage
        .details(process, "has not the new version", |details| {
            details["version"] == version
        })
        .await?;
    stage.reached(process, "reviewing").await
}

#[test]
fn an_edit_begins_the_review_of_the_new_version() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        let before = process.query("getDetails").await?;
        edit(stage, &process, &poor_property(RIVER), 2).await?;
        let after = process.query("getDetails").await?;
        assert_eq!(after["score"], json!(0.6));
        assert_eq!(after["edits"], 1);
        assert!(after["deadline"].as_str() > before["deadline"].as_str());
        stage
            .update(&process, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(2, RIVER, &["2 approve human ana"])
        );
        let requests = stage.asked(REVIEWERS[0], &listing).await?;
        assert_eq!(requests, ["listing_review_requested"; 2]);
        Ok(())
    })
}

#[test]
fn the_same_again_is_the_same_version() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.signal("listingUpdated", &property(TITLE)).await?;
        let mut decision = decide("approve", "ana");
        decision["listingVersion"] = json!(1);
        // The edit was looked at, and the wait goes on.
        stage
            .details(&process, "has not seen the edit", |details| {
                details["edits"] == 1
            })
            .await?;
        stage.reached(&process, "reviewing").await?;
        stage.update(&process, "decide", &decision).await?;
        stage.result(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human ana"])
        );
        assert_eq!(stage.asked(REVIEWERS[0], &listing).await?.len(), 1);
        Ok(())
    })
}

#[test]
fn an_edit_that_breaks_rules_ends_the_review() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.signal("listingUpdated", &property("Short")).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["status"], "validation_failed");
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("validation_failed", 2, &[])
        );
        Ok(())
    })
}

#[test]
fn an_edit_that_cannot_be_read_is_ignored_and_shown() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        for payloads in [
            vec![],
            vec![payload(&json!("x"))],
            vec![payload(&json!({ "title": RIVER }))],
        ] {
            stage
                .signal_raw(&process, "listingUpdated", payloads)
                .await?;
        }
        let details = process.query("getDetails").await?;
        assert_eq!(details["ignoredEdit"], "missing field `description`");
        stage
            .update(&process, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&process).await?;
        assert_eq!(stage.shown(&listing).await?.version, 1);
        Ok(())
    })
}

/// What was decided stands; what came after it is decided by itself.
#[test]
fn an_edit_after_the_decision_is_reviewed_by_a_run_of_its_own() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        // Both are there when the next task begins, in this order.
        process.signal("approve", &Value::Null).await?;
        process.signal("listingUpdated", &property(RIVER)).await?;
        let next = stage.client.process(&listing.approval_id());
        stage
            .details(&next, "has not the new version", |details| {
                details["version"] == 2
            })
            .await?;
        stage.reached(&next, "reviewing").await?;
        // The version that was approved is found until the next one is decided.
        assert_eq!(
            stage.shown(&listing).await?,
            Shown {
                status: "pending_review".to_owned(),
                version: 2,
                ..Shown::live(1, TITLE, &["1 approve human"])
            }
        );
        stage
            .update(&next, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&next).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(2, RIVER, &["1 approve human", "2 approve human ana"])
        );
        Ok(())
    })
}

#[test]
fn a_live_listing_whose_edit_is_rejected_is_taken_down() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let process = stage.under_review(&listing, &property(RIVER)).await?;
        assert_eq!(stage.shown(&listing).await?.found.as_deref(), Some(TITLE));
        stage
            .update(&process, "decide", &decide("reject", "ben"))
            .await?;
        stage.result(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden(
                "rejected",
                2,
                &["1 approve human ana", "2 reject human ben"]
            )
        );
        Ok(())
    })
}

#[test]
fn a_live_listing_whose_edit_breaks_rules_is_taken_down() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let process = stage.submit(&listing, &property("Short")).await?;
        stage.result(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("validation_failed", 2, &["1 approve human ana"])
        );
        Ok(())
    })
}

#[test]
fn many_edits_go_on_in_a_new_run() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        let first_run = process.history().await?;
        for version in 2..=22 {
            let title = format!("Flat number {version} by the lake");
            edit(
                stage,
                &stage.client.process(&process.id),
                &property(&title),
                version,
            )
            .await?;
        }
        let last = stage.client.process(&process.id);
        assert_ne!(
            last.history().await?.first().map(|event| event.event_time),
            first_run.first().map(|event| event.event_time),
            "the same run"
        );
        stage
            .update(&last, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&last).await?;
        let title = "Flat number 22 by the lake";
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(22, title, &["22 approve human ana"])
        );
        Ok(())
    })
}

/// The run would go on as a new one, which knows nothing of what was said to this one.
#[test]
fn a_decision_right_after_the_last_edit_of_a_run_is_not_lost() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        for version in 2..=20 {
            let title = format!("Flat number {version} by the lake");
            edit(stage, &process, &property(&title), version).await?;
        }
        process.signal("listingUpdated", &property(RIVER)).await?;
        process.signal("approve", &Value::Null).await?;
        stage.result(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(21, RIVER, &["21 approve human"])
        );
        Ok(())
    })
}
