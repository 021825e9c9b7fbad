//! `reminderWorkflow`: somebody is reminded of something, at its time, if it still holds then.
//!
//! Steps: wait until the time, years if need be; look into the database whether what the reminder
//! says is still so (a payment owed, a listing about to expire); tell on every channel, once; mark it
//! as sent. A reminder that no longer holds ends with `success: false`, and nobody hears of it.
//!
//! The time can be moved by the signal `reschedule`, and the reminder called off by `cancel`, for as
//! long as it has not gone out. After many moves a new run goes on, with a short history. Cancelled
//! through Temporal it closes as cancelled; once the reminder went out it is marked and completes.
//! Nothing is undone: what was said was said. If nobody can be told for good, the workflow fails.
//!
//! Signals `reschedule`, `cancel`; queries `getStatus`, `getProgress`, `getDetails`. History: 26
//! events and 5 billable actions at most.

mod state;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use partner_core::activity_options::ActivityPolicies;
use partner_core::contracts::notification::NotificationContract;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::step::{closing, local, now, remote, stop_if_cancelled, wait_until};
use partner_core::wire::{SignalText, Wire, time_in};
use serde_json::Value;
use temporalio_sdk::workflows::select;
use temporalio_sdk::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
};
use temporalio_workflow::{workflow, workflow_methods};

use self::state::Step;
pub use self::state::{ReminderDetails, ReminderInput, ReminderResult};
use crate::activities::reminder::{
    MarkReminderSentInput, ReminderActivities, ValidateReminderInput,
};
use crate::notices::reminder::Reminder as Notice;

/// How often a run follows a reschedule before a new run goes on: some 500 events.
const RESCHEDULES_PER_RUN: u32 = 100;

/// The workflow, with what its signals, queries and waits need.
#[workflow]
pub struct Reminder {
    policies: ActivityPolicies,
    course: Course<Step>,
    details: ReminderDetails,
    /// A time that a signal brought and that is not looked at yet.
    rescheduled: Option<DateTime<Utc>>,
}

/// What a run comes to.
enum End {
    Sent(ReminderResult),
    /// What it says does not hold any more.
    Void,
    /// Somebody called it off.
    CalledOff(Problem),
    /// It was moved once more, and a new run goes on.
    Again(ReminderInput),
}

/// What is to be done with a reminder.
enum Word {
    /// Its time has come, and it holds.
    Send,
    /// Its time has come, and it does not hold any more.
    Void,
    /// It shall go out at another time.
    Move(DateTime<Utc>),
    /// It shall not go out.
    CallOff,
}

impl Reminder {
    /// A reminder that has not begun, with these timeouts and retries.
    pub fn new(policies: ActivityPolicies) -> Self {
        Self {
            policies,
            course: Course::new(Step::Waiting),
            details: ReminderDetails::default(),
            rescheduled: None,
        }
    }

    /// Whether it is too late to move it, or to call it off.
    fn is_going_out(&self) -> bool {
        matches!(
            self.course.step(),
            Step::Sending | Step::Marking | Step::Done
        )
    }
}

type Context = WorkflowContext<Reminder>;

#[workflow_methods(factory_only)]
impl Reminder {
    /// Reminds somebody.
    #[run(name = "reminderWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<ReminderInput>,
    ) -> WorkflowResult<ReminderResult> {
        match begin(ctx, input).await {
            Ok(End::Sent(result)) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(result)
            }
            Ok(End::Void) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(ReminderResult::not_sent("Reminder is no longer valid"))
            }
            Ok(End::CalledOff(problem)) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Ok(ReminderResult::not_sent(problem.message))
            }
            Ok(End::Again(input)) => {
                let options = ContinueAsNewOptions::default();
                match ctx.continue_as_new(input.into(), options)? {}
            }
            Err(problem) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// The reminder shall go out at another time; at once, if that has passed. The latest counts.
    #[signal(name = "reschedule")]
    pub fn reschedule(&mut self, _ctx: &mut SyncWorkflowContext<Self>, payload: Wire<Value>) {
        let ignored = match time_in(payload, "scheduledTime") {
            Ok(_) if self.is_going_out() => Some("the reminder has gone out".to_owned()),
            Ok(time) => {
                self.rescheduled = Some(time);
                None
            }
            Err(invalid) => Some(invalid.to_string()),
        };
        if ignored.is_some() {
            self.details.ignored_reschedule = ignored;
        }
    }

    /// The reminder shall not go out.
    #[signal(name = "cancel")]
    pub fn cancel(&mut self, _ctx: &mut SyncWorkflowContext<Self>, reason: SignalText) {
        if !self.is_going_out() {
            let reason = reason.0.unwrap_or_default();
            self.details.cancel_reason.get_or_insert(reason);
        }
    }

    /// How the reminder stands.
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
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> ReminderDetails {
        self.details.clone()
    }
}

async fn begin(ctx: &Context, input: Wire<ReminderInput>) -> Result<End, Problem> {
    let input = input.into_result()?;
    input.check()?;
    remind(ctx, input).await
}

