//! `reserveInventory` and `releaseInventory`: the stock of an order.

use std::sync::Arc;
use std::time::Duration;

use partner_core::error::{activity_error, undo_error};
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::OrderResult;
use crate::error::PaymentError;
use crate::repository::InventoryRepository;

/// Whose stock to reserve.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveInventoryInput {
    /// The order.
    pub order_id: String,
    /// The buyer.
    pub user_id: String,
}

/// Whose stock to give back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseInventoryInput {
    /// The order.
    pub order_id: String,
}

/// How much to take back at once.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpireReservationsInput {
    /// Of how many articles at most; 200 if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpireReservationsResult {
    /// How many reservations.
    pub reservations: u64,
    /// Of how many articles.
    pub articles: u64,
    /// Whether more may have expired.
    pub more: bool,
}

/// The activities' dependencies.
pub struct InventoryActivities {
    /// The stock.
    pub inventory: InventoryRepository,
    /// How long stock stays reserved for an order that is not paid.
    pub reservation_ttl: Duration,
}

#[activities]
impl InventoryActivities {
    /// Reserves everything that an order needs, or fails with `INVENTORY_UNAVAILABLE`.
    #[activity(name = "reserveInventory")]
    pub async fn reserve_inventory(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<ReserveInventoryInput>,
    ) -> Result<OrderResult, ActivityError> {
        self.reserve(input).await
    }

    /// Gives back what an order holds or has taken. An undo step: it never gives up.
    #[activity(name = "releaseInventory")]
    pub async fn release_inventory(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<ReleaseInventoryInput>,
    ) -> Result<OrderResult, ActivityError> {
        self.release(input).await
    }

    /// Takes back what unpaid orders hold past their time.
    #[activity(name = "expireReservations")]
    pub async fn expire_reservations(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<ExpireReservationsInput>,
    ) -> Result<ExpireReservationsResult, ActivityError> {
        self.expire(input).await
    }
}

impl InventoryActivities {
    /// `reserveInventory` without a worker around it.
    pub async fn reserve(
        &self,
        input: Wire<ReserveInventoryInput>,
    ) -> Result<OrderResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.inventory
            .reserve(&input.order_id, self.reservation_ttl)
            .await
            .map_err(activity_error)?;
        Ok(OrderResult::done(input.order_id))
    }

    /// `expireReservations` without a worker around it.
    pub async fn expire(
        &self,
        input: Wire<ExpireReservationsInput>,
    ) -> Result<ExpireReservationsResult, ActivityError> {
        let limit = input.into_activity_input()?.limit.unwrap_or(200);
        if limit == 0 {
            let message = "limit: must be 1 or more".to_owned();
            return Err(activity_error(PaymentError::Invalid(message)));
        }
        self.take_back(limit).await.map_err(activity_error)
    }

    async fn take_back(&self, limit: u32) -> Result<ExpireReservationsResult, PaymentError> {
        let articles = self.inventory.articles_to_expire(limit).await?;
        let count = u64::try_from(articles.len()).unwrap_or(u64::MAX);
        let mut reservations = 0;
        // One transaction each: nobody waits for longer than one article takes.
        for article in &articles {
            reservations += self.inventory.expire_article(article).await?;
        }
        tracing::info!(reservations, articles = count, "reservations taken back");
        Ok(ExpireReservationsResult {
            reservations,
            articles: count,
            more: count >= u64::from(limit),
        })
    }

    /// `releaseInventory` without a worker around it.
    pub async fn release(
        &self,
        input: Wire<ReleaseInventoryInput>,
    ) -> Result<OrderResult, ActivityError> {
        let input = input.into_activity_input()?;
        match self.inventory.release(&input.order_id).await {
            // An order that does not exist holds nothing.
            Ok(()) | Err(PaymentError::OrderNotFound(_)) => Ok(OrderResult::done(input.order_id)),
            Err(error) => Err(undo_error(error)),
        }
    }
}
