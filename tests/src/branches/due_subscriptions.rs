//! The branches of `dueSubscriptionsWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use serde_json::json;

use crate::faults::ActivityFault;
use crate::stage::Stage;
use crate::sweeps::UNSERVED;

/// The workflow's type.
pub const WORKFLOW: &str = "dueSubscriptionsWorkflow";

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 4] = ["in_pages", "nothing_due", "page_fails", "bad_input"];

/// Starts a run that takes this branch, to the end of what it needs.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let _alone = stage.sweep_alone().await?;
    let process = match branch {
        "in_pages" => {
            stage.due_subscriptions(5).await?;
            let input = json!({ "pageSize": 2, "taskQueue": UNSERVED });
            stage.start_sweep(WORKFLOW, &input).await?
        }
        "nothing_due" => stage.start_sweep(WORKFLOW, &json!({})).await?,
        "page_fails" => {
            let fault = ActivityFault::for_good(ErrorCode::DatabaseError);
            let input = json!({ "asOf": crate::sweeps::AS_OF });
            stage
                .start_failing(WORKFLOW, "startDueSubscriptions", fault, &input)
                .await?
        }
        "bad_input" => {
            stage
                .start_sweep(WORKFLOW, &json!({ "pageSize": 0 }))
                .await?
        }
        other => bail!("unknown branch {other}"),
    };
    stage.ended(&process).await?;
    Ok(process)
}
