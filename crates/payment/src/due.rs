//! What a subscription owes next: the oldest period that is not paid, and which attempt is its next.
//!
//! Pure. `next_payment_date` says which period; the charge ledger says what was already tried.
//!
//! A user who moves to another time zone moves the beginnings of all periods, and may so rename them:
//! by a day, or by three where the anchor is the last of February here and the first of March there. What was dated before still means the period that it meant: a date counts as
//! the beginning of the period that begins closest to it, and a period that was charged keeps the
//! name that it was charged under. Otherwise one period could be charged under two names.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::billing_calendar::BillingCalendar;
use crate::dunning::Standing;
use crate::model::{ChargeState, PeriodCharge};

/// How far a period's beginning may lie from what was written down as such: more than zones can move
/// it, three days and a change of the clocks, and less than half of the shortest period.
const TOLERANCE: TimeDelta = TimeDelta::hours(78);

/// What is owed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The period of the calendar.
    pub index: u32,
    /// Its name in the charge ledger.
    pub period: String,
    /// When it begins.
    pub starts: DateTime<Utc>,
    /// Its next attempt, or the one that is under way.
    pub attempt: u32,
    /// Whether that attempt was begun, and how it ended is not written down.
    pub is_under_way: bool,
}

/// The first period that the standing leaves open, before the charge ledger is asked.
pub fn first_open(calendar: &BillingCalendar, standing: &Standing) -> u32 {
    match (standing.next_payment_date, standing.last_payment_date) {
        (Some(next), _) => beginning_from(calendar, next),
        (None, Some(last)) => calendar.index_at(last).saturating_add(1),
        (None, None) => 0,
    }
}

/// The earliest name under which the ledger may know this period.
pub fn earliest_name(calendar: &BillingCalendar, index: u32) -> String {
    // A name is a day by the calendar of its zone, which may begin a day before UTC's.
    let margin = TOLERANCE + TimeDelta::days(2);
    let earliest = calendar.start(index).checked_sub_signed(margin);
    earliest
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
        .format("%Y-%m-%d")
        .to_string()
}

/// What is owed next. `charges` are the subscription's from [`earliest_name`] on.
pub fn due(calendar: &BillingCalendar, standing: &Standing, charges: &[PeriodCharge]) -> Due {
    let charges: Vec<_> = charges
        .iter()
        .map(|charge| (index_of(calendar, &charge.period), charge))
        .collect();
    let of = |index: u32| {
        charges
            .iter()
            .filter(move |(of, _)| *of == Some(index))
            .map(|(_, charge)| *charge)
    };
    let mut index = first_open(calendar, standing);
    // Paid, and dated back by hand since: it is not owed again.
    while of(index).any(|charge| charge.state == ChargeState::Succeeded) {
        index = index.saturating_add(1);
    }
    let last = of(index).max_by_key(|charge| charge.attempt);
    Due {
        index,
        period: last.map_or_else(|| calendar.name(index), |charge| charge.period.clone()),
        starts: calendar.start(index),
        is_under_way: last.is_some_and(|charge| charge.state.is_open()),
        attempt: last.map_or(1, |charge| {
            if charge.state.is_open() {
                charge.attempt
            } else {
                charge.attempt.saturating_add(1)
            }
        }),
    }
}

/// The period of this name, also of one that was named in another zone.
pub fn index_of(calendar: &BillingCalendar, name: &str) -> Option<u32> {
    calendar.index_of(name).or_else(|| {
        let day = NaiveDate::parse_from_str(name, "%Y-%m-%d").ok()?;
        let noon = NaiveTime::from_hms_opt(12, 0, 0)?;
        Some(beginning_near(calendar, day.and_time(noon).and_utc()))
    })
}

/// The period that begins at this date, or else the next.
fn beginning_from(calendar: &BillingCalendar, date: DateTime<Utc>) -> u32 {
    let index = calendar.index_at(date);
    if date - calendar.start(index) <= TOLERANCE {
        index
    } else {
        index.saturating_add(1)
    }
}

