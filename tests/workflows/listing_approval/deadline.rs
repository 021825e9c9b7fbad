//! Nobody decides in time.

use anyhow::Result;
use partner_core::client::Process;
use partner_tests::history;
use partner_tests::listings::{
    APPROVAL, Listing, REVIEWERS, Shown, TITLE, poor_property, property,
};
use partner_tests::stage::{Stage, on_stage};
use serde_json::Value;

async fn unattended(stage: &Stage, listing: &Listing, property: &Value) -> Result<Process> {
    let input = listing.input(property);
    stage
        .start_skipping_time(APPROVAL, &listing.approval_id(), &input)
        .await
}

/// In seconds.
const HOUR: i64 = 3_600;

#[test]
fn a_good_score_approves_after_48_hours_and_says_so() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = unattended(stage, &listing, &property(TITLE)).await?;
        let result = stage.result(&process).await?;
        assert_eq!(
            result["reviewComment"],
            "Automatically approved: nobody decided within 48 hours, and the score of 1 is at least 0.8."
        );
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve rule"])
        );
        let passed = history::seconds(&process.history().await?);
        assert!((48 * HOUR..49 * HOUR).contains(&passed), "{passed} s");
        Ok(())
    })
}

#[test]
fn a_poor_score_rejects_after_48_hours_and_says_so() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = unattended(stage, &listing, &poor_property(TITLE)).await?;
        let result = stage.result(&process).await?;
        assert_eq!(
            result["reviewComment"],
            "Automatically rejected: nobody decided within 48 hours, and the score of 0.6 is below 0.8."
        );
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("rejected", 1, &["1 reject timeout"])
        );
        Ok(())
    })
}

/// Before that, the reviewers are reminded and whoever leads them is asked, once.
#[test]
fn the_review_becomes_urgent_before_the_deadline() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = unattended(stage, &listing, &property(TITLE)).await?;
        stage.result(&process).await?;
        let requested = "listing_review_requested";
        assert_eq!(
            stage.asked(REVIEWERS[0], &listing).await?,
            [requested, "listing_review_reminder"]
        );
        assert_eq!(
            stage.asked(REVIEWERS[1], &listing).await?,
            [requested, "listing_review_escalated"]
        );
        let audit = stage.audit(&listing).await?;
        let escalated = audit.iter().filter(|action| *action == "escalated");
        assert_eq!(escalated.count(), 1, "{audit:?}");
        Ok(())
    })
}

#[test]
fn a_decision_after_the_reminder_still_counts() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let queue = stage.unique("no-deadline");
        // Reminded soon, decided without a person only much later.
        stage
            .serve_with(&queue, |config| {
                let seconds = std::time::Duration::from_secs;
                config.listing.review_window = seconds(3_600);
                config.listing.review_reminder = seconds(3_599);
            })
            .await?;
        let input = listing.input(&property(TITLE));
        let process = stage
            .start_in(&queue, APPROVAL, &listing.approval_id(), &input)
            .await?;
        stage
            .details(&process, "is not urgent", |details| {
                details["urgent"] == true
            })
            .await?;
        stage.reached(&process, "reviewing").await?;
        let decision = partner_tests::listings::decide("reject", "ana");
        stage.update(&process, "decide", &decision).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["status"], "rejected");
        assert_eq!(
            stage.shown(&listing).await?.decisions,
            ["1 reject human ana"]
        );
        Ok(())
    })
}
