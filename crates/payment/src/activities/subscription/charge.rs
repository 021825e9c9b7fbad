//! How `chargeSubscription` and `lookupSubscriptionCharge` do it, and what they answer.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::SubscriptionActivities;
use super::answer::may_begin;
use crate::activities::gateway::first_attempt;
use crate::error::PaymentError;
use crate::model::{ChargeOutcome, ChargeRequest, ChargeSubject, SubscriptionStatus};
use crate::repository::Subscription;

/// Which attempt of which period.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargeSubscriptionInput {
    /// The subscription.
    pub subscription_id: String,
    /// The period, by its first day: `2026-01-31`.
    pub period: String,
    /// Which attempt; the same attempt is charged once, for ever.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// When: what follows from the outcome is counted from here.
    pub as_of: DateTime<Utc>,
    /// Whether what is owed shall be paid although the subscription is suspended.
    #[serde(default)]
    pub settle: bool,
}

/// How it went, and how the subscription stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargeSubscriptionResult {
    /// Whether the period is paid.
    pub success: bool,
    /// The gateway's id of the charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Why it is not paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The gateway's code of a decline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<String>,
    /// How the subscription stands.
    pub subscription_status: SubscriptionStatus,
    /// Failed charges since the last that succeeded.
    pub failed_payment_count: i32,
    /// When the next payment is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_payment_date: Option<DateTime<Utc>>,
    /// When the next attempt is due after a decline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
    /// Whether the money was taken and went back, because the subscription had ended meanwhile.
    #[serde(default)]
    pub refunded: bool,
}

impl ChargeSubscriptionInput {
    /// Refuses what can be no period's name: no row of the ledger shall carry it.
    pub(super) fn check(self) -> Result<Self, PaymentError> {
        let day = NaiveDate::parse_from_str(&self.period, "%Y-%m-%d").ok();
        if day.is_some_and(|day| day.to_string() == self.period) {
            return Ok(self);
        }
        Err(PaymentError::Invalid(format!(
            "period: expected its first day, such as 2026-01-31, got {:?}",
            self.period
        )))
    }
}

impl SubscriptionActivities {
    pub(super) async fn charge_attempt(
        &self,
        input: &ChargeSubscriptionInput,
        workflow_id: Option<&str>,
    ) -> Result<ChargeSubscriptionResult, PaymentError> {
        let subscription = self.find(&input.subscription_id).await?;
        // Nothing is begun, also if that changed since the caller looked; what was begun is settled.
        if !may_begin(&subscription, input.settle) {
            return self.settle_attempt(input).await;
        }
        let attempt = input.attempt.max(1);
        self.refuse_unowed(input, attempt, &subscription).await?;
        let request = ChargeRequest {
            workflow_id: workflow_id.map(str::to_owned),
            ..subscription.charge(&input.period, attempt, Some(input.as_of))
        };
        match self.ledger.charge(&request).await {
            // Something else was agreed while it was charged: it ends by what was agreed before.
            // It may also be that the subscription ended, and the money goes back.
            Err(PaymentError::ChargeParametersChanged(_) | PaymentError::ChargeClosed { .. }) => {
                self.settle_attempt(input).await
            }
            outcome => self.answer(input, attempt, outcome?).await,
        }
    }

    pub(super) async fn settle_attempt(
        &self,
        input: &ChargeSubscriptionInput,
    ) -> Result<ChargeSubscriptionResult, PaymentError> {
        let attempt = input.attempt.max(1);
        let subject = subject(input);
        let outcome = self
            .ledger
            .settle(&subject, attempt, Some(input.as_of))
            .await?;
        self.answer(input, attempt, outcome).await
    }

    /// An attempt that nobody has begun is begun only for the period that is due.
    async fn refuse_unowed(
        &self,
        input: &ChargeSubscriptionInput,
        attempt: u32,
        subscription: &Subscription,
    ) -> Result<(), PaymentError> {
        let due = self.due(subscription).await?;
        if due.period == input.period && due.starts <= input.as_of {
            return Ok(());
        }
        // Looked up after what is due: what was paid in between is found here.
        let charges = self.charges.list(&subject(input)).await?;
        if charges.iter().any(|charge| charge.attempt == attempt) {
            return Ok(());
        }
        Err(PaymentError::Invalid(format!(
            "period: {} of subscription {} is not due at {}; next is {}, which begins at {}",
            input.period,
            subscription.id,
            input.as_of.to_rfc3339(),
            due.period,
            due.starts.to_rfc3339()
        )))
    }

    async fn answer(
        &self,
        input: &ChargeSubscriptionInput,
        attempt: u32,
        outcome: ChargeOutcome,
    ) -> Result<ChargeSubscriptionResult, PaymentError> {
        let Subscription { id, standing, .. } = self.find(&input.subscription_id).await?;
        tracing::info!(
            subscription.id = id,
            period = input.period,
            attempt,
            ?outcome,
            subscription.status = %standing.status,
            "subscription charged"
        );
        let unpaid = ChargeSubscriptionResult {
            success: false,
            transaction_id: None,
            error: None,
            decline_code: None,
            subscription_status: standing.status,
            failed_payment_count: standing.failed_payment_count,
            next_payment_date: standing.next_payment_date,
            retry_at: standing.retry_at,
            refunded: false,
        };
        Ok(match outcome {
            ChargeOutcome::Succeeded { transaction_id } => ChargeSubscriptionResult {
                success: true,
                transaction_id: Some(transaction_id),
                ..unpaid
            },
            ChargeOutcome::Declined { code, message } => ChargeSubscriptionResult {
                error: Some(format!("payment declined ({code}): {message}")),
                decline_code: Some(code),
                ..unpaid
            },
            ChargeOutcome::NotCharged => ChargeSubscriptionResult {
                error: Some(format!(
                    "attempt {attempt} of {} was not charged, and never will be",
                    subject(input)
                )),
                ..unpaid
            },
            ChargeOutcome::GivenBack { transaction_id } => ChargeSubscriptionResult {
                transaction_id: Some(transaction_id),
                error: Some(format!(
                    "subscription {id} is {}: the money went back",
                    standing.status
                )),
                refunded: true,
                ..unpaid
            },
        })
    }
}

fn subject(input: &ChargeSubscriptionInput) -> ChargeSubject {
    ChargeSubject::SubscriptionPeriod {
        subscription_id: input.subscription_id.clone(),
        period: input.period.clone(),
    }
}
