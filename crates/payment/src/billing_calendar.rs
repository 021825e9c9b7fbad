//! When the periods of a subscription begin, by the calendar and the clock of its user.
//!
//! Period `k` begins `k` weeks, months or years after the anchor, in local time and always counted
//! from the anchor: 31 January, 28 February, 31 March. A day that the month does not have becomes the
//! month's last, and the time of day stays. A local time that the clocks skip moves on by what they
//! skip; of one that comes twice, the first counts (RFC 5545 reads local times the same way). The
//! anchor itself is taken as it is: period 0 begins exactly there.
//!
//! A period is named by the local day on which it begins. Names differ within a calendar: periods lie
//! at least seven days apart before skipped times are moved, and no zone ever skipped more than a day.
//! (Samoa had no 30 December 2011: a period of that day begins on the 31st and is named so.)
//!
//! The calendar ends with the year 9999, the last that RFC 3339 can write. An index behind the last
//! period means the last period.

use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};

/// How often a subscription is paid.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum BillingPeriod {
    /// Every seven days.
    Weekly,
    /// Once a calendar month.
    Monthly,
    /// Once a calendar year.
    Yearly,
}

impl BillingPeriod {
    /// Every value.
    pub const ALL: &[Self] = &[Self::Weekly, Self::Monthly, Self::Yearly];

    /// The spelling on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }

    /// The value with this spelling.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|period| period.as_str() == text)
    }
}

impl fmt::Display for BillingPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a period's name is written.
const NAME: &str = "%Y-%m-%d";

/// The last year in which a period may begin.
const LAST_YEAR: i32 = 9999;

/// The periods of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillingCalendar {
    anchor: DateTime<Utc>,
    /// The anchor by the user's calendar and clock.
    local_anchor: NaiveDateTime,
    zone: Tz,
    period: BillingPeriod,
}

impl BillingCalendar {
    /// The periods that begin every `period` from `anchor` on, by the clocks of `zone`.
    pub fn new(anchor: DateTime<Utc>, zone: Tz, period: BillingPeriod) -> Self {
        Self {
            anchor,
            local_anchor: local(anchor, zone),
            zone,
            period,
        }
    }

    /// When a period begins; the one before it ends then.
    pub fn start(&self, index: u32) -> DateTime<Utc> {
        let index = index.min(self.last());
        if index == 0 {
            return self.anchor;
        }
        self.nominal(index)
            .map_or(DateTime::<Utc>::MAX_UTC, |local| self.instant(local))
    }

    /// The name of a period: its first day by the user's calendar, such as `2026-01-31`.
    pub fn name(&self, index: u32) -> String {
        self.first_day(index).format(NAME).to_string()
    }

    /// The period that contains this instant; before the anchor, the first.
    pub fn index_at(&self, at: DateTime<Utc>) -> u32 {
        let last = self.last();
        let mut index = self.estimate(local(at, self.zone).date());
        // The days alone do not say on which side of the first day's time of day the instant is, and a
        // clock that is put back over midnight shows a day again that is over.
        while index > 0 && self.start(index) > at {
            index -= 1;
        }
        while index < last && self.start(index + 1) <= at {
            index += 1;
        }
        index
    }

    /// The period of this name, if it is one of this calendar's.
    pub fn index_of(&self, name: &str) -> Option<u32> {
        let day = NaiveDate::parse_from_str(name, NAME).ok()?;
        let index = self.estimate(day);
        // A skipped day may have put the first day into the next month.
        [Some(index), index.checked_sub(1)]
            .into_iter()
            .flatten()
            .find(|&index| self.name(index) == name)
    }

    fn first_day(&self, index: u32) -> NaiveDate {
        local(self.start(index), self.zone).date()
    }

    /// The last period of the calendar.
    fn last(&self) -> u32 {
        NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31).map_or(0, |day| self.steps_until(day))
    }

    /// The period that begins on this day or about it.
    fn estimate(&self, day: NaiveDate) -> u32 {
        self.steps_until(day).min(self.last())
    }

    /// How many weeks, calendar months or calendar years lie between the anchor's and this day.
    fn steps_until(&self, day: NaiveDate) -> u32 {
        let anchor = self.local_anchor.date();
        let months = |day: NaiveDate| i64::from(day.year()) * 12 + i64::from(day.month0());
        let steps = match self.period {
            BillingPeriod::Weekly => day.signed_duration_since(anchor).num_weeks(),
            BillingPeriod::Monthly => months(day) - months(anchor),
            BillingPeriod::Yearly => i64::from(day.year()) - i64::from(anchor.year()),
        };
        u32::try_from(steps.max(0)).unwrap_or(u32::MAX)
    }

    /// When a period would begin if the clocks never changed.
    fn nominal(&self, index: u32) -> Option<NaiveDateTime> {
        let anchor = self.local_anchor;
        match self.period {
            BillingPeriod::Weekly => anchor.checked_add_days(Days::new(u64::from(index) * 7)),
            BillingPeriod::Monthly => anchor.checked_add_months(Months::new(index)),
            BillingPeriod::Yearly => anchor.checked_add_months(Months::new(index.checked_mul(12)?)),
        }
    }

    /// The instant of a local time: the earlier of two, and moved on by the gap if there is none.
    fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        if let Some(instant) = self.zone.from_local_datetime(&local).earliest() {
            return instant.to_utc();
        }
        // By the offset before the gap, a time `x` into it is the instant `x` after it began.
        GapInfo::new(&local, &self.zone)
            .and_then(|gap| gap.begin)
            .and_then(|(_, before)| local.checked_sub_offset(before.fix()))
            .map_or(DateTime::<Utc>::MAX_UTC, |utc| utc.and_utc())
    }
}

/// An instant by the clocks of a zone.
fn local(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    let utc = at.naive_utc();
    let offset = zone.offset_from_utc_datetime(&utc).fix();
    // Only the first and the last day that can be represented have no local time.
    utc.checked_add_offset(offset).unwrap_or(utc)
}

#[cfg(test)]
mod tests;
