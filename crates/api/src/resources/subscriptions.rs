//! Payments of subscriptions, period by period.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use partner_core::ids::SubscriptionId;
use partner_core::workflow_id;
use partner_payment::workflows::subscription_payment::SubscriptionPaymentInput;

use super::payments::check_amount;
use super::{ReasonBody, show, tell};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Body, Path};
use crate::progress::WorkflowState;
use crate::start::{Start, StartRequest, StartResponses, WaitQuery};
use crate::state::ApiState;

impl Start for SubscriptionPaymentInput {
    const WORKFLOW: &'static str = "subscriptionPaymentWorkflow";

    fn user(&self) -> Option<&str> {
        Some(self.user_id.as_str())
    }

    fn check(&self) -> std::result::Result<(), String> {
        check_amount(self.amount, self.currency)
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
    responses(StartResponses),
)]
pub(crate) async fn start(
    Path((subscription, period)): Path<(String, String)>,
    request: StartRequest<SubscriptionPaymentInput>,
) -> Result<Response> {
    let id = payment_id(&subscription, &period)?;
    if request.input().subscription_id.as_str() != subscription {
        let message = format!("expected {subscription:?}, as in the path");
        return Err(ApiError::field("subscriptionId", message));
    }
    request.start(id).await
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
    let id = payment_id(&subscription, &period)?;
    show(&api, &caller, &id).await
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
    let id = payment_id(&subscription, &period)?;
    tell(&api, &caller, &id, "cancelPayment", body.value).await
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
