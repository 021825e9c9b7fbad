//! The branches of `reservationExpiryWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use serde_json::json;

use crate::stage::Stage;

/// The workflow's type.
pub const WORKFLOW: &str = "reservationExpiryWorkflow";

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 2] = ["completed", "bad_input"];

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let input = match branch {
        "completed" => {
            let order = stage.order("order").await?;
            stage.shop.hold_too_long(&order.id, &order.sku).await?;
            json!({})
        }
        "bad_input" => json!({ "continued": 1 }),
        other => bail!("unknown branch {other}"),
    };
    stage.start(WORKFLOW, &stage.unique("expiry"), &input).await
}
