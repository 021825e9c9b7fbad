//! What a charge of a subscription does to its standing: the one state machine of dunning.
//!
//! Pure: whoever records a charge's outcome reads the standing, takes [`step`], and writes the
//! result down in the same transaction.

use chrono::{DateTime, TimeDelta, Utc};

use crate::billing_calendar::BillingCalendar;
use crate::model::SubscriptionStatus;

/// The failure that suspends; the contract's number.
pub const MAX_FAILURES: i32 = 3;

/// What follows a decline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DunningPolicy {
    /// The days from the first failure to the second attempt, and from the second to the third.
    pub retry_days: [u16; MAX_FAILURES as usize - 1],
}

impl DunningPolicy {
    /// When to try again after this many failures.
    fn retry_at(self, failures: i32, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let [first, second] = self.retry_days;
        let days = if failures <= 1 { first } else { second };
        at.checked_add_signed(TimeDelta::days(i64::from(days)))
    }
}

/// Whether trying the same payment method again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclineClass {
    /// It cannot: the user must pay with something else, or take part.
    Hard,
    /// It can, some days later.
    Soft,
}

/// The codes after which the gateway's documentation has nothing but another payment method, or the
/// user's own action, as the next step (<https://docs.stripe.com/declines/codes>), and those that
/// its own retries count as hard (<https://docs.stripe.com/billing/revenue-recovery/smart-retries>).
const HARD_DECLINES: &[&str] = &[
    // Nobody is there to be asked when a subscription is charged.
    "authentication_required",
    "card_not_supported",
    "currency_not_supported",
    "do_not_try_again",
    "expired_card",
    "fraudulent",
    "highest_risk_level",
    "incorrect_number",
    "invalid_account",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "lost_card",
    "merchant_blacklist",
    "new_account_information_available",
    "pickup_card",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "stolen_card",
    "stop_payment_order",
    "testmode_decline",
    "transaction_not_allowed",
];

impl DeclineClass {
    /// The class of the gateway's code; one that is not known may pass.
    pub fn of(code: &str) -> Self {
        if HARD_DECLINES.contains(&code) {
            Self::Hard
        } else {
            Self::Soft
        }
    }
}

/// How a subscription stands with its payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How it stands.
    pub status: SubscriptionStatus,
    /// Failed charges since the last that succeeded.
    pub failed_payment_count: i32,
    /// When the next attempt is due after a decline.
    pub retry_at: Option<DateTime<Utc>>,
    /// When it was last paid.
    pub last_payment_date: Option<DateTime<Utc>>,
    /// When the oldest period begins that is not paid.
    pub next_payment_date: Option<DateTime<Utc>>,
}

/// How the charge of a period ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The money was taken.
    Paid {
        /// For which period of the calendar.
        period: u32,
    },
    /// The gateway refused.
    Declined(DeclineClass),
}

/// The standing after a charge that ended so at this time.
///
/// - Paid: active again, and nothing has failed. Due next is the period that follows; after a
///   suspension the first that begins after `at`, for the periods without service are not owed. A
///   date that is later already stays, so paying the same period twice changes nothing.
/// - Soft decline: counts, and is tried again on the policy's day; at [`MAX_FAILURES`] it suspends.
/// - Hard decline: counts, and suspends at once.
/// - While suspended, a decline counts up to [`MAX_FAILURES`] and plans nothing.
/// - Once cancelled or expired, nothing changes.
pub fn step(
    standing: &Standing,
    outcome: Outcome,
    calendar: &BillingCalendar,
    policy: DunningPolicy,
    at: DateTime<Utc>,
) -> Standing {
    if standing.status.is_final() {
        return *standing;
    }
    match outcome {
        Outcome::Paid { period } => paid(standing, period, calendar, at),
        Outcome::Declined(class) => declined(standing, class, policy, at),
    }
}

fn paid(
    standing: &Standing,
    period: u32,
    calendar: &BillingCalendar,
    at: DateTime<Utc>,
) -> Standing {
    let mut next = period.saturating_add(1);
    if standing.status == SubscriptionStatus::Suspended && calendar.start(0) <= at {
        next = next.max(calendar.index_at(at).saturating_add(1));
    }
    let next = calendar.start(next);
    Standing {
        status: SubscriptionStatus::Active,
        failed_payment_count: 0,
        retry_at: None,
        last_payment_date: Some(at),
        next_payment_date: Some(standing.next_payment_date.map_or(next, |set| set.max(next))),
    }
}