async fn remind(ctx: &Context, input: ReminderInput) -> Result<End, Problem> {
    let mut time = input.scheduled_time;
    let mut reschedules = 0;
    ctx.state_mut(|state| {
        state.details.user_id = Some(input.user_id.to_string());
        state.details.reminder_type = Some(input.reminder_type.clone());
    });
    loop {
        ctx.state_mut(|state| {
            state.details.scheduled_time = Some(time);
            state.details.reschedules = reschedules;
        });
        match due(ctx, &input, time).await? {
            Word::Send => return send(ctx, &input, time).await,
            Word::Void => return Ok(End::Void),
            Word::CallOff => return Ok(End::CalledOff(called_off(ctx))),
            Word::Move(to) => time = to,
        }
        reschedules += 1;
        let is_long = reschedules >= RESCHEDULES_PER_RUN || ctx.continue_as_new_suggested();
        // A signal that is there already is this run's to follow: the next would not know of it.
        if is_long && ctx.state(|state| !has_word(state)) {
            return Ok(End::Again(ReminderInput {
                scheduled_time: time,
                ..input
            }));
        }
    }
}

/// Whether a signal came that is not looked at yet.
fn has_word(state: &Reminder) -> bool {
    state.rescheduled.is_some() || state.details.cancel_reason.is_some()
}

/// Waits until the reminder is due, and sees whether it holds; or until a signal has another word.
async fn due(ctx: &Context, input: &ReminderInput, time: DateTime<Utc>) -> Result<Word, Problem> {
    wait(ctx, input, time).await?;
    if let Some(word) = word(ctx) {
        return Ok(word);
    }
    let holds = holds(ctx, input).await?;
    stop_if_cancelled(ctx)?;
    // A signal that came meanwhile was in time.
    let word = word(ctx);
    Ok(word.unwrap_or(if holds { Word::Send } else { Word::Void }))
}

async fn wait(ctx: &Context, input: &ReminderInput, time: DateTime<Utc>) -> Result<(), Problem> {
    stop_if_cancelled(ctx)?;
    enter(ctx, Step::Waiting);
    // The loser of a race is cancelled, or it would stay in history and wake the workflow later.
    let token = ctx.cancellation_token().child_token();
    let summary = format!("until the reminder is due: {}", input.reminder_type);
    let mut timer = std::pin::pin!(wait_until(ctx, time, &summary, token.clone()).fuse());
    select! {
        _ = ctx.wait_condition(has_word) => {}
        _ = timer => {}
    };
    token.cancel();
    stop_if_cancelled(ctx)
}

/// What a signal asks for that is not looked at yet.
fn word(ctx: &Context) -> Option<Word> {
    if ctx.state(|state| state.details.cancel_reason.is_some()) {
        return Some(Word::CallOff);
    }
    let time = ctx.state_mut(|state| state.rescheduled.take())?;
    Some(Word::Move(time))
}

fn called_off(ctx: &Context) -> Problem {
    let reason = ctx.state(|state| state.details.cancel_reason.clone());
    let message = match reason.as_deref().map(str::trim) {
        None | Some("") => "Reminder cancelled".to_owned(),
        Some(reason) => format!("Reminder cancelled: {reason}"),
    };
    Problem::new(ErrorCode::Cancelled, message)
}

async fn send(ctx: &Context, input: &ReminderInput, time: DateTime<Utc>) -> Result<End, Problem> {
    enter(ctx, Step::Sending);
    // An id may be used for another time again; the same id and time are the same reminder.
    let id = format!("{}/{}", ctx.workflow_id(), time.to_rfc3339());
    let notice = Notice {
        user_id: input.user_id.as_str(),
        kind: &input.reminder_type,
        message: &input.message,
        metadata: input.metadata.as_ref(),
        id: &id,
    };
    let notification = notice.notification();
    let notification = notification
        .map_err(|error| Problem::new(ErrorCode::Unknown, format!("the mail: {error}")))?;
    let options = policies(ctx).notification().heartbeating();
    let options = options.detached("remind");
    let activity = NotificationContract::send_notification;
    remote(ctx, activity, notification, options).await?;
    mark(ctx, input, id).await
}

async fn holds(ctx: &Context, input: &ReminderInput) -> Result<bool, Problem> {
    enter(ctx, Step::Validating);
    let question = ValidateReminderInput {
        user_id: input.user_id.clone(),
        reminder_type: input.reminder_type.clone(),
        metadata: input.metadata.clone(),
    };
    let options = policies(ctx).analytics().unbounded();
    let options = options.local("see whether the reminder still holds");
    let activity = ReminderActivities::validate_reminder;
    local(ctx, activity, question, options).await
}

/// Puts on record that it went out.
async fn mark(ctx: &Context, input: &ReminderInput, id: String) -> Result<End, Problem> {
    enter(ctx, Step::Marking);
    let sent = MarkReminderSentInput {
        user_id: input.user_id.clone(),
        reminder_type: input.reminder_type.clone(),
        sent_at: now(ctx),
        reminder_id: Some(id),
    };
    let options = policies(ctx).analytics().unbounded();
    let options = options.local("mark the reminder as sent");
    let activity = ReminderActivities::mark_reminder_sent;
    let marked = local(ctx, activity, sent, options).await?;
    ctx.state_mut(|state| state.details.sent_at = Some(marked.sent_at));
    Ok(End::Sent(ReminderResult::sent(input, marked.sent_at)))
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}

fn enter(ctx: &Context, step: Step) {
    ctx.state_mut(|state| state.course.enter(step));
}
