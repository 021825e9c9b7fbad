//! Telling the user what came of a charge: in the app, by push, and by a mail of its own.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use partner_core::contracts::notification::{NotificationEmail, SendNotificationInput};
use partner_core::step;

use super::state::{Outcome, Step};
use super::{Context, Subscription, enter, policies};
use crate::activities::subscription::SubscriptionDetails;
use crate::emails::{
    SubscriptionMail, Suspension, subscription_charged, subscription_retry, subscription_suspended,
};

/// What the user is told.
struct Notice {
    kind: &'static str,
    title: &'static str,
    message: String,
    email: NotificationEmail,
}

/// Tells the user; what went wrong with that is a warning, and no reason to undo a payment.
pub(super) async fn tell(
    ctx: &Context,
    subscription: &Subscription,
    details: &SubscriptionDetails,
    outcome: &Outcome,
) -> Option<String> {
    let notice = notice(subscription, details, outcome).transpose()?;
    enter(ctx, Step::Telling);
    let notification = notice.map(|notice| notification(subscription, details, outcome, notice));
    step::tell(ctx, "the user", &policies(ctx), notification).await
}

fn notification(
    subscription: &Subscription,
    details: &SubscriptionDetails,
    outcome: &Outcome,
    notice: Notice,
) -> SendNotificationInput {
    let input = &subscription.input;
    let billing = &details.billing;
    SendNotificationInput {
        user_id: input.user_id.to_string(),
        kind: notice.kind.to_owned(),
        message: notice.message,
        metadata: None,
        title: Some(notice.title.to_owned()),
        email: Some(notice.email),
        channels: None,
        // Who owes something is told so, whatever they muted.
        critical: !matches!(outcome, Outcome::Paid { .. }),
        notification_id: Some(format!(
            "subscription/{}/{}/{}/{}",
            input.subscription_id, billing.period, billing.attempt, notice.kind
        )),
    }
}

fn notice(
    subscription: &Subscription,
    details: &SubscriptionDetails,
    outcome: &Outcome,
) -> Result<Option<Notice>, askama::Error> {
    let amount = subscription.amount;
    let id = subscription.input.subscription_id.as_str();
    let mail = SubscriptionMail {
        subscription_id: id,
        plan: &details.plan,
        amount,
        period: &details.billing.period,
    };
    let zone = &details.time_zone;
    let notice = match outcome {
        Outcome::Paid {
            transaction_id,
            next_payment_date,
            ..
        } => Notice {
            kind: "subscription_charged",
            title: "Payment received",
            message: format!("Your payment of {amount} for subscription {id} was received."),
            email: subscription_charged(mail, transaction_id, day(*next_payment_date, zone))?,
        },
        Outcome::Retry { retry_at, .. } => Notice {
            kind: "subscription_payment_failed",
            title: "Payment failed",
            message: format!(
                "Your payment of {amount} for subscription {id} did not go through. It will be tried again."
            ),
            email: subscription_retry(mail, retry_at.map(|at| day(at, zone)))?,
        },
        Outcome::Suspended { failures, .. } => Notice {
            kind: "subscription_suspended",
            title: "Subscription suspended",
            message: format!(
                "Your payment of {amount} for subscription {id} did not go through, and the subscription \
                 is suspended. Please give another payment method."
            ),
            email: subscription_suspended(mail, suspension(*failures))?,
        },
        Outcome::AlreadyPaid { .. }
        | Outcome::NotDue { .. }
        | Outcome::Inactive { .. }
        | Outcome::Cancelled { .. } => return Ok(None),
    };
    Ok(Some(notice))
}

/// Suspended before the attempts ran out, it was the payment method's fault.
fn suspension(failures: i32) -> Suspension {
    match u32::try_from(failures) {
        Ok(attempts) if failures >= crate::dunning::MAX_FAILURES => {
            Suspension::AttemptsFailed { attempts }
        }
        _ => Suspension::MethodRefused,
    }
}

/// The day by the user's calendar; by UTC's if their zone has an unknown name.
fn day(at: DateTime<Utc>, zone: &str) -> NaiveDate {
    match zone.parse::<Tz>() {
        Ok(zone) => at.with_timezone(&zone).date_naive(),
        Err(_) => at.date_naive(),
    }
}
