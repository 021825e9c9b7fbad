//! The hours in which a user is left alone, by the clock on their wall.

use chrono::{DateTime, FixedOffset, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// From one time of day until another, every day; `22:00` until `07:00` spans midnight.
///
/// The same time twice means never: there is no way to be left alone for ever by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from: NaiveTime,
    until: NaiveTime,
    zone: Tz,
}

impl QuietHours {
    /// Quiet from `from` on, and not any more at `until`, by the clocks of `zone`.
    pub fn new(from: NaiveTime, until: NaiveTime, zone: Tz) -> Self {
        Self { from, until, zone }
    }

    /// When the quiet hours end that this instant lies in; nothing outside of them.
    ///
    /// What counts is what the clock shows. When it jumps over the end, they end with the jump. When
    /// it is put back to before they began, they end too, and begin again. Only when it jumps over all
    /// of the time between two quiet hours, both are one.
    pub fn end_if_quiet(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // chrono can write a leap second, which no wall clock shows.
        let at = at
            .with_nanosecond(at.nanosecond().min(999_999_999))
            .unwrap_or(at);
        if !self.covers(self.clock(at)) {
            return None;
        }
        let mut end = at;
        while self.covers(self.clock(end)) {
            // Nobody waits for the end of time.
            end = self.next_look(end)?;
        }
        Some(end)
    }

