//! `subscriptionPaymentWorkflow`: collects what a subscription owes.
//!
//! Steps: read the subscription and what is due, charge that period, tell the user. The charge, the
//! count of failures, the status and the next date change in one transaction of the charge activity
//! (see `crate::dunning`), so there is nothing to undo and nothing to repeat here. A charge whose
//! outcome is unknown is looked up until it is known.
//!
//! A period is charged once, whoever starts what and how often: a run that finds the period paid
//! answers with the charge that paid it. A subscription that is not active is not charged, except a
//! suspended one whose user gave another payment method, or for whom `retryPayment` asks: then what
//! is owed is charged, and success makes it active again.
//!
//! One run makes one attempt, and whoever starts it makes the next. With `subscription.schedule =
//! "durable"` the run itself waits for the day of the next attempt, and after a payment for the next
//! period; after two years' months it goes on as a new run of the same id.
//!
//! Signals: `cancelPayment` stops it before the next charge (never in the middle of one),
//! `retryPayment` makes the next attempt at once, also for a suspended subscription, and also if it
//! is there before the run begins; `gatewayEvent` lets it look at once how a charge went whose outcome
//! is unknown. Queries `getStatus`, `getProgress`, `getDetails`.
//! History: 16 to 19 events and 4 billable actions for one attempt, whatever comes of it; each further
//! attempt of a durable schedule adds 18 to 21 and 4.

mod notice;
mod state;

use chrono::{DateTime, TimeDelta, Utc};
use partner_core::activity_options::ActivityPolicies;
use partner_core::error::ErrorCode;
use partner_core::money::Money;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::step::{closing, local, now, remote, wait_until};
use partner_core::wire::{InvalidInput, SignalText, Wire};
use temporalio_sdk::workflows::select;
use temporalio_sdk::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
};
use temporalio_workflow::{workflow, workflow_methods};

pub use self::state::{
    CALLED_OFF, SubscriptionPaymentDetails, SubscriptionPaymentInput, SubscriptionPaymentResult,
};
use self::state::{Outcome, Step};
use crate::activities::subscription::{
    Billing, ChargeSubscriptionInput, ChargeSubscriptionResult, ExpectedSubscription,
    GetSubscriptionDetailsInput, SubscriptionActivities, SubscriptionDetails,
};
use crate::model::SubscriptionStatus;
use crate::settings::Schedule;
use crate::workflows::lookup::until_known;

/// How long a durable schedule waits before it tries again what a system that was down kept from it,
/// in seconds: an hour, after all the attempts of the activities.
const TECHNICAL_PAUSE: u64 = 3_600;

/// How many periods a run of a durable schedule bills before a new run goes on, with a short history
/// and on the code of its day: two years by the month, some 500 events.
const PERIODS_PER_RUN: u32 = 24;

/// The workflow, with what its signals, queries and waits need.
#[workflow]
pub struct SubscriptionPayment {
    policies: ActivityPolicies,
    course: Course<Step>,
    details: SubscriptionPaymentDetails,
    cancel_requested: bool,
    retry_requested: bool,
    /// How often the gateway said something by itself.
    gateway_events: u32,
}

/// The subscription that is billed, as the caller knows it.
struct Subscription {
    input: SubscriptionPaymentInput,
    amount: Money,
}

/// What a run comes to.
enum End {
    Result(SubscriptionPaymentResult),
    /// The next period begins in a new run.
    Renewal,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Time,
    Retry,
    Cancel,
}

impl SubscriptionPayment {
    /// A payment that has not begun, with these timeouts and retries.
    pub fn new(policies: ActivityPolicies) -> Self {
        Self {
            policies,
            course: Course::new(Step::Reading),
            details: SubscriptionPaymentDetails::default(),
            cancel_requested: false,
            retry_requested: false,
            gateway_events: 0,
        }
    }
}

/// Over, and not to be paid any more.
const INACTIVE: Outcome = Outcome::Inactive {
    suspended_for: None,
};

type Context = WorkflowContext<SubscriptionPayment>;

