//! The default workflow ids: one business fact, one id, so that starting twice is starting once.

use crate::ids::{ListingId, OrderId, SubscriptionId, UserId};

/// The id of the payment of an order: `payment-{orderId}`.
pub fn payment(order: &OrderId) -> String {
    format!("payment-{order}")
}

/// The id of a notification of a user: `notification-{userId}-{key}`. The key is the caller's.
pub fn notification(user: &UserId, key: &str) -> String {
    format!("notification-{user}-{key}")
}

/// The id of a user's onboarding: `onboarding-{userId}`.
pub fn onboarding(user: &UserId) -> String {
    format!("onboarding-{user}")
}

/// The id of the billing of a subscription's period, named by its first day:
/// `subscription-payment-{subscriptionId}-{period}`.
pub fn subscription_payment(subscription: &SubscriptionId, period: &str) -> String {
    format!("subscription-payment-{subscription}-{period}")
}

/// The id of a listing's approval: `listing-approval-{listingId}`.
pub fn listing_approval(listing: &ListingId) -> String {
    format!("listing-approval-{listing}")
}

/// The id of a listing's expiration: `listing-expiration-{listingId}`.
pub fn listing_expiration(listing: &ListingId) -> String {
    format!("listing-expiration-{listing}")
}

/// The default id of a workflow with this input, if the input alone says which business fact it is.
///
/// A notification and a subscription's payment have none: which notification, and which period, is
/// the caller's to say.
pub fn default_for(workflow: &str, input: &serde_json::Value) -> Option<String> {
    let field = |name: &str| input.get(name).and_then(serde_json::Value::as_str);
    match workflow {
        "processPaymentWorkflow" => {
            let order = OrderId::parse(field("orderId")?).ok()?;
            Some(payment(&order))
        }
        "userOnboardingWorkflow" => {
            let user = UserId::parse(field("userId")?).ok()?;
            Some(onboarding(&user))
        }
        "listingApprovalWorkflow" => {
            let listing = ListingId::parse(field("listingId")?).ok()?;
            Some(listing_approval(&listing))
        }
        "listingExpirationWorkflow" => {
            let listing = ListingId::parse(field("listingId")?).ok()?;
            Some(listing_expiration(&listing))
        }
        _ => None,
    }
}
