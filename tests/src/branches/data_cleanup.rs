//! The branches of `dataCleanupWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::cleanups::{CLEANUP, input};
use crate::faults::ActivityFault;
use crate::stage::Stage;

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 8] = [
    "completed",
    "in_slices",
    "nothing_old",
    "dry_run",
    "paused_and_reconfigured",
    "backup_fails",
    "deletion_fails",
    "bad_input",
];

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let alone = stage.alone().await?;
    let process = branch_of(stage, branch).await?;
    stage.ended(&process).await?;
    drop(alone);
    Ok(process)
}

async fn branch_of(stage: &Stage, branch: &str) -> Result<Process> {
    let mut input = input("logs");
    let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
    if branch != "nothing_old" {
        stage.old_rows("logs", 7).await?;
    }
    match branch {
        "completed" | "nothing_old" => {}
        "in_slices" => input["sliceBatches"] = json!(1),
        "dry_run" => input["dryRun"] = json!(true),
        "paused_and_reconfigured" => {
            let process = stage.paused_cleanup(&input).await?;
            process
                .signal("updateConfig", &json!({ "batchSize": 7 }))
                .await?;
            process.signal("resume", &Value::Null).await?;
            return Ok(process);
        }
        "backup_fails" => {
            return stage
                .start_failing(CLEANUP, "backupData", fault, &input)
                .await;
        }
        "deletion_fails" => {
            input["sliceBatches"] = json!(1);
            return stage
                .start_failing(CLEANUP, "deleteItems", fault.after(1), &input)
                .await;
        }
        "bad_input" => input["retentionDays"] = json!(0),
        other => bail!("unknown branch {other}"),
    }
    stage.clean_up(&input).await
}
