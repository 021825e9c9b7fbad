//! The branches of `listingApprovalWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::faults::ActivityFault;
use crate::listings::{APPROVAL, Listing, TITLE, decide, poor_property, property};
use crate::stage::{Stage, payload};

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 17] = [
    "approved_by_update",
    "approved_by_signal",
    "approved_with_expiration",
    "rejected_by_update",
    "rejected_while_live",
    "approved_by_rule",
    "rejected_by_timeout",
    "validation_failed",
    "validation_failed_while_live",
    "edited",
    "edited_after_the_decision",
    "approved_before",
    "decision_not_recorded",
    "index_refuses",
    "check_fails",
    "cancelled_by_temporal",
    "bad_input",
];

const RIVER: &str = "Flat by the river";

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let listing = &stage.listing().await?;
    match branch {
        "approved_with_expiration" => return with_expiration(stage, listing).await,
        "rejected_while_live" | "validation_failed_while_live" | "approved_before" => {
            return while_live(stage, listing, branch).await;
        }
        "approved_by_rule" => return unattended(stage, listing, &property(TITLE)).await,
        "rejected_by_timeout" => return unattended(stage, listing, &poor_property(TITLE)).await,
        "validation_failed" => return stage.submit(listing, &property("Short")).await,
        "decision_not_recorded" => fail(stage, listing, "approveListing"),
        "index_refuses" => fail(stage, listing, "publishToSearchIndex"),
        "check_fails" => {
            fail(stage, listing, "runAutomatedChecks");
            return stage.submit(listing, &property(TITLE)).await;
        }
        "bad_input" => {
            let mut property = property(TITLE);
            property["price"] = json!("free");
            return stage.submit(listing, &property).await;
        }
        _ => {}
    }
    let process = stage.under_review(listing, &property(TITLE)).await?;
    match branch {
        "approved_by_update" => {
            stage
                .update(&process, "decide", &decide("approve", "ana"))
                .await?;
        }
        "rejected_by_update" => {
            stage
                .update(&process, "decide", &decide("reject", "ana"))
                .await?;
        }
        "approved_by_signal" | "decision_not_recorded" | "index_refuses" => {
            process.signal("approve", &Value::Null).await?;
        }
        "edited" => {
            process.signal("listingUpdated", &property(RIVER)).await?;
            process.signal("approve", &Value::Null).await?;
        }
        "edited_after_the_decision" => {
            // The next run ends it, and is a branch of its own.
            process.signal("reject", &Value::Null).await?;
            process.signal("listingUpdated", &property("Short")).await?;
        }
        "cancelled_by_temporal" => process.cancel().await?,
        other => bail!("unknown branch {other}"),
    }
    Ok(process)
}

fn fail(stage: &Stage, listing: &Listing, activity: &str) {
    let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
    stage.faults.set(&listing.approval_id(), activity, fault);
}

async fn unattended(stage: &Stage, listing: &Listing, property: &Value) -> Result<Process> {
    let input = listing.input(property);
    stage
        .start_skipping_time(APPROVAL, &listing.approval_id(), &input)
        .await
}

async fn with_expiration(stage: &Stage, listing: &Listing) -> Result<Process> {
    let mut input = listing.input(&property(TITLE));
    input["expirationDate"] = json!("2090-01-01T00:00:00Z");
    let id = listing.approval_id();
    let process = stage
        .start_raw(APPROVAL, &id, vec![payload(&input)], |_| {})
        .await?;
    process.signal("approve", &Value::Null).await?;
    Ok(process)
}

async fn while_live(stage: &Stage, listing: &Listing, branch: &str) -> Result<Process> {
    stage.approved(listing).await?;
    match branch {
        "approved_before" => stage.submit(listing, &property(TITLE)).await,
        "validation_failed_while_live" => stage.submit(listing, &property("Short")).await,
        _ => {
            let process = stage.under_review(listing, &property(RIVER)).await?;
            process.signal("reject", &Value::Null).await?;
            Ok(process)
        }
    }
}