/// The period whose beginning is closest to this instant.
fn beginning_near(calendar: &BillingCalendar, at: DateTime<Utc>) -> u32 {
    let index = calendar.index_at(at);
    let next = index.saturating_add(1);
    if at - calendar.start(index) <= calendar.start(next) - at {
        index
    } else {
        next
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::billing_calendar::BillingPeriod;
    use crate::model::SubscriptionStatus;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn monthly(zone: Tz) -> BillingCalendar {
        BillingCalendar::new(at("2026-01-31T23:30:00Z"), zone, BillingPeriod::Monthly)
    }

    fn owing(next: Option<&str>, last: Option<&str>) -> Standing {
        Standing {
            status: SubscriptionStatus::Active,
            failed_payment_count: 0,
            retry_at: None,
            last_payment_date: last.map(at),
            next_payment_date: next.map(at),
        }
    }

    fn charge(period: &str, attempt: u32, state: ChargeState) -> PeriodCharge {
        PeriodCharge {
            period: period.to_owned(),
            attempt,
            state,
        }
    }

    #[test]
    fn the_standing_says_which_period() {
        let calendar = monthly(Tz::UTC);
        for (next, last, index) in [
            (None, None, 0),
            (
                Some("2026-03-31T23:30:00Z"),
                Some("2026-01-31T23:30:00Z"),
                2,
            ),
            (None, Some("2026-01-31T23:30:00Z"), 1),
            (None, Some("2026-02-28T23:29:00Z"), 1),
            // Put off by hand: the period that begins then, or after it.
            (Some("2026-03-15T00:00:00Z"), None, 2),
            (Some("2025-01-01T00:00:00Z"), None, 0),
        ] {
            let due = due(&calendar, &owing(next, last), &[]);
            assert_eq!((due.index, due.attempt), (index, 1), "{next:?} {last:?}");
            assert_eq!(due.starts, calendar.start(index));
            assert_eq!(due.period, calendar.name(index));
        }
    }

    #[test]
    fn the_ledger_says_which_attempt() {
        let period = "2026-01-31";
        for &state in ChargeState::ALL {
            let charges = [
                charge(period, 1, ChargeState::Declined),
                charge(period, 2, state),
            ];
            let due = due(&monthly(Tz::UTC), &owing(None, None), &charges);
            let expected = match state {
                ChargeState::Created | ChargeState::Submitted | ChargeState::Refunding => (0, 2),
                ChargeState::Declined | ChargeState::Abandoned | ChargeState::Refunded => (0, 3),
                // Never owed again.
                ChargeState::Succeeded => (1, 1),
            };
            assert_eq!((due.index, due.attempt), expected, "{state}");
        }
    }

    /// Also where the last of February in one zone is the first of March in the other, and the clocks
    /// change in between.
    #[test]
    fn a_charged_period_keeps_its_name_when_its_user_moves() {
        for (anchor, from, to) in [
            ("2026-01-31T23:30:00Z", Tz::UTC, Tz::Pacific__Auckland),
            ("2026-02-28T23:30:00Z", Tz::UTC, Tz::Pacific__Auckland),
            ("2026-02-28T23:30:00Z", Tz::Pacific__Auckland, Tz::UTC),
            ("2026-03-01T02:00:00Z", Tz::UTC, Tz::America__New_York),
            ("2026-03-01T02:00:00Z", Tz::UTC, Tz::America__Los_Angeles),
            (
                "2026-03-01T02:00:00Z",
                Tz::Europe__Berlin,
                Tz::America__New_York,
            ),
            (
                "2026-03-01T02:00:00Z",
                Tz::America__New_York,
                Tz::Europe__Berlin,
            ),
        ] {
            let calendar = |zone| BillingCalendar::new(at(anchor), zone, BillingPeriod::Monthly);
            keeps_its_names(&calendar(from), &calendar(to));
        }
    }

    fn keeps_its_names(here: &BillingCalendar, there: &BillingCalendar) {
        for index in 0..30 {
            let name = here.name(index);
            let standing = owing(Some(&here.start(index).to_rfc3339()), None);
            let charges = [charge(&name, 1, ChargeState::Submitted)];
            let due = due(there, &standing, &charges);
            assert_eq!((due.index, due.attempt), (index, 1));
            assert_eq!(due.period, name);
            assert!(earliest_name(there, index) <= name, "{name}");
        }
    }
}
