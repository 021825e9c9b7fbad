//! The default workflow ids: one business fact, one id, so that starting twice is starting once.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

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

/// The id of an attempt to bill a period that is not the first: `{period}-{attempt}` in the period's
/// place. An attempt that was made is not made again, and the next has an id of its own.
pub fn subscription_attempt(subscription: &SubscriptionId, period: &str, attempt: u32) -> String {
    let first = subscription_payment(subscription, period);
    if attempt <= 1 {
        first
    } else {
        format!("{first}-{attempt}")
    }
}

/// The id of a listing's approval: `listing-approval-{listingId}`.
pub fn listing_approval(listing: &ListingId) -> String {
    format!("listing-approval-{listing}")
}

/// The id of a listing's expiration: `listing-expiration-{listingId}`.
pub fn listing_expiration(listing: &ListingId) -> String {
    format!("listing-expiration-{listing}")
}

/// The id of the report of a type that is made on a day: `daily-report-{reportType}-{date}`.
pub fn daily_report(report_type: &str, date: NaiveDate) -> String {
    format!("daily-report-{report_type}-{date}")
}

/// The id of the cleanup of a type on a day: `cleanup-{cleanupType}-{date}`.
pub fn cleanup(cleanup_type: &str, date: NaiveDate) -> String {
    format!("cleanup-{cleanup_type}-{date}")
}

/// The id of a user's reminder of a type for a time, to the second and in UTC:
/// `reminder-{reminderType}-{userId}-{scheduledTime}`.
pub fn reminder(reminder_type: &str, user: &UserId, time: DateTime<Utc>) -> String {
    let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("reminder-{reminder_type}-{user}-{time}")
}

/// The default id of a workflow with this input, if the input and the day, in UTC, say which business
/// fact it is.
///
/// A notification and a subscription's payment have none: which notification, and which period, is
/// the caller's to say.
pub fn default_for(workflow: &str, input: &serde_json::Value, today: NaiveDate) -> Option<String> {
    let field = |name: &str| input.get(name).and_then(serde_json::Value::as_str);
    let time = |name: &str| {
        let time = DateTime::parse_from_rfc3339(field(name)?).ok()?;
        Some(time.to_utc())
    };
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
        "dailyReportWorkflow" => {
            let date = match input.get("scheduleTime") {
                Some(_) => time("scheduleTime")?.date_naive(),
                None => today,
            };
            Some(daily_report(field("reportType")?, date))
        }
        "dataCleanupWorkflow" => Some(cleanup(field("cleanupType")?, today)),
        "reminderWorkflow" => {
            let user = UserId::parse(field("userId")?).ok()?;
            let time = time("scheduledTime")?;
            Some(reminder(field("reminderType")?, &user, time))
        }
        _ => None,
    }
}
