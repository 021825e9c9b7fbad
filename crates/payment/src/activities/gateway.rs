//! `processPaymentGateway`, `lookupPayment` and `refundPayment`: the money.

use std::sync::Arc;

use partner_core::error::{activity_error, undo_error};
use partner_core::heartbeat::with_heartbeat;
use partner_core::money::{Amount, Currency, Money};
use partner_core::ports::payment_gateway::PaymentMethod;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::error::PaymentError;
use crate::ledger::ChargeLedger;
use crate::model::{ChargeOutcome, ChargeRequest, ChargeSubject};

/// What to charge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessPaymentGatewayInput {
    /// The order.
    pub order_id: String,
    /// How much, in major units.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// How.
    pub payment_method: PaymentMethod,
    /// The buyer.
    pub user_id: String,
    /// Which attempt; the same attempt is charged once, for ever.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
}

/// The attempt of callers that do not count them.
pub const fn first_attempt() -> u32 {
    1
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessPaymentGatewayResult {
    /// Whether the money was taken.
    pub success: bool,
    /// The gateway's id of the charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Why it was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The gateway's code of the decline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<String>,
    /// How much was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// In which currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// Which attempt to look up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LookupPaymentInput {
    /// The order.
    pub order_id: String,
    /// Which attempt.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
}

/// Whose money to give back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundPaymentInput {
    /// The order.
    pub order_id: String,
    /// Why, for the books.
    pub reason: String,
}

/// What went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundPaymentResult {
    /// Always true: what is not settled is a failure.
    pub success: bool,
    /// The order.
    pub order_id: String,
    /// Whether anything had been taken and went back.
    pub refunded: bool,
}

/// The activities' dependencies.
pub struct GatewayActivities {
    /// The charge ledger.
    pub ledger: ChargeLedger,
}

#[activities]
impl GatewayActivities {
    /// Charges an order's attempt, once for ever. A decline is an answer, not a failure.
    #[activity(name = "processPaymentGateway")]
    pub async fn process_payment_gateway(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<ProcessPaymentGatewayInput>,
    ) -> Result<ProcessPaymentGatewayResult, ActivityError> {
        let workflow_id = ctx.info().workflow_id.as_deref();
        with_heartbeat(&ctx, self.charge_for(input, workflow_id)).await
    }

    /// Finds out how an attempt ended, for as long as it takes. One that was never charged is
    /// cancelled at the gateway, so that the answer stays true.
    #[activity(name = "lookupPayment")]
    pub async fn lookup_payment(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<LookupPaymentInput>,
    ) -> Result<ProcessPaymentGatewayResult, ActivityError> {
        with_heartbeat(&ctx, self.lookup(input)).await
    }

    /// Gives back whatever was taken for an order. An undo step: it never gives up.
    #[activity(name = "refundPayment")]
    pub async fn refund_payment(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<RefundPaymentInput>,
    ) -> Result<RefundPaymentResult, ActivityError> {
        with_heartbeat(&ctx, self.refund(input)).await
    }
}

impl GatewayActivities {
    /// `processPaymentGateway` without a worker around it.
    pub async fn charge(
        &self,
        input: Wire<ProcessPaymentGatewayInput>,
    ) -> Result<ProcessPaymentGatewayResult, ActivityError> {
        self.charge_for(input, None).await
    }

    /// The same for this workflow.
    async fn charge_for(
        &self,
        input: Wire<ProcessPaymentGatewayInput>,
        workflow_id: Option<&str>,
    ) -> Result<ProcessPaymentGatewayResult, ActivityError> {
        let input = input.into_activity_input()?;
        let amount = Money::from_amount(input.amount, input.currency)
            .map_err(|error| activity_error(PaymentError::Invalid(error.to_string())))?;
        let request = ChargeRequest {
            subject: ChargeSubject::Order(input.order_id),
            user_id: input.user_id,
            amount,
            method: input.payment_method,
            stored_method: None,
            attempt: input.attempt.max(1),
            as_of: None,
            workflow_id: workflow_id.map(str::to_owned),
        };
        let outcome = self.ledger.charge(&request).await.map_err(activity_error)?;
        log(request.subject.id(), &outcome);
        Ok(result(outcome, Some(amount)))
    }

    /// `lookupPayment` without a worker around it.
    pub async fn lookup(
        &self,
        input: Wire<LookupPaymentInput>,
    ) -> Result<ProcessPaymentGatewayResult, ActivityError> {
        let input = input.into_activity_input()?;
        // 0 means what it means to the charge, or this would miss what was charged as the first.
        let attempt = input.attempt.max(1);
        let subject = ChargeSubject::Order(input.order_id);
        let outcome = self
            .ledger
            .settle(&subject, attempt, None)
            .await
            .map_err(undo_error)?;
        log(subject.id(), &outcome);
        Ok(result(outcome, None))
    }

    /// `refundPayment` without a worker around it.
    pub async fn refund(
        &self,
        input: Wire<RefundPaymentInput>,
    ) -> Result<RefundPaymentResult, ActivityError> {
        let input = input.into_activity_input()?;
        let subject = ChargeSubject::Order(input.order_id.clone());
        let reversed = self.ledger.reverse(&subject, &input.reason).await;
        let refunded = !reversed.map_err(undo_error)?.refunded.is_empty();
        tracing::info!(order.id = input.order_id, refunded, "payment reversed");
        Ok(RefundPaymentResult {
            success: true,
            order_id: input.order_id,
            refunded,
        })
    }
}

fn log(order_id: &str, outcome: &ChargeOutcome) {
    match outcome {
        ChargeOutcome::Succeeded { transaction_id } => {
            tracing::info!(
                order.id = order_id,
                transaction.id = transaction_id,
                "payment charged"
            );
        }
        ChargeOutcome::Declined { code, .. } => {
            tracing::info!(order.id = order_id, decline.code = code, "payment declined");
        }
        ChargeOutcome::NotCharged | ChargeOutcome::GivenBack { .. } => {
            tracing::info!(order.id = order_id, "payment not charged");
        }
    }
}

fn result(outcome: ChargeOutcome, amount: Option<Money>) -> ProcessPaymentGatewayResult {
    let refused = |error: String, decline_code| ProcessPaymentGatewayResult {
        success: false,
        transaction_id: None,
        error: Some(error),
        decline_code,
        amount: None,
        currency: None,
    };
    match outcome {
        ChargeOutcome::Succeeded { transaction_id } => ProcessPaymentGatewayResult {
            success: true,
            transaction_id: Some(transaction_id),
            error: None,
            decline_code: None,
            amount: amount.map(Money::amount),
            currency: amount.map(Money::currency),
        },
        ChargeOutcome::Declined { code, message } => {
            refused(format!("payment declined ({code}): {message}"), Some(code))
        }
        ChargeOutcome::NotCharged | ChargeOutcome::GivenBack { .. } => {
            refused("payment was not charged".to_owned(), None)
        }
    }
}
