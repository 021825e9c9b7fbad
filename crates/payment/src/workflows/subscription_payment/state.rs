//! What a subscription's payment is started with, what it results in, and where it stands.

use chrono::{DateTime, Utc};
use partner_core::error::ErrorCode;
use partner_core::ids::{SubscriptionId, UserId};
use partner_core::money::{Amount, Currency};
use partner_core::problem::Problem;
use partner_core::progress;
use serde::{Deserialize, Serialize};

use crate::billing_calendar::BillingPeriod;
use crate::dunning::MAX_FAILURES;

/// What the message of a result begins with if the signal stopped it before the charge.
pub const CALLED_OFF: &str = "Subscription payment cancelled";

/// What is billed. All of it must agree with the subscription's row.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionPaymentInput {
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// Who pays.
    pub user_id: UserId,
    /// How much a period costs, in major units.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// How long a period is.
    pub billing_period: BillingPeriod,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionPaymentResult {
    /// Whether the period is paid.
    pub success: bool,
    /// The subscription, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// The gateway's id of the charge that paid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// When the next period is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_payment_date: Option<DateTime<Utc>>,
    /// For a person.
    pub message: String,
    /// How many attempts have failed since the last that succeeded, if this one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<i32>,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionPaymentDetails {
    /// The subscription.
    pub subscription_id: Option<String>,
    /// Who pays.
    pub user_id: Option<String>,
    /// How much a period costs.
    pub amount: Option<Amount>,
    /// In which currency.
    pub currency: Option<Currency>,
    /// The period that is, or was, charged, by its first day.
    pub period: Option<String>,
    /// Which attempt.
    pub attempt: u32,
    /// Attempts that failed since the last that succeeded, before this one.
    pub failed_payment_count: i32,
    /// When the next attempt is due, if one failed.
    pub retry_at: Option<DateTime<Utc>>,
    /// When the period after this one begins.
    pub next_payment_date: Option<DateTime<Utc>>,
    /// Why cancelling was asked for, if it was.
    pub cancel_reason: Option<String>,
    /// What the gateway said last by itself, such as `payment_intent.succeeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_event: Option<String>,
}

/// What one attempt comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The period is paid now.
    Paid {
        transaction_id: String,
        next_payment_date: DateTime<Utc>,
        /// What went less than well without stopping the payment.
        warning: Option<String>,
    },
    /// It was paid before.
    AlreadyPaid {
        transaction_id: String,
        due_at: DateTime<Utc>,
    },
    /// The first period has not begun.
    NotDue { due_at: DateTime<Utc> },
    /// It was declined, and another attempt follows.
    Retry {
        failures: i32,
        retry_at: Option<DateTime<Utc>>,
        warning: Option<String>,
    },
    /// It was declined, and none follows.
    Suspended {
        failures: i32,
        window_seconds: u64,
        warning: Option<String>,
    },
    /// The subscription is not active: nothing was charged, or it was given back.
    Inactive {
        /// How long a durable schedule waits, if it may become active by a payment.
        suspended_for: Option<u64>,
    },
    /// The signal stopped it before the charge.
    Cancelled { reason: String },
}

impl Outcome {
    pub(super) const fn is_suspended(&self) -> bool {
        matches!(self, Self::Suspended { .. } | Self::Inactive { .. })
    }

    /// Whether nothing is owed until the next period begins.
    pub(super) const fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::Paid { .. } | Self::AlreadyPaid { .. } | Self::NotDue { .. }
        )
    }

    pub(super) fn with_warning(mut self, text: Option<String>) -> Self {
        if let Self::Paid { warning, .. }
        | Self::Retry { warning, .. }
        | Self::Suspended { warning, .. } = &mut self
        {
            *warning = text;
        }
        self
    }

    /// What the run failed with, in the terms of `getStatus`.
    pub(super) fn problem(&self) -> Option<Problem> {
        let code = match self {
            Self::Paid { .. } | Self::AlreadyPaid { .. } => return None,
            Self::NotDue { .. } | Self::Inactive { .. } => ErrorCode::ValidationError,
            Self::Retry { .. } | Self::Suspended { .. } => ErrorCode::PaymentFailed,
            Self::Cancelled { .. } => ErrorCode::Cancelled,
        };
        Some(Problem::new(code, self.message()))
    }

    fn message(&self) -> String {
        let (text, warning) = match self {
            Self::Paid { warning, .. } => (
                "Subscription payment processed successfully".to_owned(),
                warning,
            ),
            Self::AlreadyPaid { due_at, .. } => (
                format!("The period is already paid; the next one begins on {due_at}"),
                &None,
            ),
            Self::NotDue { due_at } => (
                format!("Nothing is due: the first period begins on {due_at}"),
                &None,
            ),
            Self::Retry {
                failures, warning, ..
            } => (
                format!("Payment failed, attempt {failures} of {MAX_FAILURES}; it will be retried"),
                warning,
            ),
            Self::Suspended { warning, .. } => (
                "Payment failed, the subscription is suspended".to_owned(),
                warning,
            ),
            Self::Inactive { .. } => ("Subscription is not active".to_owned(), &None),
            Self::Cancelled { reason } if reason.is_empty() => (CALLED_OFF.to_owned(), &None),
            Self::Cancelled { reason } => (format!("{CALLED_OFF}: {reason}"), &None),
        };
        match warning {
            Some(warning) => format!("{text}; {warning}"),
            None => text,
        }
    }

    /// The contract's result.
    pub(super) fn into_result(self, subscription_id: String) -> SubscriptionPaymentResult {
        let message = self.message();
        let not_paid = SubscriptionPaymentResult {
            success: false,
            subscription_id: None,
            transaction_id: None,
            next_payment_date: None,
            message,
            retry_count: None,
        };
        match self {
            Self::Paid {
                transaction_id,
                next_payment_date,
                ..
            }
            | Self::AlreadyPaid {
                transaction_id,
                due_at: next_payment_date,
            } => SubscriptionPaymentResult {
                success: true,
                subscription_id: Some(subscription_id),
                transaction_id: Some(transaction_id),
                next_payment_date: Some(next_payment_date),
                ..not_paid
            },
            Self::Retry { failures, .. } | Self::Suspended { failures, .. } => {
                SubscriptionPaymentResult {
                    retry_count: Some(failures),
                    ..not_paid
                }
            }
            Self::NotDue { .. } | Self::Inactive { .. } | Self::Cancelled { .. } => not_paid,
        }
    }
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Reading,
    Charging,
    Telling,
    Waiting,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 3;

    fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Charging => "charging",
            Self::Telling => "telling_the_user",
            Self::Waiting => "waiting",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Reading => 0,
            Self::Charging => 1,
            Self::Telling => 2,
            Self::Waiting | Self::Done => Self::TOTAL,
        }
    }
}
