//! `getSubscriptionDetails` and `updateSubscription`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use partner_core::error::activity_error;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::error::PaymentError;
use crate::model::SubscriptionStatus;
use crate::repository::{SubscriptionChanges, SubscriptionRepository};

/// Which subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetSubscriptionDetailsInput {
    /// The subscription.
    pub subscription_id: String,
}

/// What a billing run needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionDetails {
    /// The subscription.
    pub subscription_id: String,
    /// Whether it is billed.
    pub active: bool,
    /// How the user pays: `card`, `upi` or `wallet`.
    pub payment_method: String,
    /// Failed charges since the last that succeeded.
    pub failed_payment_count: i32,
}

/// What to change; what is missing stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSubscriptionInput {
    /// The subscription.
    pub subscription_id: String,
    /// When it was last paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_payment_date: Option<DateTime<Utc>>,
    /// When it is next due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_payment_date: Option<DateTime<Utc>>,
    /// How it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SubscriptionStatus>,
    /// Failed charges since the last that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_payment_count: Option<i32>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSubscriptionResult {
    /// Always true: what could not be done is a failure.
    pub success: bool,
    /// The subscription.
    pub subscription_id: String,
}

/// The activities' dependencies.
pub struct SubscriptionActivities {
    /// The subscriptions.
    pub subscriptions: SubscriptionRepository,
}

#[activities]
impl SubscriptionActivities {
    /// Reads a subscription.
    #[activity(name = "getSubscriptionDetails")]
    pub async fn get_subscription_details(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<GetSubscriptionDetailsInput>,
    ) -> Result<SubscriptionDetails, ActivityError> {
        self.details(input).await
    }

    /// Changes a subscription.
    #[activity(name = "updateSubscription")]
    pub async fn update_subscription(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<UpdateSubscriptionInput>,
    ) -> Result<UpdateSubscriptionResult, ActivityError> {
        self.update(input).await
    }
}

impl SubscriptionActivities {
    /// `getSubscriptionDetails` without a worker around it.
    pub async fn details(
        &self,
        input: Wire<GetSubscriptionDetailsInput>,
    ) -> Result<SubscriptionDetails, ActivityError> {
        let id = input.into_activity_input()?.subscription_id;
        let found = self
            .subscriptions
            .lookup(&id)
            .await
            .map_err(activity_error)?;
        let subscription =
            found.ok_or_else(|| activity_error(PaymentError::SubscriptionNotFound(id.clone())))?;
        Ok(SubscriptionDetails {
            subscription_id: id,
            active: subscription.status == SubscriptionStatus::Active,
            payment_method: subscription.payment_method,
            failed_payment_count: subscription.failed_payment_count,
        })
    }

    /// `updateSubscription` without a worker around it.
    pub async fn update(
        &self,
        input: Wire<UpdateSubscriptionInput>,
    ) -> Result<UpdateSubscriptionResult, ActivityError> {
        let input = input.into_activity_input()?;
        if input.failed_payment_count.is_some_and(i32::is_negative) {
            let message = "failedPaymentCount: must be 0 or more".to_owned();
            return Err(activity_error(PaymentError::Invalid(message)));
        }
        let changes = SubscriptionChanges {
            last_payment_date: input.last_payment_date,
            next_payment_date: input.next_payment_date,
            status: input.status,
            failed_payment_count: input.failed_payment_count,
        };
        self.subscriptions
            .update(&input.subscription_id, &changes)
            .await
            .map_err(activity_error)?;
        Ok(UpdateSubscriptionResult {
            success: true,
            subscription_id: input.subscription_id,
        })
    }
}
