//! Payments of orders.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use partner_core::ids::OrderId;
use partner_core::money::{Amount, Currency, Money};
use partner_core::workflow_id;
use partner_payment::workflows::process_payment::ProcessPaymentInput;

use super::{ReasonBody, show, tell};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Body, Path};
use crate::progress::WorkflowState;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};
use crate::state::ApiState;

impl Start for ProcessPaymentInput {
    const WORKFLOW: &'static str = "processPaymentWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }

    fn check(&self) -> std::result::Result<(), String> {
        check_amount(self.amount, self.currency)
    }
}

/// Collect the payment of an order.
///
/// Stock is reserved, the buyer is charged once, the order is marked as paid; whatever fails is undone.
/// One order is one payment: asked for again, the same workflow answers, unless it failed.
#[utoipa::path(
    post, path = "/api/v1/payments", tag = "payments",
    request_body = ProcessPaymentInput, params(WaitQuery),
    responses(StartResponses),
)]
pub(crate) async fn start(request: StartRequest<ProcessPaymentInput>) -> Result<Response> {
    let id = workflow_id::payment(&request.input().order_id);
    request.start(id).await
}

/// How the payment of an order stands.
#[utoipa::path(
    get, path = "/api/v1/payments/{orderId}", tag = "payments",
    params(("orderId" = String, Path, description = "The order")),
    responses((status = 200, description = "How it stands", body = WorkflowState)),
)]
pub(crate) async fn status(
    State(api): State<ApiState>,
    caller: Caller,
    Path(order): Path<String>,
) -> Result<Json<WorkflowState>> {
    let id = payment_id(order)?;
    show(&api, &caller, &id).await
}

/// Call a payment off.
///
/// Before the charge nothing is taken, after it the money goes back. Counts until the end.
#[utoipa::path(
    post, path = "/api/v1/payments/{orderId}/cancel", tag = "payments",
    params(("orderId" = String, Path, description = "The order")),
    request_body = ReasonBody,
    responses((status = 202, description = "It was told so")),
)]
pub(crate) async fn cancel(
    State(api): State<ApiState>,
    caller: Caller,
    Path(order): Path<String>,
    body: Body<ReasonBody>,
) -> Result<StatusCode> {
    tell(
        &api,
        &caller,
        &payment_id(order)?,
        "cancelPayment",
        body.value,
    )
    .await
}

/// Try a declined payment again, while it waits for that.
#[utoipa::path(
    post, path = "/api/v1/payments/{orderId}/retry", tag = "payments",
    params(("orderId" = String, Path, description = "The order")),
    request_body = ReasonBody,
    responses((status = 202, description = "It was told so")),
)]
pub(crate) async fn retry(
    State(api): State<ApiState>,
    caller: Caller,
    Path(order): Path<String>,
    body: Body<ReasonBody>,
) -> Result<StatusCode> {
    tell(
        &api,
        &caller,
        &payment_id(order)?,
        "retryPayment",
        body.value,
    )
    .await
}

/// Whether this is an amount of the currency.
pub(super) fn check_amount(amount: Amount, currency: Currency) -> std::result::Result<(), String> {
    let money = Money::from_amount(amount, currency);
    money.map(drop).map_err(|error| format!("amount: {error}"))
}

fn payment_id(order: String) -> Result<String> {
    let order =
        OrderId::parse(order).map_err(|error| ApiError::field("orderId", error.to_string()))?;
    Ok(workflow_id::payment(&order))
}
