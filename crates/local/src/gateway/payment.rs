//! Payments as the gateway's books have them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where an intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// No way to pay is known, or the last one was declined.
    RequiresPaymentMethod,
    /// Ready to be charged.
    RequiresConfirmation,
    /// Being charged.
    Processing,
    /// Authorised, waiting for capture.
    RequiresCapture,
    /// Charged.
    Succeeded,
    /// Cancelled; it can never be charged any more.
    Canceled,
}

impl IntentStatus {
    /// The spelling on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// A payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) manual_capture: bool,
    pub(super) payment_method: Option<String>,
    pub(super) payment_method_types: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) description: Option<String>,
    pub(super) status: IntentStatus,
    pub(super) created: i64,
    pub(super) canceled_at: Option<i64>,
    pub(super) cancellation_reason: Option<String>,
    pub(super) last_error: Option<Decline>,
    pub(super) charges: Vec<Charge>,
    pub(super) settlement: Option<Settlement>,
}

/// One attempt to charge an intent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) status: ChargeStatus,
    pub(super) created: i64,
    pub(super) failure: Option<Decline>,
}

/// How an attempt to charge went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChargeStatus {
    Pending,
    Succeeded,
    Failed,
}

/// Why the issuer declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decline {
    pub(super) code: String,
    /// The issuer's own reason, which the API calls the decline code.
    pub(super) reason: String,
    pub(super) message: String,
    /// What was declined; it is taken off the intent.
    pub(super) payment_method: Option<String>,
}

/// How a charge that is under way will end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Settlement {
    pub(super) retrieves_left: u32,
    pub(super) decline: Option<Decline>,
}

/// Money that went back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) intent: String,
    pub(super) charge: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) created: i64,
    pub(super) reason: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Decline {
    pub(super) fn new(code: &str, payment_method: Option<String>) -> Self {
        // Some declines have an error code of their own; the rest share one.
        let own = [
            "expired_card",
            "incorrect_cvc",
            "incorrect_number",
            "processing_error",
        ];
        let message = match code {
            "insufficient_funds" => "Your card has insufficient funds.",
            "expired_card" => "Your card has expired.",
            "incorrect_cvc" => "Your card's security code is incorrect.",
            "incorrect_number" => "Your card number is incorrect.",
            "processing_error" => {
                "An error occurred while processing your card. Try again in a little bit."
            }
            _ => "Your card was declined.",
        };
        Self {
            code: if own.contains(&code) {
                code
            } else {
                "card_declined"
            }
            .to_owned(),
            reason: code.to_owned(),
            message: message.to_owned(),
            payment_method,
        }
    }
}

impl Intent {
    pub(super) fn latest_charge(&self) -> Option<&Charge> {
        self.charges.last()
    }

    /// The charge that took or blocked money, if one did; there is never a second one.
    pub(super) fn good_charge(&self) -> Option<&Charge> {
        let mut charges = self.charges.iter();
        charges.find(|charge| charge.status == ChargeStatus::Succeeded)
    }

    pub(super) fn received(&self) -> i64 {
        self.charges.iter().map(|charge| charge.captured).sum()
    }

    pub(super) fn refunded(&self) -> i64 {
        self.charges.iter().map(|charge| charge.refunded).sum()
    }

    /// What is authorised and waits for capture.
    pub(super) fn held(&self) -> i64 {
        let waits = self.status == IntentStatus::RequiresCapture;
        if waits { self.amount } else { 0 }
    }

    pub(super) fn times_charged(&self) -> usize {
        let good = |charge: &&Charge| charge.status == ChargeStatus::Succeeded;
        self.charges.iter().filter(good).count()
    }

    /// What is paid for: the order, or the subscription.
    pub(super) fn order_id(&self) -> Option<&str> {
        let subject = self.metadata.get("order_id");
        let subject = subject.or_else(|| self.metadata.get("subscription_id"));
        subject.map(String::as_str)
    }

    /// The issuer's word on the charge under way, for the books.
    pub(super) fn settle(&mut self, decline: Option<Decline>) {
        let manual = self.manual_capture;
        let Some(charge) = self.charges.last_mut() else {
            return;
        };
        if let Some(decline) = decline {
            charge.status = ChargeStatus::Failed;
            charge.failure = Some(decline.clone());
            self.status = IntentStatus::RequiresPaymentMethod;
            self.payment_method = None;
            self.last_error = Some(decline);
        } else {
            charge.status = ChargeStatus::Succeeded;
            charge.captured = if manual { 0 } else { charge.amount };
            self.status = if manual {
                IntentStatus::RequiresCapture
            } else {
                IntentStatus::Succeeded
            };
            self.last_error = None;
        }
    }
}
