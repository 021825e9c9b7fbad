//! The branches of `listingExpirationWorkflow`.

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::faults::ActivityFault;
use crate::listings::{EXPIRATION, Listing};
use crate::stage::Stage;

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 10] = [
    "expired",
    "expired_at_once",
    "renewed_by_signal",
    "renewed_in_the_database",
    "renewed_for_ever",
    "renewal_ignored",
    "not_shown",
    "reminder_fails",
    "cancelled_by_temporal",
    "bad_input",
];

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let listing = &stage.listing().await?;
    stage.approved(listing).await?;
    let date = stage.now().await? + TimeDelta::days(30);
    match branch {
        "expired" => {}
        "expired_at_once" => return expire(stage, listing, date - TimeDelta::days(31)).await,
        "renewed_by_signal" => {
            return renewed(stage, listing, date, date + TimeDelta::days(2)).await;
        }
        "renewal_ignored" => {
            return renewed(stage, listing, date, date - TimeDelta::days(60)).await;
        }
        "renewed_in_the_database" => {
            let later = Some(date + TimeDelta::days(30));
            stage.shop.renew_listing(&listing.id, later).await?;
        }
        "renewed_for_ever" => stage.shop.renew_listing(&listing.id, None).await?,
        "not_shown" => {
            sqlx::query("UPDATE listings SET status = 'draft' WHERE id = $1")
                .bind(&listing.id)
                .execute(stage.shop.pool())
                .await?;
        }
        "reminder_fails" => {
            let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
            let id = listing.expiration_id();
            stage.faults.set(&id, "sendExpirationReminder", fault);
        }
        "cancelled_by_temporal" => {
            let process = wait_for(stage, listing, date).await?;
            process.cancel().await?;
            return Ok(process);
        }
        "bad_input" => {
            let mut input = input(listing, date);
            input["expirationDate"] = json!("tomorrow");
            let id = listing.expiration_id();
            return stage.start(EXPIRATION, &id, &input).await;
        }
        other => bail!("unknown branch {other}"),
    }
    expire(stage, listing, date).await
}

/// The input of a listing's expiration.
pub fn input(listing: &Listing, date: DateTime<Utc>) -> Value {
    json!({ "listingId": listing.id, "userId": listing.owner.id, "expirationDate": date })
}

/// Starts an expiration whose time passes whenever it only waits.
pub async fn expire(stage: &Stage, listing: &Listing, date: DateTime<Utc>) -> Result<Process> {
    let id = listing.expiration_id();
    stage
        .start_skipping_time(EXPIRATION, &id, &input(listing, date))
        .await
}

/// Starts an expiration whose time passes as everybody's, and lets it come to its wait.
pub async fn wait_for(stage: &Stage, listing: &Listing, date: DateTime<Utc>) -> Result<Process> {
    let id = listing.expiration_id();
    let process = stage.start(EXPIRATION, &id, &input(listing, date)).await?;
    stage.reached(&process, "waiting").await?;
    Ok(process)
}

async fn renewed(
    stage: &Stage,
    listing: &Listing,
    date: DateTime<Utc>,
    other: DateTime<Utc>,
) -> Result<Process> {
    let process = wait_for(stage, listing, date).await?;
    process.signal("renew", &json!(other)).await?;
    stage.skip_time(&process).await?;
    Ok(process)
}
