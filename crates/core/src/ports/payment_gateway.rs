//! The payment gateway: where the money is.
//!
//! The vocabulary is that of a payment intent: it is *created* (no money moves), *confirmed* (the
//! charge), and later *cancelled* or *refunded*. Creating and confirming are two calls on purpose:
//! the intent's id is written down before anything is charged, so that a charge whose answer was
//! lost is always found again by id, for as long as the gateway keeps its books.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{ErrorCode, Failure};
use crate::money::Money;

/// How the buyer pays; the spellings are part of the wire contract.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PaymentMethod {
    /// A credit or debit card.
    Card,
    /// India's Unified Payments Interface.
    Upi,
    /// A stored-value wallet.
    Wallet,
}

impl PaymentMethod {
    /// Every method of the contract.
    pub const ALL: [Self; 3] = [Self::Card, Self::Upi, Self::Wallet];

    /// The spelling on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Upi => "upi",
            Self::Wallet => "wallet",
        }
    }
}

/// What a payment is for; the gateway stores it, for people who look there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentSubject {
    /// An order.
    Order {
        /// Its id.
        order_id: String,
    },
    /// A period of a subscription.
    Subscription {
        /// Its id.
        subscription_id: String,
        /// The period's first day, `2026-01-31`.
        period: String,
    },
}

/// What a user pays with, as the gateway has it on file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMethod {
    /// The gateway's id of the user, where it wants one with every charge.
    pub customer: Option<String>,
    /// The gateway's id of the method.
    pub id: String,
}

impl StoredMethod {
    /// Reads `customer/method`, or the method alone.
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            Some((customer, id)) => Self {
                customer: Some(customer.to_owned()),
                id: id.to_owned(),
            },
            None => Self {
                customer: None,
                id: text.to_owned(),
            },
        }
    }
}

/// Whether the user takes part in a charge, and could be asked for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// They are checking out.
    Present,
    /// They agreed before, and are elsewhere: recurring billing.
    Absent,
}

/// What an intent is created with.
#[derive(Debug, Clone)]
pub struct NewPayment {
    /// Our own reference, unique per charge; the gateway stores it and finds the payment by it.
    pub reference: String,
    /// Sent as the gateway's idempotency key: the same key and parameters replay one answer.
    pub idempotency_key: String,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: PaymentMethod,
    /// The buyer, as the platform knows them.
    pub user_id: String,
    /// What the user pays with, if it is on file at the gateway; otherwise the configured id of
    /// `method` is used.
    pub stored_method: Option<StoredMethod>,
    /// What is paid for.
    pub subject: PaymentSubject,
}

/// A payment as the gateway has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayPayment {
    /// The gateway's id.
    pub id: String,
    /// Our reference, if it was stored.
    pub reference: Option<String>,
    /// How much was asked for.
    pub amount: Money,
    /// How much of it went back to the buyer.
    pub refunded: Money,
    /// How far it is.
    pub state: PaymentState,
}

/// How far a payment is at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentState {
    /// Created, never charged.
    RequiresConfirmation,
    /// Charging; the answer is not known yet.
    Processing,
    /// Authorised, waiting for capture.
    RequiresCapture,
    /// Charged.
    Succeeded,
    /// Declined by the issuer: `code` is the gateway's own.
    Declined {
        /// The gateway's code, such as `insufficient_funds`.
        code: String,
        /// The gateway's words.
        message: String,
    },
    /// Cancelled before it was charged; it can never be charged any more.
    Canceled,
}

/// A refund as the gateway has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRefund {
    /// The gateway's id.
    pub id: String,
    /// How much went back.
    pub amount: Money,
}

/// The gateway's side of a charge. Every call that changes something takes an idempotency key.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// Creates an intent. No money moves.
    async fn create_payment(&self, payment: &NewPayment) -> Result<GatewayPayment, GatewayError>;

    /// Charges an intent. A decline is a [`PaymentState::Declined`], not an error.
    async fn confirm_payment(
        &self,
        id: &str,
        presence: Presence,
        key: &str,
    ) -> Result<GatewayPayment, GatewayError>;

    /// Captures an authorised payment, wholly or in part.
    async fn capture_payment(
        &self,
        id: &str,
        amount: Option<Money>,
        key: &str,
    ) -> Result<GatewayPayment, GatewayError>;

    /// Cancels a payment that is not charged, so that it can never be.
    async fn cancel_payment(&self, id: &str, key: &str) -> Result<GatewayPayment, GatewayError>;

    /// Gives back `amount` of a charged payment.
    async fn refund_payment(
        &self,
        id: &str,
        amount: Money,
        key: &str,
    ) -> Result<GatewayRefund, GatewayError>;

    /// The payment with this id, as it is now.
    async fn retrieve_payment(&self, id: &str) -> Result<GatewayPayment, GatewayError>;

    /// The payment with our reference, if the gateway has one.
    async fn find_payment(&self, reference: &str) -> Result<Option<GatewayPayment>, GatewayError>;
}

/// Why a call to the gateway failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GatewayError {
    /// No answer, or half of one: whether the call took effect is not known.
    #[error("payment gateway gave no answer, the outcome is unknown: {0}")]
    NoAnswer(String),
    /// The gateway failed (5xx): whether the call took effect is not known.
    #[error("payment gateway failed with status {status}, the outcome is unknown: {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// The gateway's words.
        message: String,
    },
    /// Too many calls (429): nothing was done.
    #[error("payment gateway asks to slow down")]
    RateLimited {
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// Another call with the same key is under way (409): its outcome is not known yet.
    #[error("payment gateway is still working on the same call")]
    InProgress,
    /// The same idempotency key came with other parameters: nothing was done.
    #[error("payment gateway refused a reused idempotency key: {0}")]
    IdempotencyConflict(String),
    /// The credentials are wrong (401, 403): nothing was done.
    #[error("payment gateway refused the credentials: {0}")]
    Unauthorized(String),
    /// No such payment (404).
    #[error("payment gateway has no such payment: {0}")]
    NotFound(String),
    /// The payment's state forbids the call (such as confirming twice): nothing was done.
    #[error("payment gateway refused the call in the payment's state ({code}): {message}")]
    UnexpectedState {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        message: String,
    },
    /// The gateway refused the request (other 4xx): nothing was done.
    #[error("payment gateway refused the request ({code}): {message}")]
    Refused {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        message: String,
    },
    /// The answer is not what the gateway documents: the outcome is not known.
    #[error("payment gateway answered something unreadable: {0}")]
    Unreadable(String),
}

impl GatewayError {
    /// Whether the call may have taken effect all the same.
    pub const fn outcome_is_unknown(&self) -> bool {
        matches!(
            self,
            Self::NoAnswer(_) | Self::Unavailable { .. } | Self::InProgress | Self::Unreadable(_)
        )
    }
}

impl Failure for GatewayError {
    fn code(&self) -> ErrorCode {
        ErrorCode::GatewayError
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::NoAnswer(_)
            | Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::InProgress
            | Self::Unreadable(_) => true,
            Self::IdempotencyConflict(_)
            | Self::Unauthorized(_)
            | Self::NotFound(_)
            | Self::UnexpectedState { .. }
            | Self::Refused { .. } => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }
}
