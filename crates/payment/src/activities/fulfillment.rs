//! `triggerFulfillment` and its undo, `cancelFulfillment`.

use std::sync::Arc;

use partner_core::error::{activity_error, undo_error};
use partner_core::heartbeat::with_heartbeat;
use partner_core::ports::fulfillment::{Fulfillment, FulfillmentRequest};
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::OrderResult;
use crate::error::PaymentError;
use crate::repository::OrderRepository;

/// Which order to hand over, or not to hand over after all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FulfillmentInput {
    /// The order.
    pub order_id: String,
}

/// The activities' dependencies.
pub struct FulfillmentActivities {
    /// The orders.
    pub orders: OrderRepository,
    /// Whoever hands them over.
    pub fulfillment: Arc<dyn Fulfillment>,
}

#[activities]
impl FulfillmentActivities {
    /// Asks for a paid order to be handed over.
    #[activity(name = "triggerFulfillment")]
    pub async fn trigger_fulfillment(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<FulfillmentInput>,
    ) -> Result<OrderResult, ActivityError> {
        with_heartbeat(&ctx, self.trigger(input)).await
    }

    /// Takes it back. An undo step: it never gives up.
    #[activity(name = "cancelFulfillment")]
    pub async fn cancel_fulfillment(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<FulfillmentInput>,
    ) -> Result<OrderResult, ActivityError> {
        with_heartbeat(&ctx, self.cancel(input)).await
    }
}

impl FulfillmentActivities {
    /// `triggerFulfillment` without a worker around it.
    pub async fn trigger(
        &self,
        input: Wire<FulfillmentInput>,
    ) -> Result<OrderResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.hand_over(&input.order_id)
            .await
            .map_err(activity_error)?;
        Ok(OrderResult::done(input.order_id))
    }

    /// `cancelFulfillment` without a worker around it.
    pub async fn cancel(
        &self,
        input: Wire<FulfillmentInput>,
    ) -> Result<OrderResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.fulfillment
            .cancel(&input.order_id)
            .await
            .map_err(undo_error)?;
        Ok(OrderResult::done(input.order_id))
    }

    async fn hand_over(&self, order_id: &str) -> Result<(), PaymentError> {
        let order = self
            .orders
            .lookup(order_id)
            .await?
            .ok_or_else(|| PaymentError::OrderNotFound(order_id.to_owned()))?;
        if !order.status.is_paid() {
            return Err(PaymentError::Invalid(format!(
                "order {order_id} is {}, only a paid order is handed over",
                order.status
            )));
        }
        let request = FulfillmentRequest {
            items: self.orders.items(order_id).await?,
            order_id: order.id,
            user_id: order.user_id,
        };
        self.fulfillment.request(&request).await?;
        Ok(())
    }
}