#[workflow_methods(factory_only)]
impl SubscriptionPayment {
    /// Collects what is due.
    #[run(name = "subscriptionPaymentWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<SubscriptionPaymentInput>,
    ) -> WorkflowResult<SubscriptionPaymentResult> {
        let again = input.clone();
        let billed = match accept(ctx, input) {
            Ok(subscription) => bill(ctx, &subscription).await,
            Err(invalid) => Err(invalid.into()),
        };
        match billed {
            Ok(End::Result(result)) => Ok(result),
            Ok(End::Renewal) => {
                let options = ContinueAsNewOptions::default();
                match ctx.continue_as_new(again, options)? {}
            }
            Err(problem) => {
                ctx.state_mut(|state| state.course.fail(&problem));
                Err(closing(ctx, problem))
            }
        }
    }

    /// Asks to stop before the next charge. One that is under way is not stopped: if it succeeds,
    /// the period is paid.
    #[signal(name = "cancelPayment")]
    pub fn cancel_payment(&mut self, _ctx: &mut SyncWorkflowContext<Self>, reason: SignalText) {
        self.cancel_requested = true;
        self.details
            .cancel_reason
            .get_or_insert(reason.0.unwrap_or_default());
    }

    /// Asks for an attempt at once, also for a suspended subscription.
    #[signal(name = "retryPayment")]
    pub fn retry_payment(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _reason: SignalText) {
        self.retry_requested = true;
    }

    /// The gateway says that something happened to the charge, such as `payment_intent.succeeded`.
    ///
    /// What it says is not believed: it only ends the pause of a lookup, which then asks.
    #[signal(name = "gatewayEvent")]
    pub fn gateway_event(&mut self, _ctx: &mut SyncWorkflowContext<Self>, kind: SignalText) {
        self.gateway_events = self.gateway_events.saturating_add(1);
        self.details.gateway_event = kind.0;
    }

    /// How the payment stands.
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
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> SubscriptionPaymentDetails {
        self.details.clone()
    }
}

fn accept(
    ctx: &Context,
    input: Wire<SubscriptionPaymentInput>,
) -> Result<Subscription, InvalidInput> {
    let input = input.into_result()?;
    let amount = Money::from_amount(input.amount, input.currency)
        .map_err(|error| InvalidInput::new(format!("amount: {error}")))?;
    ctx.state_mut(|state| {
        state.details.subscription_id = Some(input.subscription_id.to_string());
        state.details.user_id = Some(input.user_id.to_string());
        state.details.amount = Some(amount.amount());
        state.details.currency = Some(input.currency);
    });
    Ok(Subscription { input, amount })
}

/// Makes one attempt; with a durable schedule as many as it has, period by period.
async fn bill(ctx: &Context, subscription: &Subscription) -> Result<End, Problem> {
    let mut schedule = Schedule::Caller;
    let mut periods = 0;
    // What a suspended subscription was left with when its window began.
    let mut left_with = None;
    loop {
        let outcome = match attempt(ctx, subscription, &mut schedule).await {
            Ok(outcome) => outcome,
            // A schedule outlives a system that is down.
            Err(problem) if schedule == Schedule::Durable && may_pass(&problem) => {
                match wait(ctx, after(ctx, TECHNICAL_PAUSE)).await? {
                    Woken::Cancel => return Ok(end(ctx, cancelled(ctx))),
                    Woken::Time | Woken::Retry => continue,
                }
            }
            Err(problem) => return Err(problem),
        };
        if let Some(before) = left_with.take_if(|_| outcome.is_suspended()) {
            // The window is over, and the user did not pay after all.
            return Ok(end(ctx, before));
        }
        let Some(next) = next_wait(ctx, &outcome, schedule) else {
            return Ok(end(ctx, outcome));
        };
        match wait(ctx, next).await? {
            // Nothing is owed: only the schedule ends.
            Woken::Cancel if outcome.is_settled() => return Ok(end(ctx, outcome)),
            Woken::Cancel => return Ok(end(ctx, cancelled(ctx))),
            // Somebody may have given another payment method, or lifted the suspension.
            Woken::Time if outcome.is_suspended() => left_with = Some(outcome),
            Woken::Time if outcome.is_settled() => {
                periods += 1;
                if periods == PERIODS_PER_RUN || ctx.continue_as_new_suggested() {
                    return Ok(End::Renewal);
                }
            }
            Woken::Time | Woken::Retry => {}
        }
    }
}

