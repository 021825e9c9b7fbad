//! What follows from a review: the listing goes live or is taken down, and its owner is told.

use partner_core::contracts::notification::SendNotificationInput;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::saga::UndoFailure;
use partner_core::step::{self, local, remote};

use super::ruling::Ruling;
use super::state::{ListingApprovalInput, ListingApprovalResult, Step};
use super::{Context, Reviewed, enter, policies, warn};
use crate::activities::expiration::{ExpirationActivities, StartListingExpirationInput};
use crate::activities::review::{DecideListingInput, ReviewActivities};
use crate::activities::search::{
    PublishToSearchIndexInput, RemoveFromSearchIndexInput, SearchActivities,
};
use crate::activities::status::{StatusActivities, UpdateListingStatusInput};
use crate::activities::submission::SubmitListingResult;
use crate::emails::ListingMail;
use crate::model::{Decision, ListingStatus, ReviewDecision};
use crate::notices::Owner;
use crate::quality::Score;

/// Ends a version that breaks rules.
pub(super) async fn validation_failed(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    errors: Vec<String>,
) -> Result<Reviewed, Problem> {
    let reason = errors.join("; ");
    let status = status(input, ListingStatus::ValidationFailed, Some(reason));
    let options = policies(ctx).listing().unbounded();
    let options = options.local("mark the listing as invalid");
    let activity = StatusActivities::update_listing_status;
    let moved = local(ctx, activity, status, options).await?;
    take_down(ctx, input, moved.live_version).await?;
    let version = submitted.version;
    tell(ctx, input, |owner| {
        owner.validation_failed(version, &errors)
    })
    .await;
    let result = result(ctx, input, ListingStatus::ValidationFailed);
    Ok(Reviewed::Ended(ListingApprovalResult {
        errors: Some(errors),
        ..result
    }))
}

/// Writes a decision down, and does what it says.
pub(super) async fn decided(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    score: Score,
    ruling: Ruling,
) -> Result<ListingApprovalResult, Problem> {
    let decision = record(ctx, input, submitted, score, ruling).await?;
    match decision.decision {
        Decision::Approve => go_live(ctx, input, submitted, &decision).await,
        Decision::Reject => {
            take_down(ctx, input, submitted.live_version).await?;
            tell(ctx, input, |owner| owner.decided(&decision)).await;
            Ok(reviewed(ctx, input, &decision))
        }
    }
}

/// Finishes what a run began that was cut off after the approval.
pub(super) async fn approved(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    decision: &ReviewDecision,
) -> Result<Reviewed, Problem> {
    let ruling = Ruling {
        decision: decision.decision,
        provenance: decision.provenance,
        reviewer: decision.reviewer.clone(),
        comment: decision.comment.clone(),
        decided_at: decision.decided_at,
    };
    ctx.state_mut(|state| state.ruling = Some(ruling.clone()));
    let score = decision.score.unwrap_or(Score::MAX);
    decided(ctx, input, submitted, score, ruling)
        .await
        .map(Reviewed::Ended)
}

/// The decision is on record, or it cannot be: whoever made it is told so.
async fn record(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    score: Score,
    ruling: Ruling,
) -> Result<ReviewDecision, Problem> {
    enter(ctx, Step::Recording);
    let decide = DecideListingInput {
        listing_id: input.listing_id.clone(),
        review_comment: Some(ruling.comment),
        listing_version: Some(submitted.version),
        provenance: Some(ruling.provenance),
        reviewer: Some(ruling.reviewer),
        score: Some(score),
        decided_at: Some(ruling.decided_at),
    };
    let options = policies(ctx).listing().unbounded();
    let recorded = match ruling.decision {
        Decision::Approve => {
            let options = options.local("record the approval");
            local(ctx, ReviewActivities::approve_listing, decide, options).await
        }
        Decision::Reject => {
            let options = options.local("record the rejection");
            local(ctx, ReviewActivities::reject_listing, decide, options).await
        }
    };
    ctx.state_mut(|state| match &recorded {
        Ok(recorded) => {
            state.details.decision = Some(recorded.decision.clone());
            state.details.audit_hash.clone_from(&recorded.audit_hash);
            state.recorded = Some(Ok(recorded.decision.clone()));
        }
        Err(problem) => state.recorded = Some(Err(problem.clone())),
    });
    recorded.map(|recorded| recorded.decision)
}

async fn go_live(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    decision: &ReviewDecision,
) -> Result<ListingApprovalResult, Problem> {
    enter(ctx, Step::Publishing);
    let publication = PublishToSearchIndexInput {
        listing_id: input.listing_id.clone(),
        property_data: input.property_data.clone(),
        listing_version: Some(submitted.version),
    };
    // An index that is down is waited for: the approval stands. Only a refusal ends it.
    let options = policies(ctx).listing().heartbeating().unbounded();
    let options = options.detached("publish the listing");
    let activity = SearchActivities::publish_to_search_index;
    remote(ctx, activity, publication, options).await?;
    let expiration = start_expiration(ctx, input, submitted).await;
    if let Err(problem) = expiration {
        warn(ctx, format!("the expiration was not started: {problem}"));
    }
    tell(ctx, input, |owner| owner.decided(decision)).await;
    Ok(reviewed(ctx, input, decision))
}

