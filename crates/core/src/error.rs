//! The contract's error codes, and the one mapping from our errors to Temporal's failures.
//!
//! Every error enum of the workspace implements [`Failure`]: each variant says which code it
//! carries and whether trying again can help. Activities end in [`activity_error`], workflows in
//! [`workflow_failure`]; nothing else builds a Temporal failure.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

/// The failure `type` that callers match on. The spellings are part of the wire contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The input breaks a rule; the message names the field and the remedy.
    ValidationError,
    /// The payment was declined, or refused for good.
    PaymentFailed,
    /// Not enough stock, or the reservation is gone.
    InventoryUnavailable,
    /// The payment gateway could not be used.
    GatewayError,
    /// PostgreSQL could not be used.
    DatabaseError,
    /// Another external system could not be used.
    ExternalServiceError,
    /// Something took longer than it may.
    Timeout,
    /// A person or a service asked for it to stop.
    Cancelled,
    /// None of the others; always a defect worth reporting.
    Unknown,
}

impl ErrorCode {
    /// Every code of the contract, in its order.
    pub const ALL: [Self; 9] = [
        Self::ValidationError,
        Self::PaymentFailed,
        Self::InventoryUnavailable,
        Self::GatewayError,
        Self::DatabaseError,
        Self::ExternalServiceError,
        Self::Timeout,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The spelling on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidationError => "VALIDATION_ERROR",
            Self::PaymentFailed => "PAYMENT_FAILED",
            Self::InventoryUnavailable => "INVENTORY_UNAVAILABLE",
            Self::GatewayError => "GATEWAY_ERROR",
            Self::DatabaseError => "DATABASE_ERROR",
            Self::ExternalServiceError => "EXTERNAL_SERVICE_ERROR",
            Self::Timeout => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The code with this spelling; any other spelling is [`ErrorCode::Unknown`].
    pub fn from_wire(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error that knows its code and whether trying again can help.
pub trait Failure: std::error::Error + Send + Sync + 'static {
    /// The contract's code: Temporal's failure `type`.
    fn code(&self) -> ErrorCode;

    /// Whether another attempt can succeed without anyone changing anything.
    fn is_retryable(&self) -> bool;

    /// How long the other side asks us to wait before the next attempt.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// Maps an error to the failure that Temporal records: code, retry decision, delay, whole message.
pub fn activity_error(error: impl Failure) -> ActivityError {
    let non_retryable = !error.is_retryable();
    to_activity_error(&error, non_retryable)
}

/// Maps an error to a failure that is always tried again: for undo steps, which never give up.
pub fn undo_error(error: impl Failure) -> ActivityError {
    tracing::error!(
        error.code = %error.code(),
        error = %chain(&error),
        "undo failed, it will be tried again"
    );
    to_activity_error(&error, false)
}

fn to_activity_error(error: &impl Failure, non_retryable: bool) -> ActivityError {
    let failure = ApplicationFailure::builder(chain(error))
        .type_name(error.code().as_str().to_owned())
        .non_retryable(non_retryable)
        .maybe_next_retry_delay(error.retry_after())
        .build();
    ActivityError::Application(Box::new(failure))
}

/// The failure that ends a workflow: `type` is the code, never retried.
pub fn workflow_failure(code: ErrorCode, message: impl Into<String>) -> ApplicationFailure {
    ApplicationFailure::builder(message.into())
        .type_name(code.as_str().to_owned())
        .non_retryable(true)
        .build()
}

/// The message with those of its causes: Temporal keeps text, not Rust errors.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_survive_the_way_there_and_back() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_wire(code.as_str()), code);
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
        }
        assert_eq!(ErrorCode::from_wire("anything"), ErrorCode::Unknown);
    }
}
