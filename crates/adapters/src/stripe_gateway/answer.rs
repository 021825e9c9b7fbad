//! An answer of Stripe, before anyone knows whether it is good news.

use partner_core::ports::payment_gateway::{GatewayError, GatewayPayment};
use reqwest::{Response, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use std::time::Duration;

use super::{errors, wire};
use crate::http;

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// Stripe's name for the call, by which its support finds it.
    pub(super) request_id: Option<String>,
    pub(super) body: String,
}

impl Answer {
    /// Reads the answer to its end; half of one is none.
    pub(super) async fn read(
        response: Response,
        api_key: &SecretString,
    ) -> Result<Self, GatewayError> {
        let status = response.status();
        let retry_after = http::retry_after(response.headers());
        let request_id = response
            .headers()
            .get("request-id")
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let body = response.text().await.map_err(errors::not_answered)?;
        Ok(Self {
            status,
            retry_after,
            request_id,
            // Errors repeat the body's words, and must not repeat the key if those do.
            body: http::redact(body, api_key),
        })
    }

    /// What the answer says, if it is a success.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, GatewayError> {
        if !self.status.is_success() {
            return Err(errors::refusal(self));
        }
        serde_json::from_str(&self.body).map_err(|error| {
            GatewayError::Unreadable(format!("status {}: {error}", self.status.as_u16()))
        })
    }

    /// The payment that the answer describes, if it is a success.
    pub(super) fn payment(&self) -> Result<GatewayPayment, GatewayError> {
        self.parse::<wire::PaymentIntent>()?.into_payment()
    }

    /// The issuer's refusal, if this is one.
    pub(super) fn decline(&self) -> Option<wire::Decline> {
        if self.status != StatusCode::PAYMENT_REQUIRED {
            return None;
        }
        self.error().and_then(wire::ApiError::into_decline)
    }

    /// The error that Stripe describes, if the body is one.
    pub(super) fn error(&self) -> Option<wire::ApiError> {
        serde_json::from_str::<wire::ErrorBody>(&self.body)
            .ok()
            .map(|body| body.error)
    }
}