/// Started by id and not as a child: it outlives any approval, an edit that is approved joins the one
/// that runs and only tells it of the date, and it costs one event instead of five. A local activity,
/// although it leaves the process: it calls nothing but the server that this workflow is of.
async fn start_expiration(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
) -> Result<(), Problem> {
    let Some(expiration_date) = submitted.expiration_date else {
        return Ok(());
    };
    let start = StartListingExpirationInput {
        listing_id: input.listing_id.clone(),
        user_id: input.user_id.clone(),
        expiration_date,
    };
    let options = policies(ctx).listing().unbounded();
    let options = options.local("start the expiration");
    let activity = ExpirationActivities::start_listing_expiration;
    local(ctx, activity, start, options).await.map(drop)
}

/// Takes out of the index what it shows of the listing, if it shows anything.
async fn take_down(
    ctx: &Context,
    input: &ListingApprovalInput,
    live_version: Option<i32>,
) -> Result<(), Problem> {
    if live_version.is_none() {
        return Ok(());
    }
    enter(ctx, Step::TakingDown);
    remove(ctx, input).await
}

async fn remove(ctx: &Context, input: &ListingApprovalInput) -> Result<(), Problem> {
    let removal = RemoveFromSearchIndexInput {
        listing_id: input.listing_id.clone(),
    };
    let options = policies(ctx).listing().heartbeating();
    let options = options.undo("take the listing out of the index");
    let activity = SearchActivities::remove_from_search_index;
    remote(ctx, activity, removal, options).await.map(drop)
}

/// Leaves a listing whose review went wrong neither live nor half-live, and says what went wrong.
///
/// A step that was refused as invalid means that somebody else has moved the listing: it is theirs.
pub(super) async fn give_up(
    ctx: &Context,
    input: &ListingApprovalInput,
    submitted: &SubmitListingResult,
    problem: Problem,
) -> Problem {
    let (status_then, reason) = match problem.code {
        ErrorCode::ValidationError => return problem,
        ErrorCode::Cancelled => (ListingStatus::Draft, "the review was cancelled"),
        _ => (ListingStatus::Error, problem.message.as_str()),
    };
    enter(ctx, Step::Undoing);
    let change = status(input, status_then, Some(reason.to_owned()));
    let options = policies(ctx).listing();
    let options = options.undo("mark the review as ended");
    let activity = StatusActivities::update_listing_status;
    let mut failures = Vec::new();
    if let Err(refused) = remote(ctx, activity, change, options).await {
        failures.push(undo_failure("updateListingStatus", &refused));
    }
    // Whether anything of it was published is not known: a refused write may have been repeated.
    let was_live = submitted.live_version.is_some() || ctx.state(|state| state.ruling.is_some());
    if was_live && let Err(refused) = remove(ctx, input).await {
        failures.push(undo_failure("removeFromSearchIndex", &refused));
    }
    if status_then == ListingStatus::Error {
        tell(ctx, input, |owner| owner.failed(submitted.version)).await;
    }
    problem.with_undo_failures(&failures)
}

fn undo_failure(name: &str, refused: &Problem) -> UndoFailure {
    UndoFailure {
        name: name.to_owned(),
        reason: refused.to_string(),
    }
}

/// Tells the owner; what went wrong with that is a warning.
async fn tell(
    ctx: &Context,
    input: &ListingApprovalInput,
    notice: impl FnOnce(Owner<'_>) -> Result<SendNotificationInput, askama::Error>,
) {
    enter(ctx, Step::Telling);
    let notification = ctx.state(|state| {
        notice(Owner {
            user_id: input.user_id.as_str(),
            listing: ListingMail {
                listing_id: input.listing_id.as_str(),
                title: &input.property_data.title,
                base_url: &state.settings.portal_url,
            },
        })
    });
    if let Some(warning) = step::tell(ctx, "the owner", &policies(ctx), notification).await {
        warn(ctx, warning);
    }
}

fn status(
    input: &ListingApprovalInput,
    status: ListingStatus,
    reason: Option<String>,
) -> UpdateListingStatusInput {
    UpdateListingStatusInput {
        listing_id: input.listing_id.clone(),
        status,
        reason,
        review_comment: None,
        auto_check_score: None,
        error_message: None,
    }
}

fn reviewed(
    ctx: &Context,
    input: &ListingApprovalInput,
    decision: &ReviewDecision,
) -> ListingApprovalResult {
    ListingApprovalResult {
        review_comment: Some(decision.comment.clone()),
        ..result(ctx, input, decision.decision.status())
    }
}

fn result(
    ctx: &Context,
    input: &ListingApprovalInput,
    status: ListingStatus,
) -> ListingApprovalResult {
    ListingApprovalResult {
        success: status == ListingStatus::Approved,
        listing_id: input.listing_id.to_string(),
        status,
        review_comment: None,
        errors: None,
        warnings: ctx.state(|state| state.details.warnings.clone()),
    }
}
