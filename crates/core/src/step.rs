//! The steps of a workflow: an activity whose failure is a [`Problem`], a word to somebody, and a wait
//! by the calendar.

use std::fmt::Display;

use chrono::{DateTime, TimeDelta, Utc};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::TemporalDeserializable;
use temporalio_sdk::{ActivityOptions, LocalActivityOptions, TimerOptions, WorkflowContext};
use temporalio_sdk::{TimerResult, WorkflowCancellationToken, WorkflowTermination};

use crate::activity_options::ActivityPolicies;
use crate::contracts::notification::{NotificationContract, SendNotificationInput};
use crate::error::ErrorCode;
use crate::problem::Problem;

/// Runs a remote activity.
///
/// # Errors
/// What it failed with, after every attempt that its policy has.
pub async fn remote<W, A>(
    ctx: &WorkflowContext<W>,
    activity: A,
    input: impl Into<A::Input>,
    options: ActivityOptions,
) -> Result<A::Output, Problem>
where
    A: ActivityDefinition,
    A::Output: TemporalDeserializable,
{
    ctx.execute_activity(activity, input, options)
        .await
        .map_err(Problem::from)
}

/// Runs a local activity: a short database step.
///
/// # Errors
/// What it failed with, after every attempt that its policy has.
pub async fn local<W, A>(
    ctx: &WorkflowContext<W>,
    activity: A,
    input: impl Into<A::Input>,
    options: LocalActivityOptions,
) -> Result<A::Output, Problem>
where
    A: ActivityDefinition,
    A::Output: TemporalDeserializable,
{
    ctx.execute_local_activity(activity, input, options)
        .await
        .map_err(Problem::from)
}

/// Tells somebody (`whom`, such as "the owner") what happened, also in a workflow that is cancelled.
///
/// It comes after the fact, which stands whether or not they hear of it: what went wrong with it is
/// returned as a warning.
pub async fn tell<W>(
    ctx: &WorkflowContext<W>,
    whom: &str,
    policies: &ActivityPolicies,
    notification: Result<SendNotificationInput, impl Display>,
) -> Option<String> {
    let reason = match notification {
        Ok(notification) => {
            let options = policies.notification().heartbeating();
            let options = options.detached(&format!("tell {whom}"));
            let activity = NotificationContract::send_notification;
            let told = remote(ctx, activity, notification, options).await;
            told.err()?.to_string()
        }
        Err(error) => error.to_string(),
    };
    Some(format!("{whom} could not be told: {reason}"))
}

/// What time it is in the workflow: that of its current task, the same in every replay.
pub fn now<W>(ctx: &WorkflowContext<W>) -> DateTime<Utc> {
    // The SDK knows no time only before the first task, when no code runs.
    ctx.workflow_time().map_or(DateTime::UNIX_EPOCH, Into::into)
}

/// The server counts a timer's nanoseconds in 64 bits, which is 292 years: a longer wait has several.
const LONGEST_TIMER: TimeDelta = TimeDelta::days(36_500);

/// Waits until an instant, durably; not at all if it has passed. `summary` is what the Web UI shows.
///
/// `true` once it is reached, `false` if the token was cancelled before: a wait that lost a race is
/// ended by its token, or it would stay in history and wake the workflow later.
pub async fn wait_until<W>(
    ctx: &WorkflowContext<W>,
    at: DateTime<Utc>,
    summary: &str,
    token: WorkflowCancellationToken,
) -> bool {
    loop {
        let left = at - now(ctx);
        let part = left.min(LONGEST_TIMER);
        let Some(wait) = part.to_std().ok().filter(|wait| !wait.is_zero()) else {
            return true;
        };
        let options = TimerOptions::builder(wait)
            .cancellation_token(token.clone())
            .summary(summary.to_owned())
            .build();
        if ctx.timer(options).await != TimerResult::Fired {
            return false;
        }
        if part == left {
            return true;
        }
    }
}

/// How a run closes that a problem ended: as cancelled if it is Temporal that asked for that, as
/// whoever asks expects, and else as failed with the problem's code.
pub fn closing<W>(ctx: &WorkflowContext<W>, problem: Problem) -> WorkflowTermination {
    if problem.code == ErrorCode::Cancelled && ctx.cancellation_token().is_cancelled() {
        WorkflowTermination::cancelled_with_details(problem.to_string())
    } else {
        problem.into_workflow_failure().into()
    }
}

/// Waits for as long as something holds, such as that somebody paused the workflow.
///
/// # Errors
/// A `CANCELLED` problem if the workflow is cancelled through Temporal.
pub async fn wait_while<W>(
    ctx: &WorkflowContext<W>,
    mut holds: impl FnMut(&W) -> bool,
) -> Result<(), Problem> {
    // What ends the wait early is the cancellation, which the next line tells.
    let _ = ctx.wait_condition(move |state| !holds(state)).await;
    stop_if_cancelled(ctx)
}

/// Stops a workflow that was cancelled through Temporal before its next step.
///
/// # Errors
/// A `CANCELLED` problem.
pub fn stop_if_cancelled<W>(ctx: &WorkflowContext<W>) -> Result<(), Problem> {
    if ctx.cancellation_token().is_cancelled() {
        Err(Problem::new(ErrorCode::Cancelled, "cancelled"))
    } else {
        Ok(())
    }
}
