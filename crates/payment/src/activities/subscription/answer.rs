//! What `getSubscriptionDetails` answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ExpectedSubscription;
use crate::due::Due;
use crate::error::PaymentError;
use crate::model::SubscriptionStatus;
use crate::repository::Subscription;
use crate::settings::Schedule;

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
    /// How it stands.
    pub status: SubscriptionStatus,
    /// What was subscribed to; may be empty.
    #[serde(default)]
    pub plan: String,
    /// The zone by whose calendar it is billed, such as `Europe/Berlin`.
    pub time_zone: String,
    /// What it owes.
    pub billing: Billing,
}

/// What a subscription owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Billing {
    /// The oldest period that is not paid, by its first day.
    pub period: String,
    /// When it begins, and is due.
    pub due_at: DateTime<Utc>,
    /// Its next attempt, or the one that is under way.
    pub attempt: u32,
    /// Whether it shall be charged now.
    pub billable: bool,
    /// The charge that paid for the latest period, while nothing is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// When the next payment is due, as it is written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_payment_date: Option<DateTime<Utc>>,
    /// When the next attempt is due after a decline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
    /// Who makes the next attempt, and the next period's payment.
    pub schedule: Schedule,
    /// How long a durable schedule waits for a suspended subscription to be paid after all.
    pub suspension_window_seconds: u64,
}

impl SubscriptionDetails {
    pub(super) fn of(subscription: Subscription, billing: Billing) -> Self {
        let standing = subscription.standing;
        Self {
            subscription_id: subscription.id,
            active: standing.status == SubscriptionStatus::Active,
            payment_method: subscription.payment_method.as_str().to_owned(),
            failed_payment_count: standing.failed_payment_count,
            status: standing.status,
            plan: subscription.plan,
            time_zone: subscription.zone.name().to_owned(),
            billing,
        }
    }
}

/// Whether there is something to charge, or a charge to find out about.
///
/// A charge that is under way is brought to its end however the subscription stands by now, or its
/// money would be kept without anyone knowing.
pub(super) fn is_billable(
    subscription: &Subscription,
    due: &Due,
    as_of: DateTime<Utc>,
    settle: bool,
) -> bool {
    due.is_under_way || due.starts <= as_of && may_begin(subscription, settle)
}

/// Whether a new charge may begin. A suspended subscription is charged if someone asks for it, or if
/// its user pays with something else than what was declined.
pub(super) fn may_begin(subscription: &Subscription, settle: bool) -> bool {
    match subscription.standing.status {
        SubscriptionStatus::Active => true,
        SubscriptionStatus::Suspended => settle || subscription.has_new_method(),
        SubscriptionStatus::Cancelled | SubscriptionStatus::Expired => false,
    }
}

/// Names every field in which the caller and the subscription disagree.
pub(super) fn refuse_disagreement(
    expected: &ExpectedSubscription,
    subscription: &Subscription,
) -> Result<(), PaymentError> {
    let price = subscription.price;
    let fields = [
        (
            "userId",
            expected.user_id.clone(),
            subscription.user_id.clone(),
        ),
        (
            "currency",
            expected.currency.to_string(),
            price.currency().to_string(),
        ),
        (
            "billingPeriod",
            expected.billing_period.to_string(),
            subscription.billing_period.to_string(),
        ),
    ];
    let mut differences: Vec<_> = fields
        .into_iter()
        .filter(|(_, input, row)| input != row)
        .collect();
    // By value: 9.9 is 9.90.
    if expected.amount.value() != price.amount().value() {
        let amounts = (expected.amount.to_string(), price.amount().to_string());
        differences.insert(0, ("amount", amounts.0, amounts.1));
    }
    if differences.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = differences
        .into_iter()
        .map(|(field, input, row)| format!("{field}: {input} given, {row} agreed"))
        .collect();
    Err(PaymentError::Invalid(format!(
        "the input disagrees with subscription {}: {}",
        subscription.id,
        list.join("; ")
    )))
}
