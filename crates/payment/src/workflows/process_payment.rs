//! `processPaymentWorkflow`: collects the payment of an order.
//!
//! Steps: validate, reserve stock, charge, mark the order paid, then at once the confirmation mail
//! and the fulfilment. Whatever fails after the validation is undone: stock released, money given
//! back, fulfilment taken back, the order marked, the buyer told, and the workflow fails with the
//! contract's code. Cancelling counts until the end: before the charge nothing is taken, after it
//! the money goes back. A charge whose outcome is unknown is looked up until it is known.
//!
//! Cancelled through Temporal, the run closes as cancelled; by the signal, it fails with `CANCELLED`.
//! A run that meets an order which an earlier one paid only hands it over again.
//!
//! Signals `cancelPayment`, `retryPayment`, `gatewayEvent`; queries `getStatus`, `getProgress`, `getDetails`.
//! History: 23 to 26 events and 6 billable actions when all goes well.

mod state;
mod undo;

use std::num::NonZeroU32;
use std::time::Duration;

use futures::FutureExt;
use partner_core::activity_options::ActivityPolicies;
use partner_core::contracts::email::{EmailContract, SendEmailInput};
use partner_core::error::ErrorCode;
use partner_core::money::Money;
use partner_core::problem::Problem;
use partner_core::progress::{Course, ProgressAnswer, StatusAnswer};
use partner_core::saga::Saga;
use partner_core::step::{local, remote};
use partner_core::wire::{InvalidInput, SignalText, Wire};
use temporalio_sdk::workflows::{join, select};
use temporalio_sdk::{
    SyncWorkflowContext, TimerOptions, WorkflowContext, WorkflowContextView, WorkflowResult,
    WorkflowTermination,
};
use temporalio_workflow::{workflow, workflow_methods};

use self::state::Step;
pub use self::state::{PaymentDetails, ProcessPaymentInput, ProcessPaymentResult};
use self::undo::{register_undo, register_undo_of_stock_and_money, undo};
use crate::activities::fulfillment::{FulfillmentActivities, FulfillmentInput};
use crate::activities::gateway::{
    GatewayActivities, LookupPaymentInput, ProcessPaymentGatewayInput, ProcessPaymentGatewayResult,
};
use crate::activities::inventory::{InventoryActivities, ReserveInventoryInput};
use crate::activities::order::{OrderActivities, UpdateOrderStatusInput};
use crate::activities::validation::{ValidatePaymentInput, ValidationActivities};
use crate::emails::{self, OrderMail};
use crate::model::OrderStatus;
use crate::workflows::lookup::until_known;

/// The workflow, with what its signals, queries and waits need.
#[workflow]
pub struct ProcessPayment {
    policies: ActivityPolicies,
    course: Course<Step>,
    details: PaymentDetails,
    cancel_requested: bool,
    retry_requested: bool,
    /// Whether money went back to the buyer.
    refunded: bool,
    /// How often the gateway said something by itself.
    gateway_events: u32,
}

/// The order being paid, read and checked.
struct Payment {
    input: ProcessPaymentInput,
    amount: Money,
    email: String,
    attempt: u32,
    /// The charge by which an earlier run paid it.
    paid_by: Option<String>,
    /// What gives back stock and money.
    saga: Saga,
    /// What takes back the goods; apart, because whoever ships must not hold up the money.
    goods: Saga,
}

impl Payment {
    fn order_id(&self) -> String {
        self.input.order_id.to_string()
    }

    fn mail(&self) -> OrderMail<'_> {
        OrderMail {
            to: &self.email,
            order_id: self.input.order_id.as_str(),
            amount: self.amount,
            attempt: self.attempt,
        }
    }
}

impl ProcessPayment {
    /// A payment that has not begun, with these timeouts and retries.
    pub fn new(policies: ActivityPolicies) -> Self {
        Self {
            policies,
            course: Course::new(Step::Validating),
            details: PaymentDetails::default(),
            cancel_requested: false,
            retry_requested: false,
            refunded: false,
            gateway_events: 0,
        }
    }
}

type Context = WorkflowContext<ProcessPayment>;

