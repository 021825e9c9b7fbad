//! The fulfilment service: whoever hands the goods over once an order is paid.

use async_trait::async_trait;

use crate::error::{ErrorCode, Failure};

/// What is to be handed over. The order id is the request's idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FulfillmentRequest {
    /// The paid order.
    pub order_id: String,
    /// The buyer.
    pub user_id: String,
    /// What to hand over.
    pub items: Vec<FulfillmentItem>,
}

/// One line of a fulfilment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FulfillmentItem {
    /// The stock keeping unit.
    pub sku: String,
    /// How many.
    pub quantity: i32,
}

/// Asks for goods to be handed over, and takes it back.
#[async_trait]
pub trait Fulfillment: Send + Sync {
    /// Asks for an order to be fulfilled; asking again for the same order changes nothing.
    async fn request(&self, request: &FulfillmentRequest) -> Result<(), FulfillmentError>;

    /// Takes the request for an order back; an order that was never asked for is fine.
    async fn cancel(&self, order_id: &str) -> Result<(), FulfillmentError>;
}

/// Why a call to the fulfilment service failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FulfillmentError {
    /// No answer: whether it took effect is not known.
    #[error("fulfilment service gave no answer: {0}")]
    NoAnswer(String),
    /// It failed (5xx, 429): whether it took effect is not known.
    #[error("fulfilment service failed with status {status}: {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It refused for good (other 4xx): nothing was done.
    #[error("fulfilment service refused the order with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
}

impl Failure for FulfillmentError {
    fn code(&self) -> ErrorCode {
        ErrorCode::ExternalServiceError
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Unavailable { .. } => true,
            Self::Refused { .. } => false,
        }
    }
}