fn declined(
    standing: &Standing,
    class: DeclineClass,
    policy: DunningPolicy,
    at: DateTime<Utc>,
) -> Standing {
    let before = standing.failed_payment_count;
    // A count that somebody set higher by hand stays.
    let failures = before.saturating_add(1).min(MAX_FAILURES.max(before));
    let is_suspended = standing.status == SubscriptionStatus::Suspended
        || class == DeclineClass::Hard
        || failures >= MAX_FAILURES;
    Standing {
        status: if is_suspended {
            SubscriptionStatus::Suspended
        } else {
            standing.status
        },
        failed_payment_count: failures,
        retry_at: if is_suspended {
            None
        } else {
            policy.retry_at(failures, at)
        },
        ..*standing
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;
    use crate::billing_calendar::BillingPeriod;

    fn day(day: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 31, 8, 0, 0).unwrap() + TimeDelta::days(day)
    }

    fn calendar() -> BillingCalendar {
        BillingCalendar::new(day(0), Tz::UTC, BillingPeriod::Monthly)
    }

    const POLICY: DunningPolicy = DunningPolicy { retry_days: [3, 5] };

    const FRESH: Standing = Standing {
        status: SubscriptionStatus::Active,
        failed_payment_count: 0,
        retry_at: None,
        last_payment_date: None,
        next_payment_date: None,
    };

    const SOFT: Outcome = Outcome::Declined(DeclineClass::Soft);
    const HARD: Outcome = Outcome::Declined(DeclineClass::Hard);

    fn take(standing: &Standing, outcome: Outcome, at: DateTime<Utc>) -> Standing {
        step(standing, outcome, &calendar(), POLICY, at)
    }

    #[test]
    fn three_soft_declines_suspend_on_the_policys_days() {
        let first = take(&FRESH, SOFT, day(0));
        assert_eq!(
            (first.failed_payment_count, first.retry_at),
            (1, Some(day(3)))
        );
        let second = take(&first, SOFT, day(3));
        assert_eq!(
            (second.failed_payment_count, second.retry_at),
            (2, Some(day(8)))
        );
        assert_eq!(second.status, SubscriptionStatus::Active);
        let third = take(&second, SOFT, day(8));
        assert_eq!((third.failed_payment_count, third.retry_at), (3, None));
        assert_eq!(third.status, SubscriptionStatus::Suspended);
        assert_eq!(
            third.next_payment_date, FRESH.next_payment_date,
            "it is still owed"
        );
    }

    #[test]
    fn a_payment_is_followed_by_the_next_period_of_the_anchor() {
        let paid = take(&FRESH, Outcome::Paid { period: 0 }, day(2));
        assert_eq!(paid.next_payment_date, Some(calendar().start(1)));
        let late = take(&paid, Outcome::Paid { period: 1 }, day(70));
        assert_eq!(
            late.next_payment_date,
            Some(calendar().start(2)),
            "period 2 is owed too"
        );
        assert_eq!(late.last_payment_date, Some(day(70)));
    }

    #[test]
    fn periods_of_a_suspension_are_not_owed() {
        let suspended = take(&FRESH, HARD, day(0));
        let paid = take(&suspended, Outcome::Paid { period: 0 }, day(70));
        assert_eq!(paid.next_payment_date, Some(calendar().start(3)));
        let at_once = take(&suspended, Outcome::Paid { period: 0 }, day(1));
        assert_eq!(at_once.next_payment_date, Some(calendar().start(1)));
        // The instant at which a period begins belongs to it.
        let begins = calendar().start(2);
        let paid = take(&suspended, Outcome::Paid { period: 0 }, begins);
        assert_eq!(paid.next_payment_date, Some(calendar().start(3)));
    }

    #[test]
    fn codes_are_classed_as_the_gateway_documents_them() {
        for code in [
            "lost_card",
            "stolen_card",
            "expired_card",
            "authentication_required",
        ] {
            assert_eq!(DeclineClass::of(code), DeclineClass::Hard, "{code}");
        }
        for code in [
            "insufficient_funds",
            "do_not_honor",
            "processing_error",
            "",
            "new_code",
        ] {
            assert_eq!(DeclineClass::of(code), DeclineClass::Soft, "{code}");
        }
    }

    fn outcomes() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            3 => Just(SOFT),
            1 => Just(HARD),
            1 => (0u32..40).prop_map(|period| Outcome::Paid { period }),
        ]
    }

    fn standings() -> impl Strategy<Value = Standing> {
        (
            prop::sample::select(SubscriptionStatus::ALL),
            0..6i32,
            prop::option::of(0..900i64),
            prop::option::of(0..900i64),
            prop::option::of(0..900i64),
        )
            .prop_map(
                |(status, failed_payment_count, retry, last, next)| Standing {
                    status,
                    failed_payment_count,
                    retry_at: retry.map(day),
                    last_payment_date: last.map(day),
                    next_payment_date: next.map(day),
                },
            )
    }

    proptest! {
        /// Counted by another, simpler rule: the attempts since the last payment.
        #[test]
        fn a_suspension_comes_with_the_third_decline_in_a_row_or_a_hard_one(
            outcomes in prop::collection::vec(outcomes(), 0..40),
        ) {
            let mut standing = FRESH;
            let mut declines_in_a_row = 0;
            let mut hard_in_a_row = false;
            for (number, outcome) in outcomes.into_iter().enumerate() {
                let at = day(i64::try_from(number).unwrap());
                standing = take(&standing, outcome, at);
                match outcome {
                    Outcome::Paid { .. } => (declines_in_a_row, hard_in_a_row) = (0, false),
                    Outcome::Declined(class) => {
                        declines_in_a_row += 1;
                        hard_in_a_row |= class == DeclineClass::Hard;
                    }
                }
                let is_suspended = hard_in_a_row || declines_in_a_row >= MAX_FAILURES;
                prop_assert_eq!(standing.status == SubscriptionStatus::Suspended, is_suspended);
                prop_assert_eq!(standing.failed_payment_count, declines_in_a_row.min(MAX_FAILURES));
                let is_retried = declines_in_a_row > 0 && !is_suspended;
                prop_assert_eq!(standing.retry_at.is_some(), is_retried);
                prop_assert!(standing.retry_at.is_none_or(|retry| retry > at));
            }
        }

        #[test]
        fn a_payment_always_reactivates_and_twice_is_once(
            standing in standings(),
            period in 0..40u32,
            at in 0..1_500i64,
        ) {
            prop_assume!(!standing.status.is_final());
            let outcome = Outcome::Paid { period };
            let paid = take(&standing, outcome, day(at));
            prop_assert_eq!(paid.status, SubscriptionStatus::Active);
            prop_assert_eq!((paid.failed_payment_count, paid.retry_at), (0, None));
            prop_assert!(paid.next_payment_date >= Some(calendar().start(period + 1)));
            prop_assert!(paid.next_payment_date >= standing.next_payment_date);
            if standing.status == SubscriptionStatus::Suspended {
                prop_assert!(paid.next_payment_date > Some(day(at)));
            }
            prop_assert_eq!(take(&paid, outcome, day(at)), paid);
        }

        #[test]
        fn a_decline_moves_no_date_and_never_lifts_a_suspension(
            standing in standings(),
            hard: bool,
            at in 0..1_500i64,
        ) {
            let after = take(&standing, if hard { HARD } else { SOFT }, day(at));
            prop_assert_eq!(after.next_payment_date, standing.next_payment_date);
            prop_assert_eq!(after.last_payment_date, standing.last_payment_date);
            prop_assert!(after.failed_payment_count >= standing.failed_payment_count);
            prop_assert!(after.failed_payment_count <= MAX_FAILURES.max(standing.failed_payment_count));
            if standing.status != SubscriptionStatus::Active {
                prop_assert_eq!(after.status, standing.status);
            }
        }

        #[test]
        fn nothing_changes_once_it_ended(standing in standings(), outcome in outcomes(), at in 0..1_500i64) {
            for status in [SubscriptionStatus::Cancelled, SubscriptionStatus::Expired] {
                let ended = Standing { status, ..standing };
                prop_assert_eq!(take(&ended, outcome, day(at)), ended);
            }
        }
    }
}