#[workflow_methods(factory_only)]
impl ProcessPayment {
    /// Collects the payment, or undoes everything and fails.
    #[run(name = "processPaymentWorkflow")]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Wire<ProcessPaymentInput>,
    ) -> WorkflowResult<ProcessPaymentResult> {
        let mut payment = match accept(ctx, input) {
            Ok(payment) => payment,
            Err(invalid) => return Err(refuse(ctx, invalid).into()),
        };
        if let Err(problem) = validate(ctx, &mut payment).await {
            // Nothing was touched, so there is nothing to undo and nobody to tell.
            fail(ctx, &problem);
            return Err(problem.into_workflow_failure().into());
        }
        match pay(ctx, &mut payment).await {
            Ok(result) => {
                ctx.state_mut(|state| state.course.complete(Step::Done));
                Ok(result)
            }
            Err(problem) => {
                let by_temporal =
                    problem.code == ErrorCode::Cancelled && ctx.cancellation_token().is_cancelled();
                let problem = undo(ctx, payment, problem).await;
                // Whoever cancels through Temporal expects the run to close as cancelled.
                Err(if by_temporal {
                    WorkflowTermination::cancelled_with_details(problem.to_string())
                } else {
                    problem.into_workflow_failure().into()
                })
            }
        }
    }

    /// Asks to stop: before the charge nothing is taken, after it the money goes back.
    #[signal(name = "cancelPayment")]
    pub fn cancel_payment(&mut self, _ctx: &mut SyncWorkflowContext<Self>, reason: SignalText) {
        self.cancel_requested = true;
        self.details
            .cancel_reason
            .get_or_insert(reason.0.unwrap_or_default());
    }

    /// After a decline, while the order is open for it: charges once more, as the next attempt.
    #[signal(name = "retryPayment")]
    pub fn retry_payment(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _reason: SignalText) {
        // Asked for at any other time it means nothing: there is no decline to answer.
        self.retry_requested = self.course.step() == Step::AwaitingRetry;
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
    pub fn get_details(&self, _ctx: &WorkflowContextView) -> PaymentDetails {
        self.details.clone()
    }
}

fn accept(ctx: &Context, input: Wire<ProcessPaymentInput>) -> Result<Payment, InvalidInput> {
    let input = input.into_result()?;
    let amount = Money::from_amount(input.amount, input.currency)
        .map_err(|error| InvalidInput::new(format!("amount: {error}")))?;
    let attempt = input.attempt.map_or(1, NonZeroU32::get);
    ctx.state_mut(|state| {
        state.details.order_id = Some(input.order_id.to_string());
        state.details.user_id = Some(input.user_id.to_string());
        state.details.amount = Some(amount.amount());
        state.details.currency = Some(input.currency);
        state.details.attempt = attempt;
    });
    Ok(Payment {
        input,
        amount,
        email: String::new(),
        attempt,
        paid_by: None,
        saga: Saga::new(),
        goods: Saga::new(),
    })
}

fn refuse(ctx: &Context, invalid: InvalidInput) -> temporalio_sdk::ApplicationFailure {
    let problem = Problem::from(invalid);
    fail(ctx, &problem);
    problem.into_workflow_failure()
}

async fn pay(ctx: &Context, payment: &mut Payment) -> Result<ProcessPaymentResult, Problem> {
    register_undo_of_stock_and_money(ctx, payment);
    let transaction_id = match payment.paid_by.take() {
        Some(transaction_id) => transaction_id,
        None => collect(ctx, payment).await?,
    };
    let warning = hand_over(ctx, payment, &transaction_id).await?;
    stop_if_cancelled(ctx)?;
    Ok(ProcessPaymentResult {
        success: true,
        order_id: payment.order_id(),
        transaction_id,
        amount: payment.amount.amount(),
        currency: payment.amount.currency(),
        message: warning.map_or_else(
            || "Payment processed successfully".to_owned(),
            |warning| format!("Payment processed successfully; {warning}"),
        ),
    })
}

/// Takes stock and money, and marks the order paid.
async fn collect(ctx: &Context, payment: &mut Payment) -> Result<String, Problem> {
    reserve(ctx, payment).await?;
    let transaction_id = charge_until_decided(ctx, payment).await?;
    mark_paid(ctx, payment, &transaction_id).await?;
    Ok(transaction_id)
}

