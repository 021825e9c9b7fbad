//! One run of a workflow for every branch that it can take: what the replay tests hold the code
//! against.

pub mod daily_report;
pub mod data_cleanup;
pub mod due_subscriptions;
pub mod expiring_listings;
pub mod listing_approval;
pub mod listing_expiration;
pub mod process_payment;
pub mod reminder;
pub mod reservation_expiry;
pub mod send_notification;
pub mod subscription_payment;
pub mod user_onboarding;

use anyhow::{Context, Result, bail};
use partner_core::client::Process;

use crate::stage::Stage;

/// Every workflow's branches, by the folder of its recorded histories.
pub const BRANCHES: [(&str, &[&str]); 12] = [
    ("daily_report", &daily_report::BRANCHES),
    ("data_cleanup", &data_cleanup::BRANCHES),
    ("due_subscriptions", &due_subscriptions::BRANCHES),
    ("expiring_listings", &expiring_listings::BRANCHES),
    ("listing_approval", &listing_approval::BRANCHES),
    ("listing_expiration", &listing_expiration::BRANCHES),
    ("process_payment", &process_payment::BRANCHES),
    ("reminder", &reminder::BRANCHES),
    ("reservation_expiry", &reservation_expiry::BRANCHES),
    ("send_notification", &send_notification::BRANCHES),
    ("subscription_payment", &subscription_payment::BRANCHES),
    ("user_onboarding", &user_onboarding::BRANCHES),
];

/// Plays a branch to its end.
pub async fn play(stage: &Stage, workflow: &str, branch: &str) -> Result<Process> {
    let begun = match workflow {
        "daily_report" => daily_report::begin(stage, branch).await,
        "data_cleanup" => data_cleanup::begin(stage, branch).await,
        "due_subscriptions" => due_subscriptions::begin(stage, branch).await,
        "expiring_listings" => expiring_listings::begin(stage, branch).await,
        "listing_approval" => listing_approval::begin(stage, branch).await,
        "listing_expiration" => listing_expiration::begin(stage, branch).await,
        "process_payment" => process_payment::begin(stage, branch).await,
        "reminder" => reminder::begin(stage, branch).await,
        "reservation_expiry" => reservation_expiry::begin(stage, branch).await,
        "send_notification" => send_notification::begin(stage, branch).await,
        "subscription_payment" => subscription_payment::begin(stage, branch).await,
        "user_onboarding" => user_onboarding::begin(stage, branch).await,
        other => bail!("unknown workflow {other}"),
    };
    let process = begun.with_context(|| format!("{workflow}/{branch}"))?;
    stage.ended(&process).await?;
    Ok(process)
}
