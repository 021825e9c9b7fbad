//! `listingExpirationWorkflow`: a listing is shown until its date, and not longer.
//!
//! Steps: read the listing, remind its owner on the configured days before the date (those that are
//! past are skipped), and at the date let it expire: the status first, in one statement that also
//! sees a renewal, then out of the search index, then the owner is told.
//!
//! A listing that was renewed is followed to its new date by the same workflow: by the signal
//! `renew`, with the date, at any moment; or as it is found in the database at a reminder or at the
//! date. It ends as `renewed` if it turns out not to expire at all any more. After many renewals a
//! new run goes on, with a short history.
//!
//! Nothing is undone: taking out of the index and telling come after the fact, and are done whatever
//! is down. Cancelled through Temporal it stops waiting, the listing stays as it is, and the run
//! closes as cancelled; once the listing is expired it completes.
//!
//! Signal `renew`; queries `getStatus`, `getProgress`, `getDetails`. History with both reminders: 50
//! events and 10 billable actions at most.

mod state;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use partner_core::activity_options::ActivityPolicies;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::step::{self, closing, local, now, remote, stop_if_cancelled, wait_until};
use partner_core::wire::{Wire, time_in};
use serde_json::Value;
use temporalio_sdk::workflows::select;
use temporalio_sdk::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
};
use temporalio_workflow::{workflow, workflow_methods};

use self::state::Step;
pub use self::state::{
    ExpirationStatus, ListingExpirationDetails, ListingExpirationInput, ListingExpirationResult,
};
use crate::activities::expiration::{
    ExpirationActivities, ExpireListingInput, GetListingStatusInput, GetListingStatusResult,
    RenewListingInput, SendExpirationReminderInput,
};
use crate::activities::search::{RemoveFromSearchIndexInput, SearchActivities};
use crate::emails::ListingMail;
use crate::model::ListingStatus;
use crate::notices::Owner;
use crate::settings::ListingSettings;

/// How often a run follows a renewal before a new run goes on, with a short history: some 1,000
/// events, reminders included.
const RENEWALS_PER_RUN: u32 = 40;

/// The workflow, with what its signals, queries and waits need.
#[workflow]
pub struct ListingExpiration {
    policies: ActivityPolicies,
    settings: ListingSettings,
    course: Course<Step>,
    details: ListingExpirationDetails,
    /// A date that a signal brought and that is not looked at yet.
    renewal: Option<DateTime<Utc>>,
}

/// What a run comes to.
enum End {
    Result(ListingExpirationResult),
    /// The listing was renewed once more, and a new run goes on.
    Again(ListingExpirationInput),
}

/// What a wait ended with.
enum Woken {
    Time,
    Renewed(DateTime<Utc>),
}

/// What a date came to.
enum Reached {
    Ended(ListingExpirationResult),
    Renewed(DateTime<Utc>),
}

impl ListingExpiration {
    /// An expiration that has not begun, with these timeouts and retries.
    ///
    /// The settings only fill in what mails point to, which replay does not compare; what decides
    /// about the course comes with the first step's answer.
    pub fn new(policies: ActivityPolicies, settings: ListingSettings) -> Self {
        Self {
            policies,
            settings,
            course: Course::new(Step::Reading),
            details: ListingExpirationDetails::default(),
            renewal: None,
        }
    }
}

type Context = WorkflowContext<ListingExpiration>;

