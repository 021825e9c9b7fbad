//! The branches of `expiringListingsWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use serde_json::json;

use crate::stage::Stage;
use crate::sweeps::UNSERVED;

/// The workflow's type.
pub const WORKFLOW: &str = "expiringListingsWorkflow";

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 2] = ["in_pages", "bad_input"];

/// Starts a run that takes this branch, to the end of what it needs.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let _alone = stage.sweep_alone().await?;
    let process = match branch {
        "in_pages" => {
            for _ in 0..3 {
                stage.overdue_listing().await?;
            }
            let input = json!({ "pageSize": 2, "taskQueue": UNSERVED });
            stage.start_sweep(WORKFLOW, &input).await?
        }
        "bad_input" => {
            stage
                .start_sweep(WORKFLOW, &json!({ "pageSize": "all" }))
                .await?
        }
        other => bail!("unknown branch {other}"),
    };
    stage.ended(&process).await?;
    Ok(process)
}
