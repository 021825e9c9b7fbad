//! Recorded histories of every branch replay on today's code.
//!
//! A failure here means that running workflows would get stuck after a deployment: the change must
//! be made with `ctx.patched`. `record-histories` records them anew.

mod changed;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use partner_analytics::workflows::daily_report::DailyReport;
use partner_analytics::workflows::data_cleanup::DataCleanup;
use partner_analytics::workflows::reminder::Reminder;
use partner_core::activity_options::ActivityPolicies;
use partner_listing::settings::ListingSettings;
use partner_listing::workflows::expiring_listings::ExpiringListings;
use partner_listing::workflows::listing_approval::ListingApproval;
use partner_listing::workflows::listing_expiration::ListingExpiration;
use partner_payment::workflows::due_subscriptions::DueSubscriptions;
use partner_payment::workflows::process_payment::ProcessPayment;
use partner_payment::workflows::reservation_expiry::ReservationExpiry;
use partner_payment::workflows::subscription_payment::SubscriptionPayment;
use partner_tests::branches::BRANCHES;
use partner_user::settings::OnboardingSettings;
use partner_user::workflows::send_notification::SendNotification;
use partner_user::workflows::user_onboarding::UserOnboarding;
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions,
};

use changed::ChargesFirst;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("histories")
}

fn history(workflow: &str, branch: &str) -> Result<WorkflowHistory> {
    let file = folder().join(workflow).join(format!("{branch}.json"));
    let json = std::fs::read(&file).with_context(|| file.display().to_string())?;
    // Not `WorkflowHistory::from_json`: with serde_json's arbitrary precision, which exact amounts
    // need, the generated code reads the numbers of a retry policy only out of a `Value`.
    let json: serde_json::Value = serde_json::from_slice(&json)?;
    Ok(serde_json::from_value::<History>(json)?.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_branch_replays() -> Result<()> {
    let policies = ActivityPolicies::default;
    let settings = OnboardingSettings {
        portal_url: "https://partners.example".parse()?,
        help_url: "https://help.example".parse()?,
        support_email: "support@partners.example".to_owned(),
    };
    // Other values than those of the recording: what decides about the course is in the histories.
    let listings = ListingSettings {
        review_window: Duration::from_mins(1),
        review_reminder: Duration::ZERO,
        expiration_reminder_days: vec![3],
        portal_url: "https://partners.example".parse()?,
        review_url: "https://review.example".parse()?,
    };
    let (approval, expiration) = (listings.clone(), listings);
    let admin = || "admin@partners.example".to_owned();
    let options = WorkflowReplayerOptions::new()
        .register_workflow_with_factory(move || DailyReport::new(policies(), admin()))?
        .register_workflow_with_factory(move || DataCleanup::new(policies(), admin()))?
        .register_workflow_with_factory(move || Reminder::new(policies()))?
        .register_workflow_with_factory(move || ListingApproval::new(policies(), approval.clone()))?
        .register_workflow_with_factory(move || {
            ListingExpiration::new(policies(), expiration.clone())
        })?
        .register_workflow_with_factory(move || ExpiringListings::new(policies()))?
        .register_workflow_with_factory(move || ProcessPayment::new(policies()))?
        .register_workflow_with_factory(move || DueSubscriptions::new(policies()))?
        .register_workflow_with_factory(move || ReservationExpiry::new(policies()))?
        .register_workflow_with_factory(move || SubscriptionPayment::new(policies()))?
        .register_workflow_with_factory(move || SendNotification::new(policies()))?
        .register_workflow_with_factory(move || UserOnboarding::new(policies(), settings.clone()))?
        .build();
    let replayer = WorkflowReplayer::new(options)?;
    for (workflow, branches) in BRANCHES {
        for branch in branches {
            replayer
                .replay_workflow(history(workflow, branch)?)
                .await
                .with_context(|| format!("{workflow}/{branch}"))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_in_another_order_are_caught() -> Result<()> {
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<ChargesFirst>()?
        .build();
    let replayer = WorkflowReplayer::new(options)?;
    let outcome = replayer
        .replay_workflow(history("process_payment", "completed")?)
        .await;
    ensure!(
        matches!(
            outcome,
            Err(WorkflowReplayError::Replay(
                WorkflowReplayFailure::Nondeterminism { .. }
            ))
        ),
        "{outcome:?}"
    );
    Ok(())
}

#[test]
fn every_recorded_history_is_a_branch() -> Result<()> {
    for (workflow, branches) in BRANCHES {
        let mut recorded = Vec::new();
        for entry in std::fs::read_dir(folder().join(workflow))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            recorded.extend(name.strip_suffix(".json").map(str::to_owned));
        }
        recorded.sort_unstable();
        let mut branches: Vec<_> = branches.iter().map(ToString::to_string).collect();
        branches.sort_unstable();
        ensure!(
            recorded == branches,
            "{workflow}: {recorded:?} are recorded, {branches:?} are branches"
        );
    }
    Ok(())
}