async fn validate(ctx: &Context, payment: &mut Payment) -> Result<(), Problem> {
    enter(ctx, Step::Validating);
    let input = ValidatePaymentInput {
        user_id: payment.input.user_id.to_string(),
        amount: payment.input.amount,
        currency: payment.input.currency,
        payment_method: payment.input.payment_method,
        order_id: Some(payment.order_id()),
    };
    let options = policies(ctx).payment().local("validate the payment");
    let checked = local(ctx, ValidationActivities::validate_payment, input, options).await?;
    payment.email = checked.email.unwrap_or_default();
    ctx.state_mut(|state| {
        state
            .details
            .transaction_id
            .clone_from(&checked.transaction_id);
    });
    payment.paid_by = checked.transaction_id;
    if checked.valid {
        return Ok(());
    }
    Err(Problem::new(
        ErrorCode::ValidationError,
        checked.reason.unwrap_or_default(),
    ))
}

async fn reserve(ctx: &Context, payment: &Payment) -> Result<(), Problem> {
    stop_if_cancelled(ctx)?;
    enter(ctx, Step::Reserving);
    renew_reservation(ctx, payment).await
}

async fn renew_reservation(ctx: &Context, payment: &Payment) -> Result<(), Problem> {
    let input = ReserveInventoryInput {
        order_id: payment.order_id(),
        user_id: payment.input.user_id.to_string(),
    };
    let options = policies(ctx).payment().local("reserve the stock");
    local(ctx, InventoryActivities::reserve_inventory, input, options).await?;
    Ok(())
}

/// Charges; after a decline as often as the buyer asks for it within the window.
async fn charge_until_decided(ctx: &Context, payment: &mut Payment) -> Result<String, Problem> {
    stop_if_cancelled(ctx)?;
    loop {
        let declined = match charge(ctx, payment).await? {
            ProcessPaymentGatewayResult {
                success: true,
                transaction_id: Some(id),
                ..
            } => {
                ctx.state_mut(|state| state.details.transaction_id = Some(id.clone()));
                return Ok(id);
            }
            other => other,
        };
        let code = if declined.decline_code.is_some() {
            ErrorCode::PaymentFailed
        } else {
            ErrorCode::GatewayError
        };
        let problem = Problem::new(code, declined.error.unwrap_or_default());
        if code != ErrorCode::PaymentFailed || !wait_for_retry(ctx, payment).await? {
            return Err(problem);
        }
        renew_reservation(ctx, payment).await?;
        payment.attempt += 1;
        ctx.state_mut(|state| state.details.attempt += 1);
    }
}

/// Charges one attempt and does not return before it is known how it went.
async fn charge(ctx: &Context, payment: &Payment) -> Result<ProcessPaymentGatewayResult, Problem> {
    enter(ctx, Step::Charging);
    let input = ProcessPaymentGatewayInput {
        order_id: payment.order_id(),
        amount: payment.input.amount,
        currency: payment.input.currency,
        payment_method: payment.input.payment_method,
        user_id: payment.input.user_id.to_string(),
        attempt: payment.attempt,
    };
    let gateway = policies(ctx).gateway();
    let options = gateway.detached("charge the buyer");
    let problem = match remote(
        ctx,
        GatewayActivities::process_payment_gateway,
        input,
        options,
    )
    .await
    {
        Ok(result) => return Ok(result),
        Err(problem) => problem,
    };
    if matches!(
        problem.code,
        ErrorCode::ValidationError | ErrorCode::PaymentFailed
    ) {
        return Err(problem);
    }
    let input = LookupPaymentInput {
        order_id: payment.order_id(),
        attempt: payment.attempt,
    };
    let look_up = |token| {
        let mut options = gateway.undo("find out how the charge went");
        options.cancellation_token = Some(token);
        remote(
            ctx,
            GatewayActivities::lookup_payment,
            input.clone(),
            options,
        )
    };
    let found = until_known(ctx, |state| state.gateway_events, look_up).await?;
    if found.success || found.decline_code.is_some() {
        Ok(found)
    } else {
        Err(problem)
    }
}

