//! `listingApprovalWorkflow`: a listing goes live if a person, or in the end its score, says so.
//!
//! Steps: take the listing in as a version, validate and score it, tell the reviewers, wait for a
//! decision, write it down, then publish the listing and start its expiration, or take it down; tell
//! the owner. Broken rules end it as `validation_failed`, with all of them and without an exception.
//!
//! Exactly one decision counts, the first: by the update `decide`, which is answered once it is on
//! record and refused if it comes second or is about an older version; by the signals `approve` and
//! `reject`, also if they come before the wait begins; or by the deadline, when the score decides.
//! Some time before that the reviewers are reminded and their leads are asked. The decision is a row
//! under a key in the database, and its audit trail's hash is in this history.
//!
//! `listingUpdated` brings another version: under review it is validated and its review begins anew;
//! one that comes after the decision is reviewed by a run of its own, which follows this one.
//!
//! Undone on failure: a listing that the search index refuses for good is taken out of it and becomes
//! `error`; an index that is down is waited for. Cancelled through Temporal before a decision, the
//! listing is a draft again; afterwards the decision is carried out.
//!
//! Signals `approve`, `reject`, `listingUpdated`; update `decide`; queries `getStatus`,
//! `getProgress`, `getDetails`. History of an approval by a person: 38 events and 9 billable actions
//! at most, expiration included.

mod carrying_out;
mod reviewing;
mod ruling;
mod state;

use partner_core::activity_options::ActivityPolicies;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::step::{closing, local, now, stop_if_cancelled};
use partner_core::wire::{SignalText, Wire};
use temporalio_sdk::{
    ContinueAsNewOptions, SyncWorkflowContext, WaitConditionOptions, WorkflowCancellationToken,
    WorkflowContext, WorkflowContextView, WorkflowResult,
};
use temporalio_workflow::{workflow, workflow_methods};

pub use self::ruling::DecideInput;
use self::ruling::Ruling;
use self::state::Step;
pub use self::state::{ListingApprovalDetails, ListingApprovalInput, ListingApprovalResult};
use crate::activities::submission::{
    SubmissionActivities, SubmitListingInput, SubmitListingResult,
};
use crate::model::{Decision, PropertyData, ReviewDecision};
use crate::settings::ListingSettings;

/// How many versions a run reviews before a new run goes on, with a short history.
const VERSIONS_PER_RUN: u32 = 20;

/// The workflow, with what its signals, queries and waits need.
#[workflow]
pub struct ListingApproval {
    policies: ActivityPolicies,
    settings: ListingSettings,
    course: Course<Step>,
    details: ListingApprovalDetails,
    ruling: Option<Ruling>,
    /// What became of the ruling: on record, or why not.
    recorded: Option<Result<ReviewDecision, Problem>>,
    edit: Option<PropertyData>,
    edit_after_ruling: Option<PropertyData>,
}

/// What a run comes to.
enum End {
    Result(ListingApprovalResult),
    /// Another version is reviewed by a new run.
    Again(Box<ListingApprovalInput>),
}

/// What the review of a version comes to.
enum Reviewed {
    Ended(ListingApprovalResult),
    /// Another version takes its place.
    Edited(PropertyData),
}

impl ListingApproval {
    /// An approval that has not begun, with these timeouts and retries.
    ///
    /// The settings only fill in what mails point to, which replay does not compare; what decides
    /// about the course comes with the first step's answer.
    pub fn new(policies: ActivityPolicies, settings: ListingSettings) -> Self {
        Self {
            policies,
            settings,
            course: Course::new(Step::Submitting),
            details: ListingApprovalDetails::default(),
            ruling: None,
            recorded: None,
            edit: None,
            edit_after_ruling: None,
        }
    }
}

type Context = WorkflowContext<ListingApproval>;

#[workflow_methods(factory_only)]
impl ListingApproval {
    /// Sees a listing through its review.
    #[run(name = "listingApprovalWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<ListingApprovalInput>,
    ) -> WorkflowResult<ListingApprovalResult> {
        let ended = match input.into_result() {
            Ok(input) => review(ctx, input).await,
            Err(invalid) => Err(invalid.into()),
        };
        answer_everyone(ctx, &ended).await;
        match ended {
            Ok(End::Result(result)) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(result)
            }
            Ok(End::Again(input)) => {
                let options = ContinueAsNewOptions::default();
                match ctx.continue_as_new((*input).into(), options)? {}
            }
            Err(problem) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// A reviewer approves. The first decision counts.
    #[signal(name = "approve")]
    pub fn approve(&mut self, ctx: &mut SyncWorkflowContext<Self>, comment: SignalText) {
        let at = ctx
            .workflow_time()
            .map_or_else(Default::default, Into::into);
        self.signalled(Decision::Approve, comment.0, at);
    }

    /// A reviewer rejects. The first decision counts.
    #[signal(name = "reject")]
    pub fn reject(&mut self, ctx: &mut SyncWorkflowContext<Self>, comment: SignalText) {
        let at = ctx
            .workflow_time()
            .map_or_else(Default::default, Into::into);
        self.signalled(Decision::Reject, comment.0, at);
    }

    /// The owner changed what the listing offers.
    #[signal(name = "listingUpdated")]
    pub fn listing_updated(
        &mut self,
        _ctx: &mut SyncWorkflowContext<Self>,
        property: Wire<PropertyData>,
    ) {
        self.edited(property);
    }

    /// Refuses a decision that cannot count.
    #[update_validator(decide)]
    fn validate_decide(
        &self,
        _ctx: &WorkflowContextView,
        input: &Wire<DecideInput>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.check_decision(input)
            .map_err(|problem| format!("{}: {problem}", problem.code).into())
    }

    /// A reviewer decides, and is answered once the decision is on record.
    #[update(name = "decide")]
    pub async fn decide(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<DecideInput>,
    ) -> Result<ReviewDecision, Box<dyn std::error::Error + Send + Sync>> {
        let at = now(ctx);
        // Of two in one task, both may pass the validator before either is here.
        let begun = ctx.state_mut(|state| {
            state.check_decision(&input)?;
            state.decided(input, at)
        });
        let decided = match begun {
            Ok(()) => recorded(ctx).await,
            Err(problem) => Err(problem),
        };
        decided.map_err(|problem| format!("{}: {problem}", problem.code).into())
    }

    /// How the approval stands.
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
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> ListingApprovalDetails {
        self.details.clone()
    }
}

