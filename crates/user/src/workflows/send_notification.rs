//! `sendNotificationWorkflow`: tells a user something, on every channel that they want and have.
//!
//! Steps: plan, wait for the end of the user's quiet hours, send on all channels at once, write down
//! what became of it. A channel that fails for good does not stop the others; the result says which
//! went out. The workflow fails only if nothing could be sent although something should have been.
//!
//! What was sent is in the send ledger under the notification's key: the workflow's id and what it
//! says. A run that is started again, or whose worker dies, sends nothing twice. The result is read
//! from the ledger, so that it is right also when the sending was cut off.
//!
//! No signals; queries `getStatus`, `getProgress`, `getDetails`. Cancelled through Temporal while it
//! waits, it closes as cancelled and nothing is sent.
//! History: 13 events and 4 billable actions; 18 and 5 if it waits for the end of quiet hours. One
//! activity sends on all channels, so neither grows with them.

mod state;

use chrono::{DateTime, TimeDelta, Utc};
use partner_core::activity_options::ActivityPolicies;
use partner_core::contracts::notification::{
    ChannelOutcome, ChannelStatus, NotificationContract, SendNotificationInput,
};
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::step::{closing, local, now, remote, stop_if_cancelled, wait_until};
use partner_core::wire::{InvalidInput, Wire};
use sha2::{Digest, Sha256};
use temporalio_sdk::{WorkflowContext, WorkflowContextView, WorkflowResult};
use temporalio_workflow::{workflow, workflow_methods};

use self::state::Step;
pub use self::state::{
    NotificationDetails, NotificationType, SendNotificationWorkflowInput,
    SendNotificationWorkflowResult,
};
use crate::activities::notification::{
    NotificationActivities, PlanNotificationInput, ProcessNotificationInput,
};
use crate::notification::Notification;

/// The workflow, with what its queries need.
#[workflow]
pub struct SendNotification {
    policies: ActivityPolicies,
    course: Course<Step>,
    details: NotificationDetails,
}

impl SendNotification {
    /// A notification that has not begun, with these timeouts and retries.
    pub fn new(policies: ActivityPolicies) -> Self {
        Self {
            policies,
            course: Course::new(Step::Planning),
            details: NotificationDetails::default(),
        }
    }
}

/// How long after their end quiet hours are certainly over.
const SOON: TimeDelta = TimeDelta::minutes(15);

/// The longest workflow id that is part of a key as it is.
const LONGEST_ID: usize = 400;

type Context = WorkflowContext<SendNotification>;

#[workflow_methods(factory_only)]
impl SendNotification {
    /// Sends the notification.
    #[run(name = "sendNotificationWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<SendNotificationWorkflowInput>,
    ) -> WorkflowResult<SendNotificationWorkflowResult> {
        match notify(ctx, input).await {
            Ok(result) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(result)
            }
            Err(problem) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// How the notification stands.
    #[query(name = "getStatus")]
    pub fn get_status(&self, _ctx: &WorkflowContextView) -> StatusAnswer {
        self.course.status()
    }

    /// How far it is.
    #[query(name = "getProgress")]
    pub fn get_progress(&self, _ctx: &WorkflowContextView) -> ProgressAnswer {
        self.course.progress()
    }

    /// Everything that the workflow knows.
    #[query(name = "getDetails")]
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> NotificationDetails {
        self.details.clone()
    }
}

async fn notify(
    ctx: &Context,
    input: Wire<SendNotificationWorkflowInput>,
) -> Result<SendNotificationWorkflowResult, Problem> {
    let notification = accept(ctx, input)?;
    while let Some(until) = plan(ctx, &notification).await? {
        wait(ctx, until).await?;
        // Woken much later, for want of a worker, it may be night again.
        if now(ctx) - until < SOON {
            break;
        }
    }
    stop_if_cancelled(ctx)?;
    let sent = send(ctx, &notification).await;
    record(ctx, &notification, sent).await
}

fn accept(
    ctx: &Context,
    input: Wire<SendNotificationWorkflowInput>,
) -> Result<SendNotificationInput, InvalidInput> {
    let input = input.into_result()?;
    let id = input
        .notification_id
        .unwrap_or_else(|| key(ctx.workflow_id(), input.kind, &input.message));
    ctx.state_mut(|state| {
        state.details.notification_id = Some(id.clone());
        state.details.user_id = Some(input.user_id.to_string());
        state.details.kind = Some(input.kind);
    });
    let notification = SendNotificationInput {
        user_id: input.user_id.into(),
        kind: input.kind.as_str().to_owned(),
        message: input.message,
        metadata: input.metadata,
        title: input.title,
        email: None,
        channels: None,
        critical: input.critical,
        notification_id: Some(id),
    };
    // What the sending would refuse is refused now, and not after a night's wait.
    Notification::read(&notification, "").map_err(|error| InvalidInput::new(error.to_string()))?;
    Ok(notification)
}

/// One notification for the ledger: what this workflow id says. The same id may be used again for
/// something else to say, and that must not be taken for a repeat.
fn key(workflow_id: &str, kind: NotificationType, message: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(kind.as_str());
    hash.update([0]);
    hash.update(message);
    let said = hex::encode(&hash.finalize()[..8]);
    if workflow_id.chars().count() > LONGEST_ID {
        let id = hex::encode(Sha256::digest(workflow_id));
        return format!("{id}/{said}");
    }
    format!("{workflow_id}/{said}")
}

