//! `getSubscriptionDetails`, `updateSubscription`, `chargeSubscription` and
//! `lookupSubscriptionCharge`.

mod answer;
mod charge;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use partner_core::error::{activity_error, undo_error};
use partner_core::heartbeat::with_heartbeat;
use partner_core::money::{Amount, Currency};
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

pub use self::answer::{Billing, SubscriptionDetails};
pub use self::charge::{ChargeSubscriptionInput, ChargeSubscriptionResult};
use crate::billing_calendar::BillingPeriod;
use crate::due::Due;
use crate::error::PaymentError;
use crate::ledger::ChargeLedger;
use crate::model::SubscriptionStatus;
use crate::repository::{
    ChargeRepository, Subscription, SubscriptionChanges, SubscriptionRepository,
};
use crate::settings::BillingSettings;

/// Which subscription, and what is asked of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetSubscriptionDetailsInput {
    /// The subscription.
    pub subscription_id: String,
    /// What the caller believes is agreed; refused where the subscription says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedSubscription>,
    /// When; without it, now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// Whether what is owed shall be paid although the subscription is suspended.
    #[serde(default)]
    pub settle: bool,
}

/// What the caller believes is agreed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedSubscription {
    /// Who pays.
    pub user_id: String,
    /// What a period costs, in major units.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// How often.
    pub billing_period: BillingPeriod,
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
    /// What was charged.
    pub charges: ChargeRepository,
    /// The charge ledger.
    pub ledger: ChargeLedger,
    /// How billing is set up.
    pub settings: BillingSettings,
}

#[activities]
impl SubscriptionActivities {
    /// Reads a subscription, and what it owes.
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

    /// Charges an attempt of a period, once for ever, and moves the subscription on. A decline is an
    /// answer, not a failure.
    #[activity(name = "chargeSubscription")]
    pub async fn charge_subscription(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<ChargeSubscriptionInput>,
    ) -> Result<ChargeSubscriptionResult, ActivityError> {
        let workflow_id = ctx.info().workflow_id.as_deref();
        with_heartbeat(&ctx, self.charge_for(input, workflow_id)).await
    }

    /// Finds out how an attempt of a period ended, for as long as it takes. One that was never charged
    /// is closed, so that the answer stays true.
    #[activity(name = "lookupSubscriptionCharge")]
    pub async fn lookup_subscription_charge(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<ChargeSubscriptionInput>,
    ) -> Result<ChargeSubscriptionResult, ActivityError> {
        with_heartbeat(&ctx, self.lookup(input)).await
    }
}

impl SubscriptionActivities {
    /// `getSubscriptionDetails` without a worker around it.
    pub async fn details(
        &self,
        input: Wire<GetSubscriptionDetailsInput>,
    ) -> Result<SubscriptionDetails, ActivityError> {
        let input = input.into_activity_input()?;
        self.read(&input).await.map_err(activity_error)
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

    /// `chargeSubscription` without a worker around it.
    pub async fn charge(
        &self,
        input: Wire<ChargeSubscriptionInput>,
    ) -> Result<ChargeSubscriptionResult, ActivityError> {
        self.charge_for(input, None).await
    }

    /// The same for this workflow.
    async fn charge_for(
        &self,
        input: Wire<ChargeSubscriptionInput>,
        workflow_id: Option<&str>,
    ) -> Result<ChargeSubscriptionResult, ActivityError> {
        let input = input.into_activity_input()?;
        let input = input.check().map_err(activity_error)?;
        self.charge_attempt(&input, workflow_id)
            .await
            .map_err(activity_error)
    }

    /// `lookupSubscriptionCharge` without a worker around it.
    pub async fn lookup(
        &self,
        input: Wire<ChargeSubscriptionInput>,
    ) -> Result<ChargeSubscriptionResult, ActivityError> {
        let input = input.into_activity_input()?;
        let input = input.check().map_err(activity_error)?;
        self.settle_attempt(&input).await.map_err(|error| {
            if matches!(error, PaymentError::SubscriptionNotFound(_)) {
                // Nothing was ever charged, and asking again changes nothing.
                activity_error(error)
            } else {
                undo_error(error)
            }
        })
    }

    async fn read(
        &self,
        input: &GetSubscriptionDetailsInput,
    ) -> Result<SubscriptionDetails, PaymentError> {
        let subscription = self.find(&input.subscription_id).await?;
        if let Some(expected) = &input.expected {
            answer::refuse_disagreement(expected, &subscription)?;
        }
        let as_of = match input.as_of {
            Some(as_of) => as_of,
            None => self.subscriptions.now().await?,
        };
        let due = self.due(&subscription).await?;
        let paid_by = if due.starts > as_of {
            self.charges.last_payment(&subscription.id).await?
        } else {
            None
        };
        let billing = Billing {
            billable: answer::is_billable(&subscription, &due, as_of, input.settle),
            period: due.period,
            due_at: due.starts,
            attempt: due.attempt,
            transaction_id: paid_by,
            next_payment_date: subscription.standing.next_payment_date,
            retry_at: subscription.standing.retry_at,
            schedule: self.settings.schedule,
            suspension_window_seconds: self.settings.suspension_window.as_secs(),
        };
        Ok(SubscriptionDetails::of(subscription, billing))
    }

    async fn find(&self, id: &str) -> Result<Subscription, PaymentError> {
        self.subscriptions
            .lookup(id)
            .await?
            .ok_or_else(|| PaymentError::SubscriptionNotFound(id.to_owned()))
    }

    /// What the subscription owes next.
    async fn due(&self, subscription: &Subscription) -> Result<Due, PaymentError> {
        self.charges.due(subscription).await
    }
}
