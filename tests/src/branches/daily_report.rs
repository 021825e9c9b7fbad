//! The branches of `dailyReportWorkflow`.

use anyhow::{Result, bail};
use chrono::TimeDelta;
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use serde_json::{Value, json};

use super::send_notification::REFUSE_MAIL;
use crate::faults::ActivityFault;
use crate::reports::REPORT;
use crate::stage::Stage;

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 9] = [
    "completed",
    "at_its_time",
    "one_unreachable",
    "nobody_reachable",
    "linked",
    "paused_and_reconfigured",
    "gathering_fails",
    "cancelled_while_waiting",
    "bad_input",
];

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let readers = stage.readers();
    let mut input = readers.input("sales");
    let inbox = &stage.platform.inbox;
    match branch {
        "completed" => {}
        "at_its_time" => {
            input["scheduleTime"] = json!(stage.now().await? + TimeDelta::hours(20));
            let id = stage.unique("report");
            return stage.start_skipping_time(REPORT, &id, &input).await;
        }
        "one_unreachable" => inbox.set_fault(&readers.0[1], REFUSE_MAIL),
        "nobody_reachable" => {
            for reader in &readers.0 {
                inbox.set_fault(reader, REFUSE_MAIL);
            }
        }
        "linked" => return linked(stage, &input).await,
        "paused_and_reconfigured" => {
            let process = stage.paused_report(&input).await?;
            process
                .signal("updateConfig", &json!({ "format": "csv" }))
                .await?;
            process.signal("resume", &Value::Null).await?;
            return Ok(process);
        }
        "gathering_fails" => {
            let fault = ActivityFault::for_good(ErrorCode::DatabaseError);
            return stage
                .start_failing(REPORT, "gatherAnalytics", fault, &input)
                .await;
        }
        "cancelled_while_waiting" => {
            input["scheduleTime"] = json!(stage.now().await? + TimeDelta::hours(20));
            let process = stage.report(&input).await?;
            stage.reached(&process, "waiting").await?;
            process.cancel().await?;
            return Ok(process);
        }
        "bad_input" => input["recipients"] = json!(["nobody"]),
        other => bail!("unknown branch {other}"),
    }
    stage.report(&input).await
}

/// Starts a report that is too large to be attached.
pub async fn linked(stage: &Stage, input: &Value) -> Result<Process> {
    let queue = stage.unique("linking");
    stage
        .serve_with(&queue, |config| config.report.attach_up_to = 10)
        .await?;
    let id = stage.unique("report");
    stage.start_in(&queue, REPORT, &id, input).await
}
