//! Something goes wrong: the listing is never half-live, and what can be waited for is.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_tests::branches::send_notification::REFUSE_MAIL;
use partner_tests::faults::ActivityFault;
use partner_tests::listings::{Shown, TITLE, decide, property};
use partner_tests::stage::on_stage;
use serde_json::Value;

#[test]
fn a_listing_that_the_index_refuses_is_taken_back_whole() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let id = listing.approval_id();
        let refused = ActivityFault::for_good(ErrorCode::ExternalServiceError);
        stage.faults.set(&id, "publishToSearchIndex", refused);
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.signal("approve", &Value::Null).await?;
        stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("error", 1, &["1 approve human"])
        );
        assert_eq!(stage.in_app(&listing.owner).await?, ["listing_error"]);
        // The approval stands: the next run publishes it, and asks nobody again.
        let again = stage.submit(&listing, &property(TITLE)).await?;
        assert_eq!(stage.result(&again).await?["status"], "approved");
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human"])
        );
        Ok(())
    })
}

#[test]
fn an_index_that_took_it_and_then_refuses_has_it_no_more() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let id = listing.approval_id();
        let lost = ActivityFault::answer_lost();
        stage.faults.set(&id, "publishToSearchIndex", lost);
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.signal("approve", &Value::Null).await?;
        stage.result(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human"])
        );
        Ok(())
    })
}

#[test]
fn an_index_that_is_down_is_waited_for() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let id = listing.approval_id();
        let down = ActivityFault::times(ErrorCode::ExternalServiceError, 8);
        stage.faults.set(&id, "publishToSearchIndex", down);
        stage.approved(&listing).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human ana"])
        );
        Ok(())
    })
}

#[test]
fn a_database_that_is_down_is_waited_for() -> Result<()> {
    on_stage(async |stage| {
        for activity in ["submitListing", "updateListingStatus", "approveListing"] {
            let listing = stage.listing().await?;
            let id = listing.approval_id();
            let down = ActivityFault::times(ErrorCode::DatabaseError, 8);
            stage.faults.set(&id, activity, down);
            stage.approved(&listing).await?;
            assert_eq!(
                stage.shown(&listing).await?,
                Shown::live(1, TITLE, &["1 approve human ana"]),
                "{activity}"
            );
        }
        Ok(())
    })
}

/// Whoever decided learns that it did not get on record.
#[test]
fn a_decision_that_cannot_be_recorded_is_refused() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let fault = ActivityFault::for_good(ErrorCode::DatabaseError);
        stage
            .faults
            .set(&listing.approval_id(), "approveListing", fault);
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        let refused = stage
            .refused_update(&process, "decide", &decide("approve", "ana"))
            .await?;
        assert!(refused.contains("DATABASE_ERROR"), "{refused}");
        stage.failure(&process, ErrorCode::DatabaseError).await?;
        assert_eq!(stage.shown(&listing).await?, Shown::hidden("error", 1, &[]));
        Ok(())
    })
}

#[test]
fn a_check_that_fails_for_good_leaves_an_error() -> Result<()> {
    on_stage(async |stage| {
        for activity in [
            "validateListing",
            "runAutomatedChecks",
            "updateListingStatus",
        ] {
            let listing = stage.listing().await?;
            let fault = ActivityFault::for_good(ErrorCode::Unknown);
            stage.faults.set(&listing.approval_id(), activity, fault);
            let process = stage.submit(&listing, &property(TITLE)).await?;
            stage.failure(&process, ErrorCode::Unknown).await?;
            assert_eq!(
                stage.shown(&listing).await?,
                Shown::hidden("error", 1, &[]),
                "{activity}"
            );
        }
        Ok(())
    })
}

#[test]
fn reviewers_and_owners_who_cannot_be_told_are_a_warning() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let id = listing.approval_id();
        let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
        stage.faults.set(&id, "notifyReviewers", fault);
        stage.faults.set(&id, "sendNotification", fault);
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.signal("approve", &Value::Null).await?;
        let result = stage.result(&process).await?;
        let warnings = result["warnings"].to_string();
        for told in [
            "the reviewers could not be told",
            "the owner could not be told",
        ] {
            assert!(warnings.contains(told), "{warnings}");
        }
        assert_eq!(stage.shown(&listing).await?.found.as_deref(), Some(TITLE));
        Ok(())
    })
}

#[test]
fn a_mail_that_is_refused_does_not_undo_the_decision() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let email = &listing.owner.email;
        stage.platform.inbox.set_fault(email, REFUSE_MAIL);
        stage.approved(&listing).await?;
        assert_eq!(stage.shown(&listing).await?.found.as_deref(), Some(TITLE));
        assert_eq!(stage.in_app(&listing.owner).await?, ["listing_approved"]);
        Ok(())
    })
}

#[test]
fn a_listing_that_somebody_else_moved_is_theirs() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        sqlx::query("UPDATE listings SET status = 'draft', status_reason = 'sold' WHERE id = $1")
            .bind(&listing.id)
            .execute(stage.shop.pool())
            .await?;
        let refused = stage
            .refused_update(&process, "decide", &decide("approve", "ana"))
            .await?;
        assert!(
            refused.contains("is draft, it cannot become approved"),
            "{refused}"
        );
        stage.failure(&process, ErrorCode::ValidationError).await?;
        assert_eq!(stage.shown(&listing).await?, Shown::hidden("draft", 1, &[]));
        Ok(())
    })
}
