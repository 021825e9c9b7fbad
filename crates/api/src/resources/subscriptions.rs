//! Payments of subscriptions, period by period.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use partner_core::ids::SubscriptionId;
use partner_core::money::Money;
use partner_core::workflow_id;
use partner_payment::workflows::subscription_payment::SubscriptionPaymentInput;

use super::payments::ReasonBody;
use super::signal;
use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::extract::{Body, IdempotencyKey, Path, Query};
use crate::progress::{WorkflowState, state};
use crate::start::{Start, Started, WaitQuery, start as begin};
use crate::state::ApiState;
use crate::visibility::find;

impl Start for SubscriptionPaymentInput {
    const WORKFLOW: &'static str = "subscriptionPaymentWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }

    fn check(&self) -> std::result::Result<(), String> {
        let money = Money::from_amount(self.amount, self.currency);
        money.map(drop).map_err(|error| format!("amount: {error}"))
    }
}

/// Collect the payment of a subscription's period.
///
/// The period is named by its first day. A period is charged once, whoever asks and how often; which
/// period is due is on record, the name only tells apart who asks for which.
#[utoipa::path(
    post, path = "/api/v1/subscriptions/{subscriptionId}/payments/{period}", tag = "subscriptions",
    request_body = SubscriptionPaymentInput,
    params(
        ("subscriptionId" = String, Path, description = "The subscription, as in the body"),
        ("period" = NaiveDate, Path, description = "The first day of the period"),
        WaitQuery,
    ),
    responses(
        (status = 200, description = "It has ended within the wait", body = WorkflowState),
        (status = 202, description = "It is under way", body = Started),
    ),
)]
pub(crate) async fn start(
    State(api): State<ApiState>,
    caller: Caller,
    key: IdempotencyKey,
    Path((subscription, period)): Path<(String, String)>,
    Query(wait): Query<WaitQuery>,
    body: Body<SubscriptionPaymentInput>,
) -> Result<Response> {
    let id = payment_id(&subscription, &period)?;
    if body.value.subscription_id.as_str() != subscription {
        let message = format!("expected {subscription:?}, as in the path");
        return Err(ApiError::field("subscriptionId", message));
    }
    begin(&api, &caller, &body, id, key, wait).await
}

/// How the payment of a subscription's period stands.
#[utoipa::path(
    get, path = "/api/v1/subscriptions/{subscriptionId}/payments/{period}", tag = "subscriptions",
    params(
        ("subscriptionId" = String, Path, description = "The subscription"),
        ("period" = NaiveDate, Path, description = "The first day of the period"),
    ),
    responses((status = 200, description = "How it stands", body = WorkflowState)),
)]
pub(crate) async fn status(
    State(api): State<ApiState>,
    caller: Caller,
    Path((subscription, period)): Path<(String, String)>,
) -> Result<Json<WorkflowState>> {
    caller.require(Scope::Read)?;
    let id = payment_id(&subscription, &period)?;
    find(&api, &caller, &id).await?;
    Ok(Json(state(&api, &id).await?))
}

/// Call the payment of a subscription's period off.
#[utoipa::path(
    post, path = "/api/v1/subscriptions/{subscriptionId}/payments/{period}/cancel", tag = "subscriptions",
    params(
        ("subscriptionId" = String, Path, description = "The subscription"),
        ("period" = NaiveDate, Path, description = "The first day of the period"),
    ),
    request_body = ReasonBody,
    responses((status = 202, description = "It was told so")),
)]
pub(crate) async fn cancel(
    State(api): State<ApiState>,
    caller: Caller,
    Path((subscription, period)): Path<(String, String)>,
    body: Body<ReasonBody>,
) -> Result<StatusCode> {
    caller.require(Scope::Write)?;
    let id = payment_id(&subscription, &period)?;
    find(&api, &caller, &id).await?;
    signal(&api, &id, "cancelPayment", &body.value.payload()).await?;
    Ok(StatusCode::ACCEPTED)
}

fn payment_id(subscription: &str, period: &str) -> Result<String> {
    let subscription = SubscriptionId::parse(subscription)
        .map_err(|error| ApiError::field("subscriptionId", error.to_string()))?;
    let period: NaiveDate = period
        .parse()
        .map_err(|_| ApiError::field("period", "expected a day, such as 2026-12-01"))?;
    Ok(workflow_id::subscription_payment(
        &subscription,
        &period.to_string(),
    ))
}
