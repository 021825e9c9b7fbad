//! Recorded histories of every branch replay on today's code.
//!
//! A failure here means that running workflows would get stuck after a deployment: the change must
//! be made with `ctx.patched`. `record-histories` records them anew.

mod changed;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use partner_core::activity_options::ActivityPolicies;
use partner_payment::workflows::process_payment::ProcessPayment;
use partner_tests::branches::BRANCHES;
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions,
};

use changed::ChargesFirst;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("histories")
}

fn history(branch: &str) -> Result<WorkflowHistory> {
    let file = folder().join(format!("{branch}.json"));
    let json = std::fs::read(&file).with_context(|| file.display().to_string())?;
    // Not `WorkflowHistory::from_json`: with serde_json's arbitrary precision, which exact amounts
    // need, the generated code reads the numbers of a retry policy only out of a `Value`.
    let json: serde_json::Value = serde_json::from_slice(&json)?;
    Ok(serde_json::from_value::<History>(json)?.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_branch_replays() -> Result<()> {
    let new = || ProcessPayment::new(ActivityPolicies::default());
    let options = WorkflowReplayerOptions::new()
        .register_workflow_with_factory(new)?
        .build();
    let replayer = WorkflowReplayer::new(options)?;
    for branch in BRANCHES {
        replayer
            .replay_workflow(history(branch)?)
            .await
            .with_context(|| branch.to_owned())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_in_another_order_are_caught() -> Result<()> {
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<ChargesFirst>()?
        .build();
    let replayer = WorkflowReplayer::new(options)?;
    let outcome = replayer.replay_workflow(history("completed")?).await;
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
    let mut recorded = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        recorded.extend(name.strip_suffix(".json").map(str::to_owned));
    }
    recorded.sort_unstable();
    let mut branches = BRANCHES.map(str::to_owned);
    branches.sort_unstable();
    ensure!(
        recorded == branches,
        "{recorded:?} are recorded, {branches:?} are branches"
    );
    Ok(())
}
