//! `validatePayment`: whether this buyer may pay this order so.

use std::sync::Arc;

use partner_core::error::activity_error;
use partner_core::money::{Amount, Currency, Money};
use partner_core::ports::payment_gateway::PaymentMethod;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::error::PaymentError;
use crate::model::{Order, OrderStatus};
use crate::repository::{Buyer, OrderRepository};

/// What is to be paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatePaymentInput {
    /// The buyer: a user's id or an email address.
    pub user_id: String,
    /// How much, in major units.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// How.
    pub payment_method: PaymentMethod,
    /// The order; with it, the order is checked too, and taken by the calling workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
}

/// Whether it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatePaymentResult {
    /// Whether it may be.
    pub valid: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where mail to the buyer goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The charge that paid for the order, if it is paid already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
}

impl ValidatePaymentResult {
    fn refused(reason: impl Into<String>) -> Self {
        Self {
            valid: false,
            reason: Some(reason.into()),
            email: None,
            transaction_id: None,
        }
    }
}

/// The activity's dependencies.
pub struct ValidationActivities {
    /// Orders and buyers.
    pub orders: OrderRepository,
}

#[activities]
impl ValidationActivities {
    /// Checks the buyer, the amount and the order.
    #[activity(name = "validatePayment")]
    pub async fn validate_payment(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<ValidatePaymentInput>,
    ) -> Result<ValidatePaymentResult, ActivityError> {
        self.validate(input, ctx.info().workflow_id.as_deref())
            .await
    }
}

impl ValidationActivities {
    /// `validatePayment` without a worker around it, called by this workflow.
    pub async fn validate(
        &self,
        input: Wire<ValidatePaymentInput>,
        workflow_id: Option<&str>,
    ) -> Result<ValidatePaymentResult, ActivityError> {
        let input = input.into_activity_input()?;
        self.check(&input, workflow_id)
            .await
            .map_err(activity_error)
    }

    async fn check(
        &self,
        input: &ValidatePaymentInput,
        workflow_id: Option<&str>,
    ) -> Result<ValidatePaymentResult, PaymentError> {
        let amount = match Money::from_amount(input.amount, input.currency) {
            Ok(amount) => amount,
            Err(error) => return Ok(ValidatePaymentResult::refused(error.to_string())),
        };
        let buyer = match self.orders.buyer(&input.user_id).await? {
            None => {
                return Ok(ValidatePaymentResult::refused(format!(
                    "user {} does not exist",
                    input.user_id
                )));
            }
            Some(Buyer {
                suspended: true, ..
            }) => {
                return Ok(ValidatePaymentResult::refused(format!(
                    "user {} is suspended",
                    input.user_id
                )));
            }
            Some(buyer) => buyer,
        };
        if let Some(order_id) = &input.order_id
            && let Some(reason) = self
                .refuse_order(order_id, &input.user_id, amount, workflow_id)
                .await?
        {
            return Ok(ValidatePaymentResult::refused(reason));
        }
        let transaction_id = match &input.order_id {
            Some(order_id) => self.paid_by(order_id).await?,
            None => None,
        };
        Ok(ValidatePaymentResult {
            valid: true,
            reason: None,
            email: Some(buyer.email.to_string()),
            transaction_id,
        })
    }

    async fn paid_by(&self, order_id: &str) -> Result<Option<String>, PaymentError> {
        let order = self.orders.lookup(order_id).await?;
        let paid = order.filter(|order| order.status == OrderStatus::Paid);
        Ok(paid.and_then(|order| order.transaction_id))
    }

    async fn refuse_order(
        &self,
        order_id: &str,
        user_id: &str,
        amount: Money,
        workflow_id: Option<&str>,
    ) -> Result<Option<String>, PaymentError> {
        let Some(order) = self.orders.lookup(order_id).await? else {
            return Ok(Some(format!("order {order_id} does not exist")));
        };
        if let Some(reason) = mismatch(&order, user_id, amount) {
            return Ok(Some(reason));
        }
        if let Some(workflow_id) = workflow_id
            && !self.orders.claim(order_id, workflow_id).await?
        {
            return Ok(Some(format!(
                "order {order_id} is being paid by workflow {}",
                order.payment_workflow_id.unwrap_or_default()
            )));
        }
        Ok(None)
    }
}

/// Why this order is not to be paid so; a paid one may be, for its workflow may be run again.
fn mismatch(order: &Order, user_id: &str, amount: Money) -> Option<String> {
    if order.user_id != user_id {
        return Some(format!("order {} belongs to another user", order.id));
    }
    if order.total != amount {
        return Some(format!(
            "order {} costs {}, not {amount}",
            order.id, order.total
        ));
    }
    match order.status {
        OrderStatus::Pending | OrderStatus::Paid | OrderStatus::PaymentFailed => None,
        status => Some(format!("order {} is {status}", order.id)),
    }
}
