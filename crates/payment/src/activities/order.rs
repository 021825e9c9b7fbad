//! `updateOrderStatus`: the order's state machine.

use std::sync::Arc;

use partner_core::error::activity_error;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::model::OrderStatus;
use crate::repository::OrderRepository;

/// What an order shall become.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateOrderStatusInput {
    /// The order.
    pub order_id: String,
    /// What it shall become.
    pub status: OrderStatus,
    /// The charge that paid for it; required for `paid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Why it is not paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// What it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateOrderStatusResult {
    /// Always true: a refused step is a failure.
    pub success: bool,
    /// The order.
    pub order_id: String,
    /// What it became.
    pub status: OrderStatus,
}

/// The activity's dependencies.
pub struct OrderActivities {
    /// The orders.
    pub orders: OrderRepository,
}

#[activities]
impl OrderActivities {
    /// Moves an order along its state machine, in step with the charge ledger.
    #[activity(name = "updateOrderStatus")]
    pub async fn update_order_status(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<UpdateOrderStatusInput>,
    ) -> Result<UpdateOrderStatusResult, ActivityError> {
        self.update(input).await
    }
}

impl OrderActivities {
    /// `updateOrderStatus` without a worker around it.
    pub async fn update(
        &self,
        input: Wire<UpdateOrderStatusInput>,
    ) -> Result<UpdateOrderStatusResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.orders
            .update_status(
                &input.order_id,
                input.status,
                input.transaction_id.as_deref(),
                input.error_message.as_deref(),
            )
            .await
            .map_err(activity_error)?;
        Ok(UpdateOrderStatusResult {
            success: true,
            order_id: input.order_id,
            status: input.status,
        })
    }
}
