//! Undoing a payment: what is registered before the steps, and what runs when one fails for good.

use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use partner_core::saga::{Saga, UndoFailure};
use partner_core::step::remote;
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::TemporalDeserializable;
use temporalio_sdk::ActivityOptions;
use temporalio_sdk::workflows::join;

use super::state::Step;
use super::{Context, Payment, enter, fail, policies, send};
use crate::activities::gateway::{GatewayActivities, RefundPaymentInput};
use crate::activities::inventory::{InventoryActivities, ReleaseInventoryInput};
use crate::activities::order::{OrderActivities, UpdateOrderStatusInput};
use crate::emails;
use crate::model::OrderStatus;

/// Undoes everything that was begun, marks the order, tells the buyer, and says what went wrong.
pub(super) async fn undo(ctx: &Context, payment: Payment, problem: Problem) -> Problem {
    enter(ctx, Step::Undoing);
    let Payment { saga, goods, .. } = payment;
    let payment = Payment {
        saga: Saga::new(),
        goods: Saga::new(),
        ..payment
    };
    let money_and_books = async {
        let mut failures = saga.unwind().await;
        failures.extend(close_books(ctx, &payment, &problem).await);
        failures
    };
    let (mut failures, goods_failures) = join!(money_and_books, goods.unwind());
    failures.extend(goods_failures);
    ctx.state_mut(|state| {
        state.details.undo_failures = failures
            .iter()
            .map(|failure| format!("{}: {}", failure.name, failure.reason))
            .collect();
    });
    let problem = problem.with_undo_failures(&failures);
    fail(ctx, &problem);
    problem
}

/// Marks the order as not paid and tells the buyer.
async fn close_books(ctx: &Context, payment: &Payment, problem: &Problem) -> Vec<UndoFailure> {
    let refunded = ctx.state(|state| state.refunded);
    let status = match problem.code {
        ErrorCode::Cancelled if refunded => OrderStatus::Refunded,
        ErrorCode::Cancelled => OrderStatus::Cancelled,
        _ => OrderStatus::PaymentFailed,
    };
    let input = UpdateOrderStatusInput {
        order_id: payment.order_id(),
        status,
        transaction_id: None,
        error_message: Some(problem.message.clone()),
    };
    let options = policies(ctx).payment().undo("mark the order as not paid");
    let marked = remote(ctx, OrderActivities::update_order_status, input, options).await;
    let told = send(
        ctx,
        emails::order_failed(payment.mail(), problem.code, refunded),
    )
    .await;
    let failure = |name: &str, problem: Problem| UndoFailure {
        name: name.to_owned(),
        reason: problem.to_string(),
    };
    [
        marked
            .err()
            .map(|problem| failure("updateOrderStatus", problem)),
        told.err().map(|problem| failure("sendEmail", problem)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Registered before anything is tried: an earlier run of the order may have been terminated with
/// stock or money in its hands, and must never be undone by half.
pub(super) fn register_undo_of_stock_and_money(ctx: &Context, payment: &mut Payment) {
    let options = policies(ctx).payment().undo("release the stock");
    let release = ReleaseInventoryInput {
        order_id: payment.order_id(),
    };
    register_undo(
        ctx,
        &mut payment.saga,
        InventoryActivities::release_inventory,
        release,
        options,
    );
    let options = policies(ctx).gateway().undo("give the money back");
    let input = RefundPaymentInput {
        order_id: payment.order_id(),
        reason: "the order was not completed".to_owned(),
    };
    let ctx = ctx.clone();
    payment.saga.on_failure(
        GatewayActivities::refund_payment.name().to_owned(),
        async move {
            let done = remote(&ctx, GatewayActivities::refund_payment, input, options).await;
            let refunded = done.map_err(|problem| problem.to_string())?.refunded;
            ctx.state_mut(|state| state.refunded = refunded);
            Ok(())
        },
    );
}

/// Registers an activity as an undo step.
pub(super) fn register_undo<A>(
    ctx: &Context,
    saga: &mut Saga,
    activity: A,
    input: impl Into<A::Input>,
    options: ActivityOptions,
) where
    A: ActivityDefinition + 'static,
    A::Output: TemporalDeserializable,
    A::Input: 'static,
{
    let ctx = ctx.clone();
    let input = input.into();
    saga.on_failure(activity.name().to_owned(), async move {
        let done = remote(&ctx, activity, input, options).await;
        done.map(drop).map_err(|problem| problem.to_string())
    });
}