/// When it may go out, if not now.
async fn plan(
    ctx: &Context,
    notification: &SendNotificationInput,
) -> Result<Option<DateTime<Utc>>, Problem> {
    enter(ctx, Step::Planning);
    let input = PlanNotificationInput {
        user_id: notification.user_id.clone(),
        kind: notification.kind.clone(),
        critical: notification.critical,
        at: now(ctx),
    };
    let options = policies(ctx).notification().local("plan the notification");
    let planned = local(
        ctx,
        NotificationActivities::plan_notification,
        input,
        options,
    )
    .await?;
    Ok(planned.deliver_at)
}

/// Waits for the end of the quiet hours.
async fn wait(ctx: &Context, until: DateTime<Utc>) -> Result<(), Problem> {
    enter(ctx, Step::WaitingForQuietHours);
    ctx.state_mut(|state| state.details.deliver_at = Some(until));
    wait_until(ctx, until, "quiet hours", ctx.cancellation_token()).await;
    stop_if_cancelled(ctx)
}

async fn send(
    ctx: &Context,
    notification: &SendNotificationInput,
) -> Result<Vec<ChannelOutcome>, Problem> {
    enter(ctx, Step::Sending);
    let options = policies(ctx).notification().heartbeating();
    let options = options.detached("send on every channel");
    let activity = NotificationContract::send_notification;
    let sent = remote(ctx, activity, notification.clone(), options).await?;
    Ok(sent.channels)
}

/// Writes down what became of it, and tells it.
async fn record(
    ctx: &Context,
    notification: &SendNotificationInput,
    sent: Result<Vec<ChannelOutcome>, Problem>,
) -> Result<SendNotificationWorkflowResult, Problem> {
    enter(ctx, Step::Recording);
    let (outcomes, status) = match sent {
        Ok(outcomes) => {
            let status = overall(&outcomes);
            (outcomes, status)
        }
        Err(problem) => {
            // Some channels may have been served before the attempts ran out: the ledger knows.
            let outcomes = process(ctx, notification, "failed").await?;
            let reached = outcomes.iter().any(went_out);
            ctx.state_mut(|state| state.details.channels.clone_from(&outcomes));
            if !reached {
                return Err(problem);
            }
            (outcomes, "partially_sent")
        }
    };
    let recorded = process(ctx, notification, status).await;
    let email_sent = outcomes
        .iter()
        .any(|outcome| outcome.channel == "email" && outcome.status == ChannelStatus::Sent);
    ctx.state_mut(|state| state.details.channels.clone_from(&outcomes));
    Ok(SendNotificationWorkflowResult {
        success: true,
        email_sent,
        notification_processed: recorded.is_ok(),
        channels: outcomes,
    })
}

/// Writes the status down; tells what the ledger has of each channel.
async fn process(
    ctx: &Context,
    notification: &SendNotificationInput,
    status: &str,
) -> Result<Vec<ChannelOutcome>, Problem> {
    let input = ProcessNotificationInput {
        user_id: notification.user_id.clone(),
        kind: notification.kind.clone(),
        status: status.to_owned(),
        notification_id: notification.notification_id.clone(),
    };
    // What was sent is sent: a database that is down is waited for.
    let options = policies(ctx).notification().unbounded();
    let options = options.local("write down what became of it");
    let activity = NotificationActivities::process_notification;
    let processed = local(ctx, activity, input, options).await?;
    Ok(processed.channels)
}

/// One word for all channels together.
fn overall(outcomes: &[ChannelOutcome]) -> &'static str {
    let muted = |outcome: &ChannelOutcome| outcome.status == ChannelStatus::Muted;
    let failed = |outcome: &ChannelOutcome| !went_out(outcome) && !muted(outcome);
    match (outcomes.iter().any(went_out), outcomes.iter().any(failed)) {
        (true, true) => "partially_sent",
        (true, false) => "sent",
        (false, true) => "failed",
        (false, false) => "muted",
    }
}

const fn went_out(outcome: &ChannelOutcome) -> bool {
    matches!(
        outcome.status,
        ChannelStatus::Sent | ChannelStatus::PossiblyDelivered
    )
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}

fn enter(ctx: &Context, step: Step) {
    ctx.state_mut(|state| state.course.enter(step));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: ChannelStatus) -> ChannelOutcome {
        ChannelOutcome {
            channel: "email".to_owned(),
            status,
            error: None,
        }
    }

    #[test]
    fn one_word_stands_for_all_channels() {
        use ChannelStatus::{Failed, Muted, Pending, PossiblyDelivered, Sent};
        for (statuses, word) in [
            (vec![Sent, Sent], "sent"),
            (vec![PossiblyDelivered, Muted], "sent"),
            (vec![Sent, Failed], "partially_sent"),
            (vec![Sent, Pending], "partially_sent"),
            (vec![Failed, Muted], "failed"),
            (vec![Muted], "muted"),
            (vec![], "muted"),
        ] {
            let outcomes: Vec<_> = statuses.into_iter().map(outcome).collect();
            assert_eq!(overall(&outcomes), word, "{outcomes:?}");
        }
    }

    #[test]
    fn the_same_words_are_one_notification_and_others_another() {
        let of = |id, kind, message| key(id, kind, message);
        let first = of("n-1", NotificationType::Info, "Hello");
        assert_eq!(first, of("n-1", NotificationType::Info, "Hello"));
        assert_ne!(first, of("n-2", NotificationType::Info, "Hello"));
        assert_ne!(first, of("n-1", NotificationType::Error, "Hello"));
        assert_ne!(first, of("n-1", NotificationType::Info, "Goodbye"));
    }
}
