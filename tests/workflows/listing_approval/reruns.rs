//! The same listing again: by another run, or by another workflow.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_tests::faults::ActivityFault;
use partner_tests::listings::{APPROVAL, REVIEWERS, Shown, TITLE, decide, property};
use partner_tests::stage::{on_stage, payload};
use serde_json::Value;

#[test]
fn a_second_workflow_for_a_listing_under_review_is_refused() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        let input = vec![payload(&listing.input(&property(TITLE)))];
        let other = stage
            .start_raw(APPROVAL, &stage.unique("another"), input, |_| {})
            .await?;
        let message = stage.failure(&other, ErrorCode::ValidationError).await?;
        assert!(
            message.contains(&format!("is under review by workflow {}", process.id)),
            "{message}"
        );
        stage
            .update(&process, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&process).await?;
        Ok(())
    })
}

#[test]
fn an_approved_listing_submitted_again_unchanged_asks_and_tells_nobody_again() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let again = stage.submit(&listing, &property(TITLE)).await?;
        assert_eq!(stage.result(&again).await?["status"], "approved");
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human ana"])
        );
        assert_eq!(stage.asked(REVIEWERS[0], &listing).await?.len(), 1);
        assert_eq!(stage.subjects(&listing.owner).len(), 1);
        Ok(())
    })
}

#[test]
fn a_rejected_listing_submitted_again_is_reviewed_again() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        stage
            .update(&process, "decide", &decide("reject", "ben"))
            .await?;
        stage.result(&process).await?;
        stage.approved(&listing).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(2, TITLE, &["1 reject human ben", "2 approve human ana"])
        );
        assert_eq!(stage.subjects(&listing.owner).len(), 2);
        Ok(())
    })
}

/// A run that was terminated cannot finish anything; the next one does, from where it was.
#[test]
fn a_run_after_one_that_was_terminated_finishes_its_work() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let down = ActivityFault::times(ErrorCode::ExternalServiceError, 1_000);
        let id = listing.approval_id();
        stage.faults.set(&id, "publishToSearchIndex", down);
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.signal("approve", &Value::Null).await?;
        stage.reached(&process, "publishing").await?;
        stage.end_at_once(&process).await?;
        stage.faults.set(
            &id,
            "publishToSearchIndex",
            ActivityFault::times(ErrorCode::Unknown, 0),
        );
        assert_eq!(
            stage.shown(&listing).await?,
            Shown {
                found: None,
                ..Shown::live(1, TITLE, &["1 approve human"])
            }
        );
        let again = stage.submit(&listing, &property(TITLE)).await?;
        stage.result(&again).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human"])
        );
        assert_eq!(stage.in_app(&listing.owner).await?, ["listing_approved"]);
        Ok(())
    })
}

#[test]
fn a_start_joins_the_review_that_is_under_way() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let input = listing.input(&property(TITLE));
        let id = listing.approval_id();
        let first = stage.start(APPROVAL, &id, &input).await?;
        let second = stage.start(APPROVAL, &id, &input).await?;
        stage.reached(&first, "reviewing").await?;
        stage
            .update(&second, "decide", &decide("approve", "ana"))
            .await?;
        assert_eq!(stage.result(&first).await?, stage.result(&second).await?);
        Ok(())
    })
}
