//! What a payment is started with, what it results in, and where it stands.

use std::num::NonZeroU32;

use partner_core::ids::{OrderId, UserId};
use partner_core::money::{Amount, Currency};
use partner_core::ports::payment_gateway::PaymentMethod;
use partner_core::progress;
use serde::{Deserialize, Serialize};

/// What is to be paid.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessPaymentInput {
    /// The order.
    pub order_id: OrderId,
    /// The buyer: a user's id or an email address.
    pub user_id: UserId,
    /// How much, in major units.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// How.
    pub payment_method: PaymentMethod,
    /// Which attempt to charge, 1 if missing. The same attempt is charged once, for ever; paying an
    /// order anew after a decline or a refund takes the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub attempt: Option<NonZeroU32>,
    /// How long, after a decline, the order stays open for the signal `retryPayment`, in seconds;
    /// 0 if missing: a decline fails the workflow at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_window_seconds: Option<u32>,
}

/// What was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessPaymentResult {
    /// Always true: a payment that failed is a failed workflow.
    pub success: bool,
    /// The order.
    pub order_id: String,
    /// The gateway's id of the charge.
    pub transaction_id: String,
    /// How much, in major units.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// For a person; also what went less than well without stopping the payment.
    pub message: String,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDetails {
    /// The order.
    pub order_id: Option<String>,
    /// The buyer.
    pub user_id: Option<String>,
    /// How much.
    pub amount: Option<Amount>,
    /// In which currency.
    pub currency: Option<Currency>,
    /// Which attempt is, or was, charged.
    pub attempt: u32,
    /// The gateway's id of the charge, once it is made.
    pub transaction_id: Option<String>,
    /// Why cancelling was asked for, if it was.
    pub cancel_reason: Option<String>,
    /// What the gateway said last by itself, such as `payment_intent.succeeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_event: Option<String>,
    /// Undo steps that could not be done; a person has to look at them.
    pub undo_failures: Vec<String>,
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Validating,
    Reserving,
    Charging,
    AwaitingRetry,
    MarkingPaid,
    HandingOver,
    Undoing,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 5;

    fn name(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::Reserving => "reserving_inventory",
            Self::Charging => "charging",
            Self::AwaitingRetry => "awaiting_retry",
            Self::MarkingPaid => "marking_paid",
            Self::HandingOver => "handing_over",
            Self::Undoing => "undoing",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Validating => 0,
            Self::Reserving => 1,
            Self::Charging | Self::AwaitingRetry | Self::Undoing => 2,
            Self::MarkingPaid => 3,
            Self::HandingOver => 4,
            Self::Done => Self::TOTAL,
        }
    }
}