    fn covers(&self, time: NaiveTime) -> bool {
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            self.from <= time || time < self.until
        }
    }

    fn clock(&self, at: DateTime<Utc>) -> NaiveTime {
        at.time() + self.offset(at)
    }

    fn offset(&self, at: DateTime<Utc>) -> FixedOffset {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix()
    }

    /// When the clock shows the end of the quiet hours, or is changed before that.
    fn next_look(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut rest = self.until.signed_duration_since(self.clock(at));
        if rest <= TimeDelta::zero() {
            rest += TimeDelta::days(1);
        }
        let end = at.checked_add_signed(rest)?;
        if self.offset(end) == self.offset(at) {
            Some(end)
        } else {
            self.change_between(at, end)
        }
    }

    /// The instant at which the clock is changed, which it is between these two. Halving finds it,
    /// because zones never change twice within two days.
    fn change_between(&self, at: DateTime<Utc>, end: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let before = self.offset(at);
        let (mut low, mut high) = (at.timestamp(), end.timestamp());
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.offset(DateTime::from_timestamp(middle, 0)?) == before {
                low = middle;
            } else {
                high = middle;
            }
        }
        DateTime::from_timestamp(high, 0)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use jiff::Timestamp;
    use jiff::tz::TimeZone as JiffZone;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Zones with every kind of change: by an hour, by half of one, by three, at midnight, in both
    /// hemispheres, around Ramadan, for good, by a whole day over the date line; and none at all.
    const ZONES: &[Tz] = &[
        Tz::UTC,
        Tz::Africa__Cairo,
        Tz::Africa__Casablanca,
        Tz::America__Havana,
        Tz::America__New_York,
        Tz::America__Sao_Paulo,
        Tz::America__St_Johns,
        Tz::Antarctica__Casey,
        Tz::Asia__Beirut,
        Tz::Asia__Kathmandu,
        Tz::Asia__Kolkata,
        Tz::Australia__Lord_Howe,
        Tz::Europe__Berlin,
        Tz::Pacific__Apia,
        Tz::Pacific__Kwajalein,
    ];

    /// Both libraries bring the time zone database of their own release. What clocks did is known
    /// alike to both; what they will do is a forecast that changes from release to release (the
    /// clocks of Casablanca from 2026 on differ today). So zones are compared within these years,
    /// in minutes since 1970: from 1980 to 2024.
    const MINUTES: RangeInclusive<i64> = 5_259_600..=28_926_720;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn time(text: &str) -> NaiveTime {
        text.parse().unwrap()
    }

    /// The time of day that the other library shows.
    fn wall(at: DateTime<Utc>, zone: &JiffZone) -> jiff::civil::Time {
        let nanosecond = i32::try_from(at.timestamp_subsec_nanos()).unwrap();
        let at = Timestamp::new(at.timestamp(), nanosecond).unwrap();
        at.to_zoned(zone.clone()).time()
    }

    fn is_quiet(from: NaiveTime, until: NaiveTime, at: DateTime<Utc>, zone: &JiffZone) -> bool {
        let clock = wall(at, zone).to_string().parse::<NaiveTime>().unwrap();
        // Going round from `from`, the clock comes before `until`.
        let round = |to: NaiveTime| {
            (to - from)
                .num_nanoseconds()
                .unwrap()
                .rem_euclid(86_400_000_000_000)
        };
        round(clock) < round(until)
    }

    /// The first minute from `at` on in which it is not quiet.
    fn first_loud_minute(
        from: NaiveTime,
        until: NaiveTime,
        at: DateTime<Utc>,
        zone: &JiffZone,
    ) -> DateTime<Utc> {
        (0..3 * 24 * 60)
            .map(|minute| at + TimeDelta::minutes(minute))
            .find(|at| !is_quiet(from, until, *at, zone))
            .unwrap()
    }

    fn any_zone() -> impl Strategy<Value = Tz> {
        select(ZONES)
    }

    /// A full minute, half of the time within a day of a change of the zone's clocks.
    fn zone_and_minute() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
        (any_zone(), MINUTES, -24 * 60..24 * 60_i64, any::<bool>()).prop_map(
            |(zone, minute, distance, is_near)| {
                let second = minute * 60;
                let change = JiffZone::get(zone.name())
                    .unwrap()
                    .preceding(Timestamp::from_second(second).unwrap())
                    .next()
                    .map(|change| change.timestamp().as_second())
                    .filter(|change| MINUTES.contains(&(change / 60)));
                let second = match change {
                    Some(change) if is_near => change + distance * 60,
                    _ => second,
                };
                (zone, DateTime::from_timestamp(second, 0).unwrap())
            },
        )
    }

    fn any_minute_of_day() -> impl Strategy<Value = NaiveTime> {
        prop_oneof![
            (0..24 * 60_u32),
            // Where clocks are changed.
            (0..4 * 60_u32),
            (0..8_u32).prop_map(|quarter| quarter * 15),
        ]
        .prop_map(|minute| NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap())
    }

    fn any_time_of_day() -> impl Strategy<Value = NaiveTime> {
        (0..86_400_u32, 0..1_000_000_u32).prop_map(|(second, micros)| {
            NaiveTime::from_num_seconds_from_midnight_opt(second, micros * 1_000).unwrap()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        #[test]
        fn they_are_and_end_where_the_other_librarys_clock_says_minute_by_minute(
            (zone, at) in zone_and_minute(),
            (from, until) in (any_minute_of_day(), any_minute_of_day()),
        ) {
            let end = QuietHours::new(from, until, zone).end_if_quiet(at);
            let zone = JiffZone::get(zone.name()).unwrap();
            let loud = first_loud_minute(from, until, at, &zone);
            prop_assert_eq!(end, (loud > at).then_some(loud));
        }

        #[test]
        fn the_end_is_ahead_not_quiet_and_within_a_day(
            (zone, minute) in zone_and_minute(),
            nanosecond in 0..60_000_000_000_i64,
            (from, until) in (any_time_of_day(), any_time_of_day()),
        ) {
            let at = minute + TimeDelta::nanoseconds(nanosecond);
            let hours = QuietHours::new(from, until, zone);
            let jiff_zone = JiffZone::get(zone.name()).unwrap();
            match hours.end_if_quiet(at) {
                None => prop_assert!(!is_quiet(from, until, at, &jiff_zone)),
                Some(end) => {
                    prop_assert!(is_quiet(from, until, at, &jiff_zone));
                    prop_assert!(end > at);
                    prop_assert_eq!(hours.end_if_quiet(end), None);
                    prop_assert!(!is_quiet(from, until, end, &jiff_zone));
                    let just_before = end - TimeDelta::nanoseconds(1);
                    prop_assert!(is_quiet(from, until, just_before, &jiff_zone));
                    // No change of the sample's clocks skips the time between two quiet hours
                    // unless it is shorter than three hours; see the test of that.
                    let between = (from - until).num_seconds().rem_euclid(86_400);
                    if between > 3 * 3_600 {
                        let put_back = wall_offset(at, &jiff_zone) - wall_offset(end, &jiff_zone);
                        let most = TimeDelta::seconds(86_400 + i64::from(put_back.max(0)));
                        prop_assert!(end - at <= most, "{} {}", at, end);
                    }
                }
            }
        }

        #[test]
        fn the_same_time_twice_is_never_quiet(
            (zone, at) in zone_and_minute(),
            time in any_time_of_day(),
        ) {
            prop_assert_eq!(QuietHours::new(time, time, zone).end_if_quiet(at), None);
        }

        #[test]
        fn nothing_panics_at_the_ends_of_time(
            zone in any_zone(),
            distance in 0..200_000_i64,
            (from, until) in (any_time_of_day(), any_time_of_day()),
        ) {
            let hours = QuietHours::new(from, until, zone);
            let distance = TimeDelta::seconds(distance);
            for at in [DateTime::<Utc>::MIN_UTC + distance, DateTime::<Utc>::MAX_UTC - distance] {
                if let Some(end) = hours.end_if_quiet(at) {
                    prop_assert!(end > at);
                }
            }
        }
    }

    fn wall_offset(at: DateTime<Utc>, zone: &JiffZone) -> i32 {
        let at = Timestamp::from_second(at.timestamp()).unwrap();
        at.to_zoned(zone.clone()).offset().seconds()
    }

    /// The end of the quiet hours that `at` is in, as the clocks of the zone show it.
    fn local_end(hours: (&str, &str), zone: Tz, at: &str) -> Option<String> {
        QuietHours::new(time(hours.0), time(hours.1), zone)
            .end_if_quiet(utc(at))
            .map(|end| end.with_timezone(&zone).to_rfc3339())
    }

    #[test]
    fn they_span_midnight_and_begin_and_end_to_the_instant() {
        let night = ("22:00:00", "07:00:00");
        for (at, end) in [
            ("2026-01-15T20:59:59Z", None),
            ("2026-01-15T21:00:00Z", Some("2026-01-16T07:00:00+01:00")),
            (
                "2026-01-16T05:59:59.999Z",
                Some("2026-01-16T07:00:00+01:00"),
            ),
            ("2026-01-16T06:00:00Z", None),
        ] {
            let actual = local_end(night, Tz::Europe__Berlin, at);
            assert_eq!(actual.as_deref(), end, "{at}");
        }
    }

    #[test]
    fn within_one_day_they_do_not_span_midnight() {
        let noon = ("12:00:00", "14:30:00");
        let zone = Tz::Asia__Kolkata;
        let end = Some("2026-01-15T14:30:00+05:30");
        assert_eq!(
            local_end(noon, zone, "2026-01-15T07:00:00Z").as_deref(),
            end
        );
        assert_eq!(local_end(noon, zone, "2026-01-15T20:00:00Z"), None);
        // Until midnight, as a database without a 24:00 writes it.
        let evening = ("20:00:00", "00:00:00");
        let end = Some("2026-01-16T00:00:00+05:30");
        assert_eq!(
            local_end(evening, zone, "2026-01-15T17:00:00Z").as_deref(),
            end
        );
    }

    #[test]
    fn a_night_in_which_the_clocks_change_ends_by_the_new_clock() {
        let night = ("22:00:00", "07:00:00");
        let berlin = |at| local_end(night, Tz::Europe__Berlin, at).unwrap();
        assert_eq!(berlin("2024-03-30T22:00:00Z"), "2024-03-31T07:00:00+02:00");
        assert_eq!(berlin("2024-10-26T21:00:00Z"), "2024-10-27T07:00:00+01:00");
    }

    #[test]
    fn an_end_that_the_clock_jumps_over_comes_with_the_jump() {
        let hours = ("22:00:00", "02:30:00");
        let end = local_end(hours, Tz::Europe__Berlin, "2024-03-30T22:00:00Z");
        assert_eq!(end.unwrap(), "2024-03-31T03:00:00+02:00");
        assert_eq!(
            local_end(hours, Tz::Europe__Berlin, "2024-03-31T01:00:00Z"),
            None
        );
    }

    #[test]
    fn an_end_that_comes_twice_ends_them_twice() {
        let hours = ("22:00:00", "02:30:00");
        let berlin = |at| local_end(hours, Tz::Europe__Berlin, at);
        let first = Some("2024-10-27T02:30:00+02:00".to_owned());
        assert_eq!(berlin("2024-10-26T22:00:00Z"), first);
        assert_eq!(berlin("2024-10-27T00:45:00Z"), None);
        let second = Some("2024-10-27T02:30:00+01:00".to_owned());
        assert_eq!(berlin("2024-10-27T01:15:00Z"), second);
    }

    #[test]
    fn a_clock_put_back_to_before_they_began_ends_them_until_they_begin_again() {
        let hours = ("02:30:00", "07:00:00");
        let berlin = |at| local_end(hours, Tz::Europe__Berlin, at);
        let put_back = Some("2024-10-27T02:00:00+01:00".to_owned());
        assert_eq!(berlin("2024-10-27T00:45:00Z"), put_back);
        assert_eq!(berlin("2024-10-27T01:15:00Z"), None);
        let morning = Some("2024-10-27T07:00:00+01:00".to_owned());
        assert_eq!(berlin("2024-10-27T01:30:00Z"), morning);
    }

    #[test]
    fn a_day_that_a_zone_skipped_makes_no_night_longer() {
        let night = ("22:00:00", "07:00:00");
        let end = local_end(night, Tz::Pacific__Apia, "2011-12-30T09:00:00Z");
        assert_eq!(end.unwrap(), "2011-12-31T07:00:00+14:00");
    }

    #[test]
    fn if_the_clock_skips_all_the_time_between_them_two_are_one() {
        let hours = ("02:45:00", "02:15:00");
        let end = local_end(hours, Tz::Europe__Berlin, "2024-03-30T12:00:00Z");
        assert_eq!(end.unwrap(), "2024-04-01T02:15:00+02:00");
    }

    #[test]
    fn a_leap_second_counts_as_the_second_before_it() {
        let leap = NaiveTime::from_hms_nano_opt(23, 59, 59, 1_500_000_000).unwrap();
        let at = utc("2016-12-31T00:00:00Z")
            .date_naive()
            .and_time(leap)
            .and_utc();
        let end = QuietHours::new(time("22:00:00"), time("00:00:00"), Tz::UTC).end_if_quiet(at);
        assert_eq!(end, Some(utc("2017-01-01T00:00:00Z")));
    }
}
