//! Cancelled through Temporal.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_tests::faults::ActivityFault;
use partner_tests::listings::{Shown, TITLE, decide, property};
use partner_tests::stage::on_stage;
use serde_json::Value;

#[test]
fn a_review_that_is_cancelled_leaves_a_draft() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.cancel().await?;
        stage.cancelled(&process).await?;
        assert_eq!(stage.shown(&listing).await?, Shown::hidden("draft", 1, &[]));
        assert!(stage.in_app(&listing.owner).await?.is_empty());
        // It can be submitted again.
        stage.approved(&listing).await?;
        Ok(())
    })
}

#[test]
fn a_decision_that_was_made_is_carried_out() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        // The index is down for long enough to cancel in the middle of publishing.
        let down = ActivityFault::times(ErrorCode::ExternalServiceError, 20);
        stage
            .faults
            .set(&listing.approval_id(), "publishToSearchIndex", down);
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        stage
            .update(&process, "decide", &decide("approve", "ana"))
            .await?;
        process.cancel().await?;
        assert_eq!(stage.result(&process).await?["status"], "approved");
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human ana"])
        );
        Ok(())
    })
}

#[test]
fn a_live_listing_whose_edit_is_withdrawn_is_taken_down() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let edited = property("Flat by the river");
        let process = stage.under_review(&listing, &edited).await?;
        process.cancel().await?;
        stage.cancelled(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("draft", 2, &["1 approve human ana"])
        );
        Ok(())
    })
}

#[test]
fn a_decision_and_a_cancellation_at_once_end_in_one_of_the_two() -> Result<()> {
    on_stage(async |stage| {
        for _ in 0..10 {
            let listing = stage.listing().await?;
            let process = stage.under_review(&listing, &property(TITLE)).await?;
            let (cancelled, signalled) =
                futures::join!(process.cancel(), process.signal("approve", &Value::Null));
            cancelled?;
            signalled.ok();
            stage.ended(&process).await?;
            let shown = stage.shown(&listing).await?;
            let whole = [
                Shown::hidden("draft", 1, &[]),
                Shown::live(1, TITLE, &["1 approve human"]),
            ];
            assert!(whole.contains(&shown), "{shown:?}");
        }
        Ok(())
    })
}