/// Whether the buyer asks for another attempt within the window.
async fn wait_for_retry(ctx: &Context, payment: &Payment) -> Result<bool, Problem> {
    let window = Duration::from_secs(payment.input.retry_window_seconds.unwrap_or(0).into());
    if window.is_zero() {
        return Ok(false);
    }
    ctx.state_mut(|state| state.retry_requested = false);
    enter(ctx, Step::AwaitingRetry);
    // The loser of a race is cancelled, or it would stay in history and wake the workflow later.
    let token = ctx.cancellation_token().child_token();
    let timer = ctx.timer(
        TimerOptions::builder(window)
            .cancellation_token(token.clone())
            .summary("open for another attempt".to_owned())
            .build(),
    );
    let mut timer = timer.fuse();
    let asked = select! {
        _ = ctx.wait_condition(|state| state.retry_requested || state.cancel_requested) => true,
        _ = timer => false,
    };
    token.cancel();
    stop_if_cancelled(ctx)?;
    Ok(asked)
}

async fn mark_paid(ctx: &Context, payment: &Payment, transaction_id: &str) -> Result<(), Problem> {
    enter(ctx, Step::MarkingPaid);
    let input = UpdateOrderStatusInput {
        order_id: payment.order_id(),
        status: OrderStatus::Paid,
        transaction_id: Some(transaction_id.to_owned()),
        error_message: None,
    };
    // The money is taken: only a refusal for good, never a database that is down, undoes that.
    let options = policies(ctx)
        .payment()
        .unbounded()
        .local("mark the order paid");
    local(ctx, OrderActivities::update_order_status, input, options).await?;
    Ok(())
}

/// Mails the buyer and has the order handed over, at once. A mail that does not go out is a
/// warning: it is no reason to give a paid order back.
async fn hand_over(
    ctx: &Context,
    payment: &mut Payment,
    transaction_id: &str,
) -> Result<Option<String>, Problem> {
    let step = policies(ctx).payment().heartbeating();
    let input = FulfillmentInput {
        order_id: payment.order_id(),
    };
    let undo = step.undo("take the fulfilment back");
    register_undo(
        ctx,
        &mut payment.goods,
        FulfillmentActivities::cancel_fulfillment,
        input.clone(),
        undo,
    );
    stop_if_cancelled(ctx)?;
    enter(ctx, Step::HandingOver);
    let options = step.detached("hand the order over");
    let (handed_over, mailed) = join!(
        remote(
            ctx,
            FulfillmentActivities::trigger_fulfillment,
            input,
            options
        ),
        send(ctx, emails::order_paid(payment.mail(), transaction_id)),
    );
    handed_over?;
    Ok(mailed
        .err()
        .map(|problem| format!("the confirmation mail could not be sent: {problem}")))
}

async fn send(ctx: &Context, mail: Result<SendEmailInput, askama::Error>) -> Result<(), Problem> {
    let mail = mail.map_err(|error| Problem::new(ErrorCode::Unknown, error.to_string()))?;
    let options = policies(ctx).notification().heartbeating();
    let options = options.detached("mail the buyer");
    remote(ctx, EmailContract::send_email, mail, options).await?;
    Ok(())
}

fn stop_if_cancelled(ctx: &Context) -> Result<(), Problem> {
    let by_signal = ctx.state(|state| {
        state
            .cancel_requested
            .then(|| state.details.cancel_reason.clone())
    });
    let by_temporal = ctx.cancellation_token().is_cancelled();
    match (by_signal, by_temporal) {
        (None, false) => Ok(()),
        (reason, _) => {
            let reason = reason.flatten().filter(|reason| !reason.is_empty());
            let message = reason.map_or_else(
                || "payment cancelled".to_owned(),
                |reason| format!("payment cancelled: {reason}"),
            );
            Err(Problem::new(ErrorCode::Cancelled, message))
        }
    }
}

fn policies(ctx: &Context) -> ActivityPolicies {
    ctx.state(|state| state.policies)
}

fn enter(ctx: &Context, step: Step) {
    ctx.state_mut(|state| state.course.enter(step));
}

fn fail(ctx: &Context, problem: &Problem) {
    ctx.state_mut(|state| state.course.fail(problem));
}
