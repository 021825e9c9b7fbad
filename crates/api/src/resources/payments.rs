//! Payments of orders.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use partner_core::ids::OrderId;
use partner_core::money::Money;
use partner_core::workflow_id;
use partner_payment::workflows::process_payment::ProcessPaymentInput;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::signal;
use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::extract::{Body, IdempotencyKey, Path, Query};
use crate::progress::{WorkflowState, state};
use crate::start::{Start, Started, WaitQuery, start as begin};
use crate::state::ApiState;
use crate::visibility::find;

impl Start for ProcessPaymentInput {
    const WORKFLOW: &'static str = "processPaymentWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }

    fn check(&self) -> std::result::Result<(), String> {
        // The money's own message begins with the field's name.
        let money = Money::from_amount(self.amount, self.currency);
        money.map(drop).map_err(|error| format!("amount: {error}"))
    }
}

/// Why something is cancelled, or tried again.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub(crate) struct ReasonBody {
    /// For whoever looks at it later.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub(crate) reason: Option<String>,
}

impl ReasonBody {
    /// The signal's payload: a text, or nothing.
    pub(crate) fn payload(&self) -> Value {
        self.reason.clone().map_or(Value::Null, Value::String)
    }
}

/// Collect the payment of an order.
///
/// Stock is reserved, the buyer is charged once, the order is marked as paid; whatever fails is undone.
/// One order is one payment: asked for again, the same workflow answers, unless it failed.
#[utoipa::path(
    post, path = "/api/v1/payments", tag = "payments",
    request_body = ProcessPaymentInput, params(WaitQuery),
    responses(
        (status = 200, description = "It has ended within the wait", body = WorkflowState),
        (status = 202, description = "It is under way", body = Started),
    ),
)]
pub(crate) async fn start(
    State(api): State<ApiState>,
    caller: Caller,
    key: IdempotencyKey,
    Query(wait): Query<WaitQuery>,
    body: Body<ProcessPaymentInput>,
) -> Result<Response> {
    let id = workflow_id::payment(&body.value.order_id);
    begin(&api, &caller, &body, id, key, wait).await
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
    caller.require(Scope::Read)?;
    let id = payment_id(order)?;
    find(&api, &caller, &id).await?;
    Ok(Json(state(&api, &id).await?))
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
    tell(&api, &caller, order, "cancelPayment", &body.value).await
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
    tell(&api, &caller, order, "retryPayment", &body.value).await
}

async fn tell(
    api: &ApiState,
    caller: &Caller,
    order: String,
    name: &str,
    body: &ReasonBody,
) -> Result<StatusCode> {
    caller.require(Scope::Write)?;
    let id = payment_id(order)?;
    find(api, caller, &id).await?;
    signal(api, &id, name, &body.payload()).await?;
    Ok(StatusCode::ACCEPTED)
}

fn payment_id(order: String) -> Result<String> {
    let order =
        OrderId::parse(order).map_err(|error| ApiError::field("orderId", error.to_string()))?;
    Ok(workflow_id::payment(&order))
}