/// Reads, charges what is due, and tells the user.
async fn attempt(
    ctx: &Context,
    subscription: &Subscription,
    schedule: &mut Schedule,
) -> Result<Outcome, Problem> {
    let mut settle = false;
    loop {
        // Asked for while this looks, it counts for the next look.
        settle |= ctx.state_mut(|state| std::mem::take(&mut state.retry_requested));
        let details = read(ctx, subscription, settle).await?;
        *schedule = details.billing.schedule;
        if stop_asked(ctx)? {
            return Ok(cancelled(ctx));
        }
        let was_asked = ctx.state(|state| state.retry_requested);
        if was_asked && details.status == SubscriptionStatus::Suspended {
            continue;
        }
        if !details.billing.billable {
            return Ok(not_charged(&details));
        }
        if let Some(planned) = planned(ctx, &details, settle) {
            return Ok(planned);
        }
        let charged = charge(ctx, subscription, &details.billing, settle).await?;
        let Some(outcome) = outcome_of(charged, &details.billing) else {
            continue;
        };
        let warning = notice::tell(ctx, subscription, &details, &outcome).await;
        return Ok(outcome.with_warning(warning));
    }
}

/// The next attempt of a durable schedule has its day; another run may have made the last one.
fn planned(ctx: &Context, details: &SubscriptionDetails, settle: bool) -> Option<Outcome> {
    let is_durable = details.billing.schedule == Schedule::Durable;
    let retry_at = details.billing.retry_at.filter(|at| *at > now(ctx))?;
    (is_durable && !settle).then_some(Outcome::Retry {
        failures: details.failed_payment_count,
        retry_at: Some(retry_at),
        warning: None,
    })
}

/// Whether a problem is of the systems, and not of the subscription.
const fn may_pass(problem: &Problem) -> bool {
    matches!(
        problem.code,
        ErrorCode::GatewayError
            | ErrorCode::DatabaseError
            | ErrorCode::ExternalServiceError
            | ErrorCode::Timeout
    )
}

async fn read(
    ctx: &Context,
    subscription: &Subscription,
    settle: bool,
) -> Result<SubscriptionDetails, Problem> {
    enter(ctx, Step::Reading);
    let input = GetSubscriptionDetailsInput {
        subscription_id: subscription.input.subscription_id.to_string(),
        expected: Some(ExpectedSubscription {
            user_id: subscription.input.user_id.to_string(),
            amount: subscription.input.amount,
            currency: subscription.input.currency,
            billing_period: subscription.input.billing_period,
        }),
        as_of: Some(now(ctx)),
        settle,
    };
    let options = policies(ctx).payment().local("read what is due");
    let activity = SubscriptionActivities::get_subscription_details;
    let details = local(ctx, activity, input, options).await?;
    ctx.state_mut(|state| {
        state.details.period = Some(details.billing.period.clone());
        state.details.attempt = details.billing.attempt;
        state.details.failed_payment_count = details.failed_payment_count;
        state.details.retry_at = details.billing.retry_at;
        state.details.next_payment_date = details.billing.next_payment_date;
    });
    Ok(details)
}

/// Charges one attempt and does not return before it is known how it went.
async fn charge(
    ctx: &Context,
    subscription: &Subscription,
    billing: &Billing,
    settle: bool,
) -> Result<ChargeSubscriptionResult, Problem> {
    enter(ctx, Step::Charging);
    let input = ChargeSubscriptionInput {
        subscription_id: subscription.input.subscription_id.to_string(),
        period: billing.period.clone(),
        attempt: billing.attempt,
        as_of: now(ctx),
        settle,
    };
    let gateway = policies(ctx).gateway();
    let options = gateway.detached("charge the subscription");
    let activity = SubscriptionActivities::charge_subscription;
    let problem = match remote(ctx, activity, input.clone(), options).await {
        Ok(charged) => return Ok(charged),
        Err(problem) => problem,
    };
    if matches!(
        problem.code,
        ErrorCode::ValidationError | ErrorCode::PaymentFailed
    ) {
        return Err(problem);
    }
    let look_up = |token| {
        let mut options = gateway.undo("find out how the charge went");
        options.cancellation_token = Some(token);
        let activity = SubscriptionActivities::lookup_subscription_charge;
        remote(ctx, activity, input.clone(), options)
    };
    let found = until_known(ctx, |state| state.gateway_events, look_up).await?;
    let is_decided = found.success || found.refunded || found.decline_code.is_some();
    if is_decided || found.subscription_status.is_final() {
        Ok(found)
    } else {
        Err(problem)
    }
}

/// What a run that charges nothing answers.
fn not_charged(details: &SubscriptionDetails) -> Outcome {
    match (&details.billing.transaction_id, details.status) {
        (Some(transaction_id), SubscriptionStatus::Active) => Outcome::AlreadyPaid {
            transaction_id: transaction_id.clone(),
            due_at: details.billing.due_at,
        },
        (None, SubscriptionStatus::Active) => Outcome::NotDue {
            due_at: details.billing.due_at,
        },
        (_, SubscriptionStatus::Suspended) => Outcome::Inactive {
            suspended_for: Some(details.billing.suspension_window_seconds),
        },
        _ => INACTIVE,
    }
}

