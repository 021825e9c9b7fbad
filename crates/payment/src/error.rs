//! What can go wrong while collecting a payment, and whether trying again can help.

use std::time::Duration;

use partner_core::client::ClientError;
use partner_core::database::DatabaseError;
use partner_core::error::{ErrorCode, Failure};
use partner_core::ports::fulfillment::FulfillmentError;
use partner_core::ports::payment_gateway::GatewayError;

use crate::model::{ChargeState, OrderStatus, SubscriptionStatus};

/// An error of the payment domain.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The input breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// No such order.
    #[error("order {0} does not exist")]
    OrderNotFound(String),
    /// No such subscription.
    #[error("subscription {0} does not exist")]
    SubscriptionNotFound(String),
    /// The order's state machine has no such step.
    #[error("order {order} is {from}, it cannot become {to}")]
    IllegalTransition {
        /// Which order.
        order: String,
        /// What it is.
        from: OrderStatus,
        /// What it should have become.
        to: OrderStatus,
    },
    /// The subscription ended; nothing comes back from there.
    #[error("subscription {subscription} is {from}, it cannot become {to}")]
    SubscriptionEnded {
        /// Which subscription.
        subscription: String,
        /// What it is.
        from: SubscriptionStatus,
        /// What it should have become.
        to: SubscriptionStatus,
    },
    /// The order would be marked paid without a charge, or unpaid with one.
    #[error("order {order} cannot become {to}: {reason}")]
    LedgerDisagrees {
        /// Which order.
        order: String,
        /// What it should have become.
        to: OrderStatus,
        /// What the charge ledger says.
        reason: String,
    },
    /// Not enough stock.
    #[error("not enough stock of {sku}: {wanted} wanted, {available} available")]
    OutOfStock {
        /// Which article.
        sku: String,
        /// How many were wanted.
        wanted: i32,
        /// How many are free.
        available: i32,
    },
    /// The purpose was already charged with other parameters.
    #[error("the charge was made with other parameters before: {0}")]
    ChargeParametersChanged(String),
    /// The charge was cancelled or refunded; the same attempt is never charged again.
    #[error("the charge of {subject}, attempt {attempt}, is {state}; pay with a new attempt")]
    ChargeClosed {
        /// What was paid for.
        subject: String,
        /// Which attempt.
        attempt: u32,
        /// What became of it.
        state: ChargeState,
    },
    /// Another attempt holds the money, or may yet take it.
    #[error("attempt {attempt} of {subject} is {state}: it must be settled before a new attempt")]
    EarlierAttemptStands {
        /// What is paid for.
        subject: String,
        /// Which attempt.
        attempt: u32,
        /// How it stands.
        state: ChargeState,
    },
    /// The gateway has not decided yet.
    #[error("the gateway is still processing the charge")]
    StillProcessing,
    /// Another process changed the charge at the same moment.
    #[error("the charge was changed at the same moment by another process")]
    ConcurrentChange,
    /// The gateway's error.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The fulfilment service's error.
    #[error(transparent)]
    Fulfillment(#[from] FulfillmentError),
    /// Temporal could not be used.
    #[error("the payment's workflow could not be started")]
    Temporal(#[from] ClientError),
    /// PostgreSQL's error.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for PaymentError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for PaymentError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_)
            | Self::OrderNotFound(_)
            | Self::SubscriptionNotFound(_)
            | Self::IllegalTransition { .. }
            | Self::SubscriptionEnded { .. }
            | Self::LedgerDisagrees { .. }
            | Self::ChargeParametersChanged(_) => ErrorCode::ValidationError,
            Self::OutOfStock { .. } => ErrorCode::InventoryUnavailable,
            Self::ChargeClosed { .. } | Self::EarlierAttemptStands { .. } => {
                ErrorCode::PaymentFailed
            }
            Self::StillProcessing | Self::ConcurrentChange => ErrorCode::GatewayError,
            Self::Temporal(_) => ErrorCode::ExternalServiceError,
            Self::Gateway(error) => error.code(),
            Self::Fulfillment(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::OrderNotFound(_)
            | Self::SubscriptionNotFound(_)
            | Self::IllegalTransition { .. }
            | Self::SubscriptionEnded { .. }
            | Self::LedgerDisagrees { .. }
            | Self::OutOfStock { .. }
            | Self::ChargeParametersChanged(_)
            | Self::ChargeClosed { .. }
            | Self::EarlierAttemptStands { .. } => false,
            Self::StillProcessing | Self::ConcurrentChange | Self::Temporal(_) => true,
            Self::Gateway(error) => error.is_retryable(),
            Self::Fulfillment(error) => error.is_retryable(),
            Self::Database(error) => error.is_retryable(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Gateway(error) => error.retry_after(),
            _ => None,
        }
    }
}
