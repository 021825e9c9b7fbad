//! The payment domain's words: orders, charges, subscriptions and their states.

use std::fmt;

use partner_core::money::{Currency, Money};
use partner_core::ports::payment_gateway::PaymentMethod;
use serde::{Deserialize, Serialize};

/// A status that PostgreSQL keeps as text under a CHECK, spelled as on the wire.
macro_rules! text_status {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The spelling on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value with this spelling.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_status! {
    /// How an order stands.
    OrderStatus {
        /// Waiting for its payment.
        Pending = "pending",
        /// Paid: a charge stands in the ledger.
        Paid = "paid",
        /// Not paid, and no charge stands.
        PaymentFailed = "payment_failed",
        /// Being put together.
        Processing = "processing",
        /// Handed over.
        Completed = "completed",
        /// Called off before it was charged.
        Cancelled = "cancelled",
        /// Called off after it was charged; the money went back.
        Refunded = "refunded",
    }
}

impl OrderStatus {
    /// Whether an order of this status may become `next`.
    ///
    /// Becoming what it is is always allowed: an activity may run twice.
    pub const fn may_become(self, next: Self) -> bool {
        use OrderStatus::{
            Cancelled, Completed, Paid, PaymentFailed, Pending, Processing, Refunded,
        };
        match self {
            Pending => matches!(next, Pending | Paid | PaymentFailed | Cancelled | Refunded),
            PaymentFailed => matches!(next, PaymentFailed | Pending | Paid | Cancelled | Refunded),
            Paid => !matches!(next, Pending),
            Processing => !matches!(next, Pending | Paid),
            Completed => matches!(next, Completed | Refunded),
            Cancelled => matches!(next, Cancelled),
            Refunded => matches!(next, Refunded),
        }
    }

    /// Whether the order counts as paid: exactly then a charge must stand.
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Paid | Self::Processing | Self::Completed)
    }
}

text_status! {
    /// How a charge stands in the ledger. The migration that creates the table explains each.
    ChargeState {
        /// Written down; no confirmation was ever sent.
        Created = "created",
        /// The confirmation may have been sent.
        Submitted = "submitted",
        /// The money was taken.
        Succeeded = "succeeded",
        /// The gateway refused.
        Declined = "declined",
        /// Cancelled before it was charged.
        Abandoned = "abandoned",
        /// The refund may have been sent.
        Refunding = "refunding",
        /// The money went back.
        Refunded = "refunded",
    }
}

impl ChargeState {
    /// Whether the charge holds money, or may yet take it. An order has at most one such charge.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Created | Self::Submitted | Self::Succeeded | Self::Refunding
        )
    }
}

text_status! {
    /// How a subscription stands.
    SubscriptionStatus {
        /// Billed.
        Active = "active",
        /// Not billed until what is owed is settled.
        Suspended = "suspended",
        /// Ended by someone.
        Cancelled = "cancelled",
        /// Ended by time.
        Expired = "expired",
    }
}

/// An order as the payment needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The buyer.
    pub user_id: String,
    /// What it costs.
    pub total: Money,
    /// How it stands.
    pub status: OrderStatus,
    /// The charge that paid for it.
    pub transaction_id: Option<String>,
    /// The workflow that collects the payment.
    pub payment_workflow_id: Option<String>,
}

/// What a charge is made for. The same subject and purpose are charged once, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeRequest {
    /// The order.
    pub order_id: String,
    /// The buyer.
    pub user_id: String,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: PaymentMethod,
    /// Which attempt: 1, and one more after each decline that the buyer answers with another try.
    pub attempt: u32,
}

/// A row of the charge ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The row's id.
    pub id: i64,
    /// Which attempt of its order it is.
    pub attempt: u32,
    /// The hash of its parameters.
    pub parameters_hash: String,
    /// How much.
    pub amount: Money,
    /// How it stands.
    pub state: ChargeState,
    /// The gateway's id of the payment.
    pub gateway_id: Option<String>,
    /// The gateway's code of a decline.
    pub decline_code: Option<String>,
    /// The gateway's words of a decline.
    pub decline_message: Option<String>,
}

/// How a charge ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The money was taken.
    Succeeded {
        /// The gateway's id.
        transaction_id: String,
    },
    /// The gateway refused.
    Declined {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        message: String,
    },
    /// It was never charged, and can never be any more.
    NotCharged,
}

/// Reads a currency that the database's CHECK already guards.
pub(crate) fn money_of(minor: i64, currency: &str) -> Result<Money, crate::error::PaymentError> {
    Currency::parse(currency)
        .map(|currency| Money::from_minor(minor, currency))
        .map_err(|error| crate::error::PaymentError::Invalid(error.to_string()))
}

/// Reads a status that the database's CHECK already guards.
pub(crate) fn known<T>(value: Option<T>, text: &str) -> Result<T, crate::error::PaymentError> {
    value.ok_or_else(|| {
        crate::error::PaymentError::Invalid(format!("unknown status {text:?} in the database"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_may_stay_what_it_is() {
        for &status in OrderStatus::ALL {
            assert!(status.may_become(status), "{status}");
        }
    }

    #[test]
    fn nothing_comes_back_from_cancelled_or_refunded() {
        for &next in OrderStatus::ALL {
            for end in [OrderStatus::Cancelled, OrderStatus::Refunded] {
                assert_eq!(end.may_become(next), end == next, "{end} -> {next}");
            }
        }
    }
}