/// What the charge makes of the subscription. Nothing, if the attempt was closed without a charge by
/// someone else: what is due is then read again, and has another attempt's number.
fn outcome_of(charged: ChargeSubscriptionResult, billing: &Billing) -> Option<Outcome> {
    let failures = charged.failed_payment_count;
    let was_declined = charged.decline_code.is_some();
    match (charged.subscription_status, charged.transaction_id) {
        _ if charged.refunded => Some(INACTIVE),
        (_, Some(transaction_id)) if charged.success => Some(Outcome::Paid {
            transaction_id,
            next_payment_date: charged.next_payment_date?,
            warning: None,
        }),
        (SubscriptionStatus::Active, _) if was_declined => Some(Outcome::Retry {
            failures,
            retry_at: charged.retry_at,
            warning: None,
        }),
        (SubscriptionStatus::Suspended, _) if was_declined => Some(Outcome::Suspended {
            failures,
            window_seconds: billing.suspension_window_seconds,
            warning: None,
        }),
        (SubscriptionStatus::Cancelled | SubscriptionStatus::Expired, _) => Some(INACTIVE),
        (SubscriptionStatus::Active | SubscriptionStatus::Suspended, _) => None,
    }
}

/// Until when a durable schedule waits; nothing ends the run.
fn next_wait(ctx: &Context, outcome: &Outcome, schedule: Schedule) -> Option<DateTime<Utc>> {
    if schedule == Schedule::Caller {
        return None;
    }
    match outcome {
        Outcome::Paid {
            next_payment_date, ..
        } => Some(*next_payment_date),
        Outcome::AlreadyPaid { due_at, .. } | Outcome::NotDue { due_at } => Some(*due_at),
        Outcome::Retry { retry_at, .. } => *retry_at,
        Outcome::Suspended { window_seconds, .. } => Some(after(ctx, *window_seconds)),
        Outcome::Inactive { suspended_for } => suspended_for.map(|window| after(ctx, window)),
        Outcome::Cancelled { .. } => None,
    }
}

fn after(ctx: &Context, seconds: u64) -> DateTime<Utc> {
    let wait = TimeDelta::try_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    let at = wait.and_then(|wait| now(ctx).checked_add_signed(wait));
    at.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

async fn wait(ctx: &Context, until: DateTime<Utc>) -> Result<Woken, Problem> {
    enter(ctx, Step::Waiting);
    // The loser of a race is cancelled, or it would stay in history and wake the workflow later.
    let token = ctx.cancellation_token().child_token();
    let mut timer = std::pin::pin!(futures::FutureExt::fuse(wait_until(
        ctx,
        until,
        "until the next attempt",
        token.clone()
    )));
    let reached = select! {
        _ = ctx.wait_condition(|state| state.retry_requested || state.cancel_requested) => false,
        reached = timer => reached,
    };
    token.cancel();
    Ok(if stop_asked(ctx)? {
        Woken::Cancel
    } else if reached {
        Woken::Time
    } else {
        Woken::Retry
    })
}

/// Whether the signal asked to stop.
///
/// # Errors
/// If it was Temporal: then the run closes as cancelled.
fn stop_asked(ctx: &Context) -> Result<bool, Problem> {
    if ctx.cancellation_token().is_cancelled() {
        return Err(Problem::new(ErrorCode::Cancelled, "payment cancelled"));
    }
    Ok(ctx.state(|state| state.cancel_requested))
}

fn cancelled(ctx: &Context) -> Outcome {
    Outcome::Cancelled {
        reason: ctx.state(|state| state.details.cancel_reason.clone().unwrap_or_default()),
    }
}

fn end(ctx: &Context, outcome: Outcome) -> End {
    let subscription_id = ctx.state(|state| state.details.subscription_id.clone());
    let problem = outcome.problem();
    let result = outcome.into_result(subscription_id.unwrap_or_default());
    ctx.state_mut(|state| match &problem {
        None => state.course.complete(Step::Done),
        Some(problem) => state.course.fail(problem),
    });
    End::Result(result)
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}

fn enter(ctx: &Context, step: Step) {
    ctx.state_mut(|state| state.course.enter(step));
}
