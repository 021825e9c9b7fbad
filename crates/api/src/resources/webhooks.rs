//! What other systems tell by themselves. They have no credentials of ours: they sign what they send.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{Datelike as _, Utc};
use partner_adapters::WebhookError;
use partner_payment::gateway_events::{Errand, EventOutcome, GatewayEvent, Received};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Result};
use crate::extract::RawBody;
use crate::state::ApiState;

/// That an event was taken, and need not be sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Taken {
    /// What became of it: `told`, `restarted`, `known`, `recorded`, `unknown` or `contradicts`.
    #[schema(value_type = String)]
    outcome: EventOutcome,
}

/// Take what the payment gateway tells. It signs with `gateway.webhook_secret`, and sends an event
/// again until it is answered with 200: each is handed to the workflow that it is about.
#[utoipa::path(
    post, path = "/api/v1/webhooks/gateway", tag = "webhooks", security(()),
    params(("Stripe-Signature" = String, Header, description = "When it was signed, and the signature: `t=...,v1=...`")),
    request_body(content = Object, description = "The event, as the gateway writes it"),
    responses((status = 200, description = "It was taken", body = Taken)),
)]
pub(crate) async fn gateway(
    State(api): State<ApiState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Taken>> {
    let event = verified(&api, &headers, &body)?;
    let outcome = match api.within(api.gateway_events.receive(&event)).await? {
        Received::Settled(outcome) => outcome,
        Received::Open(errand) => hand_over(&api, &event, errand).await?,
    };
    Ok(Json(Taken { outcome }))
}

/// Lets the workflow hear of an event; one that was ended before its work was is started anew.
async fn hand_over(api: &ApiState, event: &GatewayEvent, errand: Errand) -> Result<EventOutcome> {
    let told = api.temporal.ask(async |client| errand.tell(client).await);
    let (errand, outcome) = if told.await? {
        (errand, EventOutcome::Told)
    } else {
        match api.within(api.gateway_events.look(event)).await? {
            Received::Settled(outcome) => return Ok(outcome),
            Received::Open(errand) => {
                let restarted = api
                    .temporal
                    .ask(async |client| errand.restart(client).await);
                let outcome = restarted.await?;
                (errand, outcome)
            }
        }
    };
    api.within(api.gateway_events.done(&errand, outcome))
        .await?;
    Ok(outcome)
}

/// The longest id, kind or payment's id of an event that is kept: longer than any that the gateway gives.
const LONGEST: usize = 255;

/// Whether the database can keep what an event says.
fn can_be_kept(event: &GatewayEvent) -> bool {
    let payment = event.payment_id.as_deref().unwrap_or("-");
    let texts = [&*event.id, &*event.kind, payment];
    let fits = |text: &str| (1..=LONGEST).contains(&text.len()) && !text.contains('\0');
    texts.into_iter().all(fits) && (1..=9_999).contains(&event.happened_at.year())
}

/// The event, if the gateway surely sent it.
fn verified(api: &ApiState, headers: &HeaderMap, body: &Bytes) -> Result<GatewayEvent> {
    let webhook = api.gateway_webhook.as_ref().ok_or_else(|| {
        ApiError::NotFound("no events are taken here: gateway.webhook_secret is not set".to_owned())
    })?;
    let signature = headers
        .get("stripe-signature")
        .and_then(|signature| signature.to_str().ok())
        .unwrap_or_default();
    let event = webhook
        .verify(signature, body, now())
        .map_err(|error| match error {
            WebhookError::Body(_) => ApiError::field("", error.to_string()),
            error => ApiError::field("Stripe-Signature", error.to_string()),
        })?;
    let event = GatewayEvent {
        id: event.id,
        kind: event.kind,
        happened_at: event.created,
        payment_id: event.payment_id,
        status: event.status,
    };
    if can_be_kept(&event) {
        return Ok(event);
    }
    Err(ApiError::field(
        "",
        "the event's id, type, time or payment is none of the gateway's",
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how old a signature is, is about real time"
)]
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}
