//! Records the histories in `tests/histories` that are not there yet, one for each branch of each
//! workflow, or only those of the workflows that are named:
//!
//! ```text
//! cargo run -p partner-tests --bin record-histories [--anew] [workflow...]
//! ```
//!
//! `--anew` records those that are there, too. Do this only when a change of the workflow is meant to
//! break running ones: a history that no longer replays is what the replay tests are there to find.

use std::path::Path;

use anyhow::{Context, Result};
use partner_tests::branches::{self, BRANCHES};
use partner_tests::stage::{Stage, on_stage};
use temporalio_client::{WorkflowExecutionInfo, WorkflowFetchHistoryOptions};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

fn main() -> Result<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let named = wanted.len();
    wanted.retain(|argument| argument != "--anew");
    let is_anew = wanted.len() < named;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories");
    on_stage(async |stage| {
        for (workflow, branches) in BRANCHES {
            if !wanted.is_empty() && !wanted.iter().any(|name| name == workflow) {
                continue;
            }
            let folder = folder.join(workflow);
            std::fs::create_dir_all(&folder)?;
            for branch in branches {
                let file = folder.join(format!("{branch}.json"));
                if file.exists() && !is_anew {
                    continue;
                }
                let history = record(stage, workflow, branch).await?;
                std::fs::write(&file, history).with_context(|| file.display().to_string())?;
            }
        }
        Ok(())
    })
}

/// The history of the branch's first run: what goes on in another one is another branch.
async fn record(stage: &Stage, workflow: &str, branch: &str) -> Result<Vec<u8>> {
    let process = branches::play(stage, workflow, branch).await?;
    let events = process.history().await?;
    let first_run = events.first().and_then(|event| match &event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            Some(started.first_execution_run_id.clone())
        }
        _ => None,
    });
    let client = stage.client.temporal().clone();
    let info = WorkflowExecutionInfo::builder()
        .namespace(client.options().namespace.clone())
        .workflow_id(process.id)
        .maybe_run_id(first_run)
        .build();
    let mut json = info
        .bind_untyped(client)
        .fetch_history(WorkflowFetchHistoryOptions::default())
        .to_json()
        .await?;
    json.push(b'\n');
    Ok(json)
}
