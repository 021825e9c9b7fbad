//! What the payment domain does, one file a group of activities.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod due;
pub mod fulfillment;
pub mod gateway;
pub mod inventory;
pub mod order;
pub mod subscription;
pub mod validation;

use serde::{Deserialize, Serialize};

/// The answer of the activities that only do something to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderResult {
    /// Always true: what could not be done is a failure.
    pub success: bool,
    /// Which order.
    pub order_id: String,
}

impl OrderResult {
    /// Done for this order.
    pub fn done(order_id: impl Into<String>) -> Self {
        Self {
            success: true,
            order_id: order_id.into(),
        }
    }
}
