//! The branches of `sendNotificationWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_local::inbox::{MailFault, MailFaultMode};
use serde_json::{Value, json};

use crate::faults::ActivityFault;
use crate::stage::Stage;
use crate::users::Person;

/// The workflow's type.
pub const WORKFLOW: &str = "sendNotificationWorkflow";

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 9] = [
    "completed",
    "muted",
    "waited_for_quiet_hours",
    "cancelled_in_quiet_hours",
    "mail_refused",
    "every_channel_failed",
    "sent_but_no_answer",
    "bad_input",
    "unknown_user",
];

/// A relay that refuses a person's mails for good.
pub const REFUSE_MAIL: MailFault = MailFault {
    mode: MailFaultMode::Refuse,
    times: None,
};

/// The input of a notification for someone.
pub fn input(user_id: &str) -> Value {
    json!({ "userId": user_id, "message": "The roof is leaking.", "type": "warning" })
}

/// A new id of a notification.
pub fn id(stage: &Stage, person: &Person) -> String {
    format!("notification-{}-{}", person.id, stage.unique("key"))
}

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let person = &stage.person().await?;
    let id = id(stage, person);
    let mut input = input(&person.id);
    match branch {
        "completed" => {}
        "muted" => {
            let shop = &stage.shop;
            shop.set_preference(&person.id, "*", "*", false).await?;
        }
        "waited_for_quiet_hours" => {
            stage.quiet_for(person, 8).await?;
            return stage.start_skipping_time(WORKFLOW, &id, &input).await;
        }
        "cancelled_in_quiet_hours" => {
            stage.quiet_for(person, 8).await?;
            let process = stage.start(WORKFLOW, &id, &input).await?;
            stage.reached(&process, "waiting_for_quiet_hours").await?;
            process.cancel().await?;
            return Ok(process);
        }
        "mail_refused" => stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL),
        "every_channel_failed" => {
            stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL);
            stage
                .shop
                .set_preference(&person.id, "*", "in_app", false)
                .await?;
        }
        "sent_but_no_answer" => {
            let fault = ActivityFault::answer_lost().repeated(3);
            stage.faults.set(&id, "sendNotification", fault);
        }
        "bad_input" => input["type"] = json!("urgent"),
        "unknown_user" => input["userId"] = json!("nobody"),
        other => bail!("unknown branch {other}"),
    }
    stage.start(WORKFLOW, &id, &input).await
}

/// A database that cannot write down what became of a notification, once.
pub const fn unrecorded() -> ActivityFault {
    ActivityFault::for_good(ErrorCode::DatabaseError)
}
