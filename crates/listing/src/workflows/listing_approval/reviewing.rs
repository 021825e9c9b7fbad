//! The review of a version: checks, reviewers, and the wait for a decision.

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use partner_core::problem::Problem;
use partner_core::step::{local, now, remote, stop_if_cancelled, wait_until};
use temporalio_sdk::workflows::select;

use super::ruling::Ruling;
use super::state::{ListingApprovalInput, Step};
use super::{Context, Reviewed, carrying_out, enter, policies, warn};
use crate::activities::quality::{QualityActivities, RunAutomatedChecksInput};
use crate::activities::review::{NotifyReviewersInput, ReviewActivities};
use crate::activities::status::{StatusActivities, UpdateListingStatusInput};
use crate::activities::submission::SubmitListingResult;
use crate::activities::validation::{ValidateListingInput, ValidationActivities};
use crate::model::{Decision, ListingStatus, Provenance};
use crate::quality::Score;

/// What a wait ended with.
enum Woken {
    Decided,
    Edited,
    Time,
}

/// When a review becomes urgent, and when it is over.
#[derive(Clone, Copy)]
struct Times {
    reminder: Option<DateTime<Utc>>,
    deadline: DateTime<Utc>,
    window_seconds: u64,
}

/// Reviews a version that was taken in and is not decided.
pub(super) async fn review(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
) -> Result<Reviewed, Problem> {
    enter(ctx, Step::Checking);
    let validation = ValidateListingInput {
        listing_id: input.listing_id.clone(),
        property_data: input.property_data.clone(),
    };
    let options = policies(ctx).listing().local("validate the listing");
    let activity = ValidationActivities::validate_listing;
    let validated = local(ctx, activity, validation, options).await?;
    if !validated.valid {
        return carrying_out::validation_failed(ctx, input, submitted, validated.errors).await;
    }
    let score = score(ctx, input).await?;
    open(ctx, input, score).await?;
    let times = Times::of(ctx, submitted);
    ctx.state_mut(|state| {
        state.details.deadline = Some(times.deadline);
        state.details.urgent = false;
    });
    ask(ctx, input, submitted, score, times.deadline, false).await;
    match decision(ctx, input, submitted, score, times).await? {
        Some(ruling) => carrying_out::decided(ctx, input, submitted, score, ruling)
            .await
            .map(Reviewed::Ended),
        None => Ok(Reviewed::Edited(edit(ctx, input))),
    }
}

async fn score(ctx: &Context, input: &ListingApprovalInput) -> Result<Score, Problem> {
    let checks = RunAutomatedChecksInput {
        listing_id: input.listing_id.clone(),
        property_data: input.property_data.clone(),
    };
    let options = policies(ctx).listing().local("score the listing");
    let activity = QualityActivities::run_automated_checks;
    let checked = local(ctx, activity, checks, options).await?;
    ctx.state_mut(|state| {
        state.details.score = Some(checked.score);
        state.details.issues = checked.issues;
    });
    Ok(checked.score)
}

/// From here on reviewers see it.
async fn open(ctx: &Context, input: &ListingApprovalInput, score: Score) -> Result<(), Problem> {
    let status = UpdateListingStatusInput {
        listing_id: input.listing_id.clone(),
        status: ListingStatus::PendingReview,
        reason: None,
        review_comment: None,
        auto_check_score: Some(score),
        error_message: None,
    };
    let options = policies(ctx).listing().unbounded().local("open the review");
    let activity = StatusActivities::update_listing_status;
    local(ctx, activity, status, options).await.map(drop)
}

/// Tells the reviewers. They also have a queue: that they could not be told is a warning.
async fn ask(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    score: Score,
    deadline: DateTime<Utc>,
    urgent: bool,
) {
    enter(ctx, Step::NotifyingReviewers);
    let request = NotifyReviewersInput {
        listing_id: input.listing_id.clone(),
        user_id: input.user_id.clone(),
        property_data: input.property_data.clone(),
        auto_check_score: score,
        listing_version: Some(submitted.version),
        deadline: Some(deadline),
        urgent,
    };
    let options = policies(ctx).listing().heartbeating();
    let options = options.detached(if urgent {
        "remind the reviewers"
    } else {
        "tell the reviewers"
    });
    match remote(ctx, ReviewActivities::notify_reviewers, request, options).await {
        Ok(told) if told.notified == 0 && !urgent => {
            warn(ctx, "nobody reviews at present".to_owned());
        }
        Ok(told) if told.failed > 0 => {
            warn(ctx, format!("{} reviewers could not be told", told.failed));
        }
        Ok(_) => {}
        Err(problem) => warn(ctx, format!("the reviewers could not be told: {problem}")),
    }
}