#[workflow_methods(factory_only)]
impl ListingExpiration {
    /// Follows a listing to its end.
    #[run(name = "listingExpirationWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<ListingExpirationInput>,
    ) -> WorkflowResult<ListingExpirationResult> {
        let ended = match input.into_result() {
            Ok(input) => follow(ctx, input).await,
            Err(invalid) => Err(invalid.into()),
        };
        match ended {
            Ok(End::Result(result)) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(result)
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

    /// The listing shall be shown until another date. The latest of several counts.
    #[signal(name = "renew")]
    pub fn renew(&mut self, _ctx: &mut SyncWorkflowContext<Self>, payload: Wire<Value>) {
        match time_in(payload, "expirationDate") {
            Ok(date) => self.renewal = Some(date),
            Err(invalid) => self.details.ignored_renewal = Some(invalid.to_string()),
        }
    }

    /// How the expiration stands.
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
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> ListingExpirationDetails {
        self.details.clone()
    }
}

/// Follows a listing from date to date.
async fn follow(ctx: &Context, input: ListingExpirationInput) -> Result<End, Problem> {
    let listing = read(ctx, &input).await?;
    let mut date = input.expiration_date;
    let mut renewals = 0;
    loop {
        ctx.state_mut(|state| state.details.expiration_date = Some(date));
        date = match reach(ctx, &input, &listing, date).await? {
            Woken::Renewed(until) => until,
            Woken::Time => match expire(ctx, &input, &listing, date).await? {
                Reached::Ended(result) => return Ok(End::Result(result)),
                Reached::Renewed(until) => until,
            },
        };
        renewals += 1;
        ctx.state_mut(|state| state.details.renewals = renewals);
        let is_long = renewals >= RENEWALS_PER_RUN || ctx.continue_as_new_suggested();
        // A renewal that is there already is this run's to follow: the next would not know of it.
        if is_long && ctx.state(|state| state.renewal.is_none()) {
            return Ok(End::Again(ListingExpirationInput {
                expiration_date: date,
                ..input
            }));
        }
    }
}

async fn read(
    ctx: &Context,
    input: &ListingExpirationInput,
) -> Result<GetListingStatusResult, Problem> {
    stop_if_cancelled(ctx)?;
    enter(ctx, Step::Reading);
    ctx.state_mut(|state| {
        state.details.listing_id = Some(input.listing_id.to_string());
        state.details.user_id = Some(input.user_id.to_string());
    });
    let question = GetListingStatusInput {
        listing_id: input.listing_id.clone(),
        user_id: Some(input.user_id.clone()),
        expiration_date: Some(input.expiration_date),
    };
    let options = policies(ctx).listing().unbounded();
    let options = options.local("read the listing");
    let activity = ExpirationActivities::get_listing_status;
    local(ctx, activity, question, options).await
}

/// Waits for the date, and reminds the owner on the way.
async fn reach(
    ctx: &Context,
    input: &ListingExpirationInput,
    listing: &GetListingStatusResult,
    date: DateTime<Utc>,
) -> Result<Woken, Problem> {
    let begun = now(ctx);
    let reminders = listing
        .reminder_days
        .iter()
        .map(|&days| (days, before(date, days)));
    for (days, at) in reminders.filter(|(_, at)| *at > begun) {
        if let Woken::Renewed(until) = wait(ctx, input, date, at).await? {
            return Ok(Woken::Renewed(until));
        }
        if let Some(until) = remind(ctx, input, date, days).await {
            return Ok(Woken::Renewed(until));
        }
    }
    wait(ctx, input, date, date).await
}

fn before(date: DateTime<Utc>, days: u16) -> DateTime<Utc> {
    date.checked_sub_signed(TimeDelta::days(i64::from(days)))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Waits until an instant, or until the listing is renewed.
async fn wait(
    ctx: &Context,
    input: &ListingExpirationInput,
    date: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Woken, Problem> {
    loop {
        enter(ctx, Step::Waiting);
        // The loser of a race is cancelled, or it would stay in history and wake the workflow later.
        let token = ctx.cancellation_token().child_token();
        let summary = "until the listing expires, or a reminder is due";
        let mut timer = std::pin::pin!(wait_until(ctx, until, summary, token.clone()).fuse());
        select! {
            _ = ctx.wait_condition(|state| state.renewal.is_some()) => {}
            _ = timer => {}
        };
        token.cancel();
        stop_if_cancelled(ctx)?;
        let Some(renewal) = ctx.state_mut(|state| state.renewal.take()) else {
            return Ok(Woken::Time);
        };
        if renewal != date && renew(ctx, input, renewal).await? {
            return Ok(Woken::Renewed(renewal));
        }
    }
}

/// Puts a renewal on record; tells whether it counts.
async fn renew(
    ctx: &Context,
    input: &ListingExpirationInput,
    date: DateTime<Utc>,
) -> Result<bool, Problem> {
    enter(ctx, Step::Renewing);
    if date <= now(ctx) {
        ignore_renewal(ctx, format!("expirationDate: {date} has passed"));
        return Ok(false);
    }
    let renewal = RenewListingInput {
        listing_id: input.listing_id.clone(),
        expiration_date: date,
    };
    let options = policies(ctx).listing().unbounded();
    let options = options.local("renew the listing");
    let activity = ExpirationActivities::renew_listing;
    match local(ctx, activity, renewal, options).await {
        Ok(_) => Ok(true),
        // A listing that is not shown now may be shown again before the date.
        Err(problem) if problem.code == ErrorCode::ValidationError => {
            ignore_renewal(ctx, problem.message);
            Ok(false)
        }
        Err(problem) => Err(problem),
    }
}

fn ignore_renewal(ctx: &Context, reason: String) {
    ctx.state_mut(|state| state.details.ignored_renewal = Some(reason));
}

/// Reminds the owner, unless the listing was renewed; until when, if it was.
async fn remind(
    ctx: &Context,
    input: &ListingExpirationInput,
    date: DateTime<Utc>,
    days_before: u16,
) -> Option<DateTime<Utc>> {
    enter(ctx, Step::Reminding);
    let reminder = SendExpirationReminderInput {
        listing_id: input.listing_id.clone(),
        user_id: input.user_id.clone(),
        expiration_date: date,
        days_before,
    };
    let options = policies(ctx).listing().heartbeating();
    let options = options.detached("remind the owner");
    let activity = ExpirationActivities::send_expiration_reminder;
    match remote(ctx, activity, reminder, options).await {
        Ok(found) => {
            ctx.state_mut(|state| state.details.reminders += u32::from(found.sent));
            found.expiration_date.filter(|_| found.renewed)
        }
        Err(problem) => {
            warn(ctx, format!("the owner could not be reminded: {problem}"));
            None
        }
    }
}

/// Lets the listing expire, unless it was renewed beyond the date.
async fn expire(
    ctx: &Context,
    input: &ListingExpirationInput,
    listing: &GetListingStatusResult,
    date: DateTime<Utc>,
) -> Result<Reached, Problem> {
    enter(ctx, Step::Expiring);
    let end = ExpireListingInput {
        listing_id: input.listing_id.clone(),
        expiration_date: Some(date),
    };
    let options = policies(ctx).listing().unbounded();
    let options = options.local("let the listing expire");
    let activity = ExpirationActivities::expire_listing;
    let ended = local(ctx, activity, end, options).await?;
    Ok(match (ended.renewed, ended.expiration_date) {
        (true, Some(until)) => Reached::Renewed(until),
        (true, None) => Reached::Ended(result(
            input,
            true,
            ExpirationStatus::Renewed,
            "Listing renewed; it does not expire any more".to_owned(),
        )),
        (false, _) if ended.status == ListingStatus::Expired => {
            take_down(ctx, input).await?;
            tell(ctx, input, listing, date).await;
            let message = with_warnings(ctx, "Listing expired");
            Reached::Ended(result(input, true, ExpirationStatus::Expired, message))
        }
        (false, _) => {
            // Its edit is under review, and the version before is still found: its time is over too.
            if ended.live_version.is_some() {
                take_down(ctx, input).await?;
            }
            let message = format!("Listing is {}: there is nothing to expire", ended.status);
            Reached::Ended(result(input, false, ExpirationStatus::Expired, message))
        }
    })
}

async fn take_down(ctx: &Context, input: &ListingExpirationInput) -> Result<(), Problem> {
    enter(ctx, Step::TakingDown);
    let removal = RemoveFromSearchIndexInput {
        listing_id: input.listing_id.clone(),
    };
    let options = policies(ctx).listing().heartbeating();
    let options = options.undo("take the listing out of the index");
    let activity = SearchActivities::remove_from_search_index;
    remote(ctx, activity, removal, options).await.map(drop)
}

/// Tells the owner; what went wrong with that is a warning.
async fn tell(
    ctx: &Context,
    input: &ListingExpirationInput,
    listing: &GetListingStatusResult,
    date: DateTime<Utc>,
) {
    enter(ctx, Step::Telling);
    let notification = ctx.state(|state| {
        Owner {
            user_id: input.user_id.as_str(),
            listing: ListingMail {
                listing_id: input.listing_id.as_str(),
                title: &listing.title,
                base_url: &state.settings.portal_url,
            },
        }
        .expired(date)
    });
    if let Some(warning) = step::tell(ctx, "the owner", &policies(ctx), notification).await {
        warn(ctx, warning);
    }
}

fn result(
    input: &ListingExpirationInput,
    success: bool,
    status: ExpirationStatus,
    message: String,
) -> ListingExpirationResult {
    ListingExpirationResult {
        success,
        listing_id: input.listing_id.to_string(),
        status,
        message,
    }
}

fn with_warnings(ctx: &Context, message: &str) -> String {
    let warnings = ctx.state(|state| state.details.warnings.join("; "));
    match warnings.as_str() {
        "" => message.to_owned(),
        warnings => format!("{message}; {warnings}"),
    }
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
