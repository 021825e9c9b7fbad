//! The branches of `reminderWorkflow`.

use anyhow::{Result, bail};
use chrono::TimeDelta;
use partner_core::client::Process;
use serde_json::{Value, json};

use super::send_notification::REFUSE_MAIL;
use crate::reminders::{REMINDER, checked, input};
use crate::stage::Stage;

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 9] = [
    "sent",
    "sent_at_once",
    "sent_after_generations",
    "no_longer_valid",
    "rescheduled",
    "cancelled_by_signal",
    "cancelled_by_temporal",
    "cannot_be_told",
    "bad_input",
];

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let person = stage.person().await?;
    let now = stage.now().await?;
    let later = now + TimeDelta::days(400);
    match branch {
        "sent" => stage.remind(&input(&person, later)).await,
        "sent_at_once" => {
            stage
                .remind(&input(&person, now - TimeDelta::days(3)))
                .await
        }
        "sent_after_generations" => {
            stage
                .remind(&input(&person, now + TimeDelta::days(365 * 150)))
                .await
        }
        "no_longer_valid" => {
            let unknown = json!({ "orderId": stage.unique("order") });
            stage
                .remind(&checked(&person, later, "payment_due", &unknown))
                .await
        }
        "rescheduled" => {
            let process = stage.waiting_reminder(&input(&person, later)).await?;
            let earlier = json!({ "scheduledTime": now + TimeDelta::days(2) });
            process.signal("reschedule", &earlier).await?;
            stage.skip_time(&process).await?;
            Ok(process)
        }
        "cancelled_by_signal" => {
            let process = stage.waiting_reminder(&input(&person, later)).await?;
            process.signal("cancel", &json!("they met already")).await?;
            Ok(process)
        }
        "cancelled_by_temporal" => {
            let process = stage.waiting_reminder(&input(&person, later)).await?;
            process.cancel().await?;
            Ok(process)
        }
        "cannot_be_told" => {
            stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL);
            let mut input = input(&person, later);
            input["userId"] = Value::from(person.email);
            stage.remind(&input).await
        }
        "bad_input" => {
            let mut input = input(&person, later);
            input["scheduledTime"] = json!("tomorrow");
            stage
                .start(REMINDER, &stage.unique("reminder"), &input)
                .await
        }
        other => bail!("unknown branch {other}"),
    }
}