/// What became of the decision, once that is known. Detached: whoever decided learns it also if the
/// workflow is cancelled meanwhile.
async fn recorded(ctx: &Context) -> Result<ReviewDecision, Problem> {
    wait_detached(ctx, |state| state.recorded.is_some()).await;
    let recorded = ctx.state(|state| state.recorded.clone());
    recorded.unwrap_or_else(|| Err(Problem::new(ErrorCode::Cancelled, "cancelled")))
}

/// Lets whoever decided be answered before the run closes: their answer would be lost.
async fn answer_everyone(ctx: &Context, ended: &Result<End, Problem>) {
    if let Err(problem) = ended {
        ctx.state_mut(|state| {
            state.recorded.get_or_insert_with(|| Err(problem.clone()));
        });
    }
    let handlers = ctx.clone();
    wait_detached(ctx, move |_| handlers.all_handlers_finished()).await;
}

/// Waits for a condition, also if the workflow is cancelled meanwhile.
async fn wait_detached(ctx: &Context, condition: impl FnMut(&ListingApproval) -> bool) {
    let token = WorkflowCancellationToken::new();
    let options = WaitConditionOptions::builder()
        .cancellation_token(token.clone())
        .build();
    // It ends by the condition alone: nobody cancels this token.
    let _ = ctx.wait_condition_with_options(condition, options).await;
    drop(token);
}

/// Reviews version after version, until one is decided.
async fn review(ctx: &Context, mut input: ListingApprovalInput) -> Result<End, Problem> {
    ctx.state_mut(|state| {
        state.details.listing_id = Some(input.listing_id.to_string());
        state.details.user_id = Some(input.user_id.to_string());
    });
    let mut versions = 0;
    loop {
        let reviewed = review_version(ctx, &input).await?;
        // It is on record now, and may be renewed there before the next version is submitted.
        input.expiration_date = None;
        match reviewed {
            Reviewed::Edited(property) => input.property_data = property,
            Reviewed::Ended(result) => {
                let edit = ctx.state_mut(|state| state.edit_after_ruling.take());
                return Ok(match edit {
                    Some(property) => End::Again(Box::new(ListingApprovalInput {
                        property_data: property,
                        ..input
                    })),
                    None => End::Result(result),
                });
            }
        }
        versions += 1;
        let is_long = versions >= VERSIONS_PER_RUN || ctx.continue_as_new_suggested();
        // A decision that is made already is this run's to carry out: the next would not know of it.
        if is_long && ctx.state(|state| state.ruling.is_none()) {
            return Ok(End::Again(Box::new(input)));
        }
    }
}

async fn review_version(ctx: &Context, input: &ListingApprovalInput) -> Result<Reviewed, Problem> {
    // A listing that is not taken in is not ours to change.
    let submitted = submit(ctx, input).await?;
    let reviewed = match &submitted.decision {
        Some(decision) => carrying_out::approved(ctx, input, &submitted, decision).await,
        None => reviewing::review(ctx, input, &submitted).await,
    };
    match reviewed {
        Ok(reviewed) => Ok(reviewed),
        Err(problem) => Err(carrying_out::give_up(ctx, input, &submitted, problem).await),
    }
}

async fn submit(
    ctx: &Context,
    input: &ListingApprovalInput,
) -> Result<SubmitListingResult, Problem> {
    stop_if_cancelled(ctx)?;
    enter(ctx, Step::Submitting);
    let submission = SubmitListingInput {
        listing_id: input.listing_id.clone(),
        user_id: input.user_id.clone(),
        property_data: input.property_data.clone(),
        expiration_date: input.expiration_date,
    };
    let options = policies(ctx)
        .listing()
        .unbounded()
        .local("take the listing in");
    let activity = SubmissionActivities::submit_listing;
    let submitted = local(ctx, activity, submission, options).await?;
    ctx.state_mut(|state| state.details.version = Some(submitted.version));
    Ok(submitted)
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}

fn enter(ctx: &Context, step: Step) {
    ctx.state_mut(|state| state.course.enter(step));
}

/// Notes what went less than well.
fn warn(ctx: &Context, warning: String) {
    ctx.state_mut(|state| state.details.warnings.push(warning));
}
