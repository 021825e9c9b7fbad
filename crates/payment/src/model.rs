//! The payment domain's words: orders, charges, subscriptions and their states.

use std::fmt;

use chrono::{DateTime, Utc};
use partner_core::money::{Currency, Money};
use partner_core::ports::payment_gateway::{PaymentMethod, PaymentSubject, Presence, StoredMethod};
use partner_core::text_enum;

text_enum! {
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

text_enum! {
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
    /// Whether the charge holds money, or may yet take it. Of what is paid for, there is at most one
    /// such charge.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Created | Self::Submitted | Self::Succeeded | Self::Refunding
        )
    }
}

text_enum! {
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

impl SubscriptionStatus {
    /// Whether it ended: nothing comes back from there.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired)
    }

    /// Whether a subscription of this status may become `next`; what it is, it may always.
    pub fn may_become(self, next: Self) -> bool {
        self == next || !self.is_final()
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

/// What is paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeSubject {
    /// The order with this id.
    Order(String),
    /// A period of a subscription.
    SubscriptionPeriod {
        /// The subscription's id.
        subscription_id: String,
        /// The period's first day, `2026-01-31`.
        period: String,
    },
}

impl ChargeSubject {
    /// Its kind, as the ledger's key has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::SubscriptionPeriod { .. } => "subscription",
        }
    }

    /// The id of the order or of the subscription.
    pub fn id(&self) -> &str {
        match self {
            Self::Order(id)
            | Self::SubscriptionPeriod {
                subscription_id: id,
                ..
            } => id,
        }
    }

    /// The subscription's period; an order has none.
    pub fn period(&self) -> &str {
        match self {
            Self::Order(_) => "",
            Self::SubscriptionPeriod { period, .. } => period,
        }
    }

    /// Our reference for an attempt, stored at the gateway.
    pub fn reference(&self, attempt: u32) -> String {
        match self {
            Self::Order(id) => format!("order/{id}/payment/{attempt}"),
            Self::SubscriptionPeriod {
                subscription_id,
                period,
            } => format!("subscription/{subscription_id}/{period}/payment/{attempt}"),
        }
    }

    /// What the gateway is told that it is.
    pub fn at_gateway(&self) -> PaymentSubject {
        match self.clone() {
            Self::Order(order_id) => PaymentSubject::Order { order_id },
            Self::SubscriptionPeriod {
                subscription_id,
                period,
            } => PaymentSubject::Subscription {
                subscription_id,
                period,
            },
        }
    }

    /// Whether whoever pays takes part.
    pub const fn presence(&self) -> Presence {
        match self {
            Self::Order(_) => Presence::Present,
            Self::SubscriptionPeriod { .. } => Presence::Absent,
        }
    }
}

impl fmt::Display for ChargeSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(id) => write!(f, "order {id}"),
            Self::SubscriptionPeriod {
                subscription_id,
                period,
            } => write!(f, "period {period} of subscription {subscription_id}"),
        }
    }
}

/// A charge to be made. The same subject and attempt are charged once, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeRequest {
    /// What is paid for.
    pub subject: ChargeSubject,
    /// Who pays.
    pub user_id: String,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: PaymentMethod,
    /// What they pay with, if the gateway has it on file.
    pub stored_method: Option<StoredMethod>,
    /// Which attempt: 1, and one more after each that took no money.
    pub attempt: u32,
    /// The time that counts for what follows; without it, the database's.
    pub as_of: Option<DateTime<Utc>>,
    /// The workflow that makes it, if one does.
    pub workflow_id: Option<String>,
}

/// A row of the charge ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The row's id.
    pub id: i64,
    /// Which attempt it is.
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

/// A charge of a subscription, as far as the question goes what is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodCharge {
    /// The period's name.
    pub period: String,
    /// Which attempt.
    pub attempt: u32,
    /// How it stands.
    pub state: ChargeState,
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
    /// The money was taken and went back: the subscription had ended meanwhile.
    GivenBack {
        /// The gateway's id.
        transaction_id: String,
    },
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
    fn an_ended_subscription_stays_so() {
        for &from in SubscriptionStatus::ALL {
            for &next in SubscriptionStatus::ALL {
                let may = from == next || !from.is_final();
                assert_eq!(from.may_become(next), may, "{from} -> {next}");
            }
        }
        let ends = [SubscriptionStatus::Cancelled, SubscriptionStatus::Expired];
        assert!(ends.into_iter().all(SubscriptionStatus::is_final));
    }

    #[test]
    fn references_are_pinned() {
        // The gateway finds running charges by them.
        let order = ChargeSubject::Order("order-1".to_owned());
        assert_eq!(order.reference(2), "order/order-1/payment/2");
        let period = ChargeSubject::SubscriptionPeriod {
            subscription_id: "sub-1".to_owned(),
            period: "2026-01-31".to_owned(),
        };
        assert_eq!(
            period.reference(1),
            "subscription/sub-1/2026-01-31/payment/1"
        );
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
