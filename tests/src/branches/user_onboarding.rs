//! The branches of `userOnboardingWorkflow`.

use anyhow::{Result, bail};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use serde_json::{Value, json};

use super::send_notification::REFUSE_MAIL;
use crate::faults::ActivityFault;
use crate::stage::Stage;
use crate::users::Person;

/// The workflow's type.
pub const WORKFLOW: &str = "userOnboardingWorkflow";

/// Every branch, as its recorded history is called.
pub const BRANCHES: [&str; 9] = [
    "completed",
    "already_active",
    "suspended",
    "welcome_package_refused",
    "notification_failed",
    "activation_failed",
    "completion_mail_failed",
    "cancelled_by_temporal",
    "bad_input",
];

/// The contract's id of a person's onboarding.
pub fn id(person: &Person) -> String {
    format!("onboarding-{}", person.id)
}

/// The input of a person's onboarding.
pub fn input(person: &Person) -> Value {
    json!({ "userId": person.id, "email": person.email, "name": "Ana" })
}

/// Starts a run that takes this branch.
pub async fn begin(stage: &Stage, branch: &str) -> Result<Process> {
    let person = &Person::stranger(stage);
    let id = id(person);
    let fault = |activity, fault: ActivityFault| stage.faults.set(&id, activity, fault);
    let for_good = ActivityFault::for_good(ErrorCode::DatabaseError);
    match branch {
        "completed" => {}
        "already_active" => return onboard(stage, &stage.person().await?).await,
        "suspended" => {
            let person = stage.person().await?;
            stage.move_user(&person, "suspended").await?;
            return onboard(stage, &person).await;
        }
        "welcome_package_refused" => stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL),
        "notification_failed" => fault("sendNotification", for_good),
        "activation_failed" => fault("updateUserStatus", for_good.after(1)),
        "completion_mail_failed" => fault("sendEmail", for_good),
        "cancelled_by_temporal" => {
            let process = held_at_the_welcome_package(stage, person).await?;
            process.cancel().await?;
            stage.platform.inbox.release(&person.email);
            return Ok(process);
        }
        "bad_input" => {
            let mut input = input(person);
            input["email"] = json!("nowhere");
            return stage.start(WORKFLOW, &id, &input).await;
        }
        other => bail!("unknown branch {other}"),
    }
    onboard(stage, person).await
}

/// Starts a person's onboarding.
pub async fn onboard(stage: &Stage, person: &Person) -> Result<Process> {
    stage.start(WORKFLOW, &id(person), &input(person)).await
}

/// Starts an onboarding whose welcome package is being handed over, until the relay is released.
pub async fn held_at_the_welcome_package(stage: &Stage, person: &Person) -> Result<Process> {
    use crate::stage::PATIENCE;
    use partner_local::inbox::{MailFault, MailFaultMode};

    let hold = MailFault {
        mode: MailFaultMode::HoldAfterData,
        times: Some(1),
    };
    stage.platform.inbox.set_fault(&person.email, hold);
    let process = onboard(stage, person).await?;
    let inbox = &stage.platform.inbox;
    inbox.wait_until_held(&person.email, PATIENCE).await?;
    Ok(process)
}