/// Waits for the decision; none if the listing was edited before.
async fn decision(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    score: Score,
    times: Times,
) -> Result<Option<Ruling>, Problem> {
    let mut reminder = times.reminder;
    loop {
        enter(ctx, Step::Reviewing);
        let until = reminder.unwrap_or(times.deadline);
        match wait(ctx, until).await? {
            Woken::Decided => return Ok(ctx.state(|state| state.ruling.clone())),
            Woken::Edited => return Ok(None),
            Woken::Time if reminder.take().is_some() => {
                ctx.state_mut(|state| state.details.urgent = true);
                ask(ctx, input, submitted, score, times.deadline, true).await;
            }
            Woken::Time => return Ok(Some(rule(ctx, score, times))),
        }
    }
}

/// What was edited comes before what was decided after it, and a decision before a cancellation: who
/// made it was told, or will be, that it counts.
async fn wait(ctx: &Context, until: DateTime<Utc>) -> Result<Woken, Problem> {
    // The loser of a race is cancelled, or it would stay in history and wake the workflow later.
    let token = ctx.cancellation_token().child_token();
    let mut timer =
        std::pin::pin!(wait_until(ctx, until, "until the review is decided", token.clone()).fuse());
    select! {
        _ = ctx.wait_condition(|state| state.ruling.is_some() || state.edit.is_some()) => {}
        _ = timer => {}
    };
    token.cancel();
    let (is_decided, is_edited) = ctx.state(|state| (state.ruling.is_some(), state.edit.is_some()));
    if is_decided && !is_edited {
        return Ok(Woken::Decided);
    }
    stop_if_cancelled(ctx)?;
    Ok(if is_edited {
        Woken::Edited
    } else {
        Woken::Time
    })
}

/// Nobody decided in time: the score does. From now on it is too late for everyone else.
fn rule(ctx: &Context, score: Score, times: Times) -> Ruling {
    let within = hours(times.window_seconds);
    let limit = Score::APPROVING;
    let (decision, provenance, comment) = if score.approves() {
        let comment = format!(
            "Automatically approved: nobody decided within {within}, and the score of {score} is at least {limit}."
        );
        (Decision::Approve, Provenance::Rule, comment)
    } else {
        let comment = format!(
            "Automatically rejected: nobody decided within {within}, and the score of {score} is below {limit}."
        );
        (Decision::Reject, Provenance::Timeout, comment)
    };
    let ruling = Ruling {
        decision,
        provenance,
        reviewer: String::new(),
        comment,
        decided_at: now(ctx),
    };
    ctx.state_mut(|state| state.ruling = Some(ruling.clone()));
    ruling
}

fn edit(ctx: &Context, input: &ListingApprovalInput) -> crate::model::PropertyData {
    let edit = ctx.state_mut(|state| {
        state.details.edits += 1;
        state.edit.take()
    });
    edit.unwrap_or_else(|| input.property_data.clone())
}

/// A length of time for a person.
fn hours(seconds: u64) -> String {
    match (seconds / 3_600, seconds % 3_600) {
        (1, 0) => "1 hour".to_owned(),
        (hours, 0) => format!("{hours} hours"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

impl Times {
    fn of(ctx: &Context, submitted: &SubmitListingResult) -> Self {
        let window_seconds = submitted.review_window_seconds;
        let deadline = now(ctx) + seconds(window_seconds);
        let before = submitted.review_reminder_seconds;
        let is_reminded = before > 0 && before < window_seconds;
        Self {
            reminder: is_reminded.then(|| deadline - seconds(before)),
            deadline,
            window_seconds,
        }
    }
}

/// Windows are days at most; the configuration sees to it.
fn seconds(seconds: u64) -> TimeDelta {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX)
}
