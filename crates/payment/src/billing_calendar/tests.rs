//! Billing dates by hand, and against an independent calendar.

use jiff::tz::TimeZone as JiffZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Zones with every kind of change: by an hour, by half of one, by three, at midnight, in both
/// hemispheres, around Ramadan, for good, by a whole day over the date line; and none at all.
const ZONES: &[Tz] = &[
    Tz::UTC,
    Tz::Africa__Cairo,
    Tz::Africa__Casablanca,
    Tz::America__Caracas,
    Tz::America__Havana,
    Tz::America__New_York,
    Tz::America__Sao_Paulo,
    Tz::America__St_Johns,
    Tz::Antarctica__Casey,
    Tz::Asia__Beirut,
    Tz::Asia__Kathmandu,
    Tz::Asia__Kolkata,
    Tz::Asia__Tehran,
    Tz::Australia__Lord_Howe,
    Tz::Europe__Berlin,
    Tz::Europe__Istanbul,
    Tz::Pacific__Apia,
    Tz::Pacific__Kiritimati,
    Tz::Pacific__Kwajalein,
];

/// Both libraries bring the time zone database of their own release. What clocks did is known
/// alike to both; what they will do is a forecast that changes from release to release (the
/// clocks of Casablanca from 2026 on differ today). So zones are compared within these years.
const YEARS: std::ops::RangeInclusive<&str> = "1980-01-01T00:00:00Z"..="2024-12-31T23:59:59Z";

fn seconds(years: &std::ops::RangeInclusive<&str>) -> std::ops::RangeInclusive<i64> {
    let second = |text: &str| utc(text).timestamp();
    second(years.start())..=second(years.end())
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn jiff_zone(zone: Tz) -> JiffZone {
    JiffZone::get(zone.name()).unwrap()
}

fn to_jiff(at: DateTime<Utc>, zone: Tz) -> Zoned {
    let nanosecond = i32::try_from(at.timestamp_subsec_nanos()).unwrap();
    Timestamp::new(at.timestamp(), nanosecond)
        .unwrap()
        .to_zoned(jiff_zone(zone))
}

fn from_jiff(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(at.as_nanosecond().try_into().unwrap())
}

fn periods(period: BillingPeriod, count: u32) -> Span {
    let count = i64::from(count);
    match period {
        BillingPeriod::Weekly => count.weeks(),
        BillingPeriod::Monthly => count.months(),
        BillingPeriod::Yearly => count.years(),
    }
}

fn any_period() -> impl Strategy<Value = BillingPeriod> {
    select(BillingPeriod::ALL)
}

fn any_zone() -> impl Strategy<Value = Tz> {
    select(ZONES)
}

/// An instant within [`YEARS`], to the microsecond as PostgreSQL keeps it.
fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    (seconds(&YEARS), 0..1_000_000_u32)
        .prop_map(|(second, micros)| DateTime::from_timestamp(second, micros * 1_000).unwrap())
}

/// A calendar one of whose periods begins close to a change of its zone's clocks, by the local
/// time before the change: often within the gap, or twice. With it, the index of that period.
fn around_a_change() -> impl Strategy<Value = (BillingCalendar, u32)> {
    (
        any_zone(),
        any_instant(),
        -26 * 3_600..26 * 3_600_i64,
        any::<bool>(),
        any_period(),
        1..30_u32,
    )
        .prop_map(|(zone, at, distance, is_near, period, index)| {
            let at = to_jiff(at, zone);
            let change = at
                .time_zone()
                .preceding(at.timestamp())
                .next()
                .map_or(at.timestamp(), |change| change.timestamp());
            let distance = if is_near { distance / 13 } else { distance };
            let before = (change - 1.second()).to_zoned(at.time_zone().clone());
            let local = before.datetime() + (distance + 1).seconds();
            let anchor = (local - periods(period, index))
                .to_zoned(at.time_zone().clone())
                .unwrap();
            let anchor = from_jiff(anchor.timestamp());
            (BillingCalendar::new(anchor, zone, period), index)
        })
}

fn any_calendar() -> impl Strategy<Value = (BillingCalendar, u32)> {
    (any_instant(), any_zone(), any_period(), 0..200_u32).prop_map(
        |(anchor, zone, period, index)| (BillingCalendar::new(anchor, zone, period), index),
    )
}

/// When the other library says that a period begins, if all of it is within [`YEARS`].
fn expected(calendar: &BillingCalendar, index: u32) -> Option<Zoned> {
    let anchor = to_jiff(calendar.anchor, calendar.zone);
    let start = &anchor + periods(calendar.period, index);
    [&anchor, &start]
        .iter()
        .all(|at| seconds(&YEARS).contains(&at.timestamp().as_second()))
        .then_some(start)
}

fn assert_consistent(calendar: &BillingCalendar, index: u32) -> Result<(), TestCaseError> {
    let (start, next) = (calendar.start(index), calendar.start(index + 1));
    prop_assert!(start < next, "{} {}", start, next);
    prop_assert_eq!(calendar.index_at(start), index);
    let just_before = next - chrono::TimeDelta::nanoseconds(1);
    prop_assert_eq!(calendar.index_at(just_before), index);
    let name = calendar.name(index);
    prop_assert_eq!(calendar.index_of(&name), Some(index), "{}", name);
    prop_assert!(name < calendar.name(index + 1), "{}", name);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn periods_begin_where_the_other_library_says((calendar, index) in any_calendar()) {
        if let Some(expected) = expected(&calendar, index) {
            prop_assert_eq!(calendar.start(index), from_jiff(expected.timestamp()));
            prop_assert_eq!(calendar.name(index), expected.date().to_string());
        }
    }

    #[test]
    fn so_they_do_where_clocks_change((calendar, index) in around_a_change()) {
        if let Some(expected) = expected(&calendar, index) {
            prop_assert_eq!(calendar.start(index), from_jiff(expected.timestamp()), "{:?}", calendar);
            prop_assert_eq!(calendar.name(index), expected.date().to_string());
        }
    }

    #[test]
    fn so_they_do_up_to_the_end_of_the_calendar(
        second in 0..=253_402_000_000_i64,
        period in any_period(),
        index in 0..400_000_u32,
    ) {
        let anchor = DateTime::from_timestamp(second, 0).unwrap();
        let calendar = BillingCalendar::new(anchor, Tz::UTC, period);
        if index <= calendar.last() {
            let expected = to_jiff(anchor, Tz::UTC).datetime() + periods(period, index);
            prop_assert_eq!(calendar.start(index).naive_utc().to_string(), expected.strftime("%Y-%m-%d %H:%M:%S").to_string());
        }
    }

    #[test]
    fn starts_names_and_indexes_agree((calendar, index) in any_calendar()) {
        assert_consistent(&calendar, index)?;
    }

    #[test]
    fn so_they_do_where_clocks_are_changed((calendar, index) in around_a_change()) {
        assert_consistent(&calendar, index - 1)?;
        assert_consistent(&calendar, index)?;
    }

    #[test]
    fn an_instant_is_in_the_period_that_has_begun_last(
        (calendar, _) in any_calendar(),
        at in any_instant(),
    ) {
        let index = calendar.index_at(at);
        prop_assert!(at < calendar.start(index + 1));
        prop_assert!(index == 0 || calendar.start(index) <= at);
    }

    #[test]
    fn a_day_names_a_period_only_if_the_period_begins_on_it(
        (calendar, _) in any_calendar(),
        at in any_instant(),
    ) {
        let day = at.date_naive().to_string();
        let begun = (0..3_000).map(|index| calendar.name(index)).take_while(|name| *name <= day);
        let expected = begun.enumerate().find(|(_, name)| *name == day).map(|(index, _)| index);
        prop_assert_eq!(calendar.index_of(&day).map(|index| index as usize), expected);
    }

    #[test]
    fn nothing_panics_or_runs_backwards_at_the_ends_of_time(
        (anchor, at) in (any_time(), any_time()),
        zone in any_zone(),
        period in any_period(),
        index in prop_oneof![any::<u32>(), 0..600_000_u32],
    ) {
        let calendar = BillingCalendar::new(anchor, zone, period);
        prop_assert!(calendar.start(index) <= calendar.start(index.saturating_add(1)));
        let known = index.min(calendar.last());
        prop_assert_eq!(calendar.index_at(calendar.start(index)), known);
        prop_assert_eq!(calendar.index_of(&calendar.name(index)), Some(known));
        prop_assert!(calendar.index_at(at) <= calendar.last());
    }
}

/// Any instant that can be written, and the first and the last ones often.
fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    prop_oneof![
        (first.timestamp()..=last.timestamp())
            .prop_map(|second| DateTime::from_timestamp(second, 0).unwrap()),
        (0..200_000_i64).prop_map(move |second| first + chrono::TimeDelta::seconds(second)),
        (0..200_000_i64).prop_map(move |second| last - chrono::TimeDelta::seconds(second)),
        any_instant(),
    ]
}

/// The first periods of a subscription, by the clocks of its zone.
fn local_starts(anchor: &str, zone: Tz, period: BillingPeriod, count: u32) -> Vec<String> {
    let anchor = NaiveDateTime::parse_from_str(anchor, "%Y-%m-%dT%H:%M").unwrap();
    let anchor = zone.from_local_datetime(&anchor).earliest().unwrap();
    let calendar = BillingCalendar::new(anchor.to_utc(), zone, period);
    (0..count)
        .map(|index| {
            let start = calendar.start(index).with_timezone(&zone);
            let text = start.format("%Y-%m-%dT%H:%M").to_string();
            assert!(text.starts_with(&calendar.name(index)), "{text}");
            text
        })
        .collect()
}

#[test]
fn a_month_that_is_too_short_does_not_shorten_the_next() {
    assert_eq!(
        local_starts(
            "2026-01-31T09:00",
            Tz::Europe__Berlin,
            BillingPeriod::Monthly,
            5
        ),
        [
            "2026-01-31T09:00",
            "2026-02-28T09:00",
            "2026-03-31T09:00",
            "2026-04-30T09:00",
            "2026-05-31T09:00",
        ]
    );
    let leap = local_starts("2023-11-30T23:30", Tz::UTC, BillingPeriod::Monthly, 4);
    assert_eq!(leap[3], "2024-02-29T23:30");
}

#[test]
fn the_29th_of_february_comes_back_in_leap_years() {
    let days = local_starts(
        "2024-02-29T12:00",
        Tz::Asia__Kolkata,
        BillingPeriod::Yearly,
        5,
    );
    assert_eq!(
        days,
        [
            "2024-02-29T12:00",
            "2025-02-28T12:00",
            "2026-02-28T12:00",
            "2027-02-28T12:00",
            "2028-02-29T12:00",
        ]
    );
    // 2100 is no leap year.
    let calendar =
        BillingCalendar::new(utc("2096-02-29T12:00:00Z"), Tz::UTC, BillingPeriod::Yearly);
    assert_eq!(calendar.name(4), "2100-02-28");
    assert_eq!(calendar.name(8), "2104-02-29");
}

#[test]
fn the_local_time_of_day_stays_when_the_clocks_change() {
    let zone = Tz::America__New_York;
    let calendar = BillingCalendar::new(utc("2024-03-05T14:00:00Z"), zone, BillingPeriod::Weekly);
    // Nine o'clock in New York, before and in summer time.
    assert_eq!(calendar.start(0), utc("2024-03-05T14:00:00Z"));
    assert_eq!(calendar.start(1), utc("2024-03-12T13:00:00Z"));
}

#[test]
fn a_time_that_is_skipped_moves_on_by_the_gap_and_comes_back_after() {
    let berlin = local_starts(
        "2024-02-29T02:30",
        Tz::Europe__Berlin,
        BillingPeriod::Monthly,
        3,
    );
    assert_eq!(berlin[1..], ["2024-03-29T02:30", "2024-04-29T02:30"]);
    let berlin = local_starts(
        "2024-02-25T02:30",
        Tz::Europe__Berlin,
        BillingPeriod::Weekly,
        7,
    );
    assert_eq!(berlin[5..], ["2024-03-31T03:30", "2024-04-07T02:30"]);
    let half_an_hour = local_starts(
        "2024-09-06T02:15",
        Tz::Australia__Lord_Howe,
        BillingPeriod::Monthly,
        3,
    );
    assert_eq!(half_an_hour[1..], ["2024-10-06T02:45", "2024-11-06T02:15"]);
}

#[test]
fn of_a_time_that_comes_twice_the_first_counts() {
    let zone = Tz::Europe__Berlin;
    let calendar = BillingCalendar::new(utc("2024-09-27T00:30:00Z"), zone, BillingPeriod::Monthly);
    // 02:30 in summer time, and an hour later again in winter time.
    assert_eq!(calendar.start(1), utc("2024-10-27T00:30:00Z"));
    // An anchor is an instant, and may be the second.
    let second = utc("2024-10-27T01:30:00Z");
    let calendar = BillingCalendar::new(second, zone, BillingPeriod::Weekly);
    assert_eq!(calendar.start(0), second);
    assert_eq!(calendar.start(1), utc("2024-11-03T01:30:00Z"));
}

#[test]
fn a_day_that_a_zone_skipped_becomes_the_next_day_and_is_named_so() {
    assert_eq!(
        local_starts(
            "2011-11-30T10:00",
            Tz::Pacific__Apia,
            BillingPeriod::Monthly,
            3
        ),
        ["2011-11-30T10:00", "2011-12-31T10:00", "2012-01-30T10:00"]
    );
    assert_eq!(
        local_starts(
            "2011-12-23T10:00",
            Tz::Pacific__Apia,
            BillingPeriod::Weekly,
            3
        ),
        ["2011-12-23T10:00", "2011-12-31T10:00", "2012-01-06T10:00"]
    );
    // A last day of a year: its period is named by the next year.
    let zone = Tz::Pacific__Kiritimati;
    let yearly = local_starts("1993-12-31T00:00", zone, BillingPeriod::Yearly, 3);
    assert_eq!(
        yearly,
        ["1993-12-31T00:00", "1995-01-01T00:00", "1995-12-31T00:00"]
    );
    let anchor = utc("1993-12-31T10:00:00Z");
    let calendar = BillingCalendar::new(anchor, zone, BillingPeriod::Yearly);
    assert_eq!(calendar.index_of("1995-01-01"), Some(1));
    assert_eq!(calendar.index_of("1994-12-31"), None);
}

#[test]
fn a_clock_put_back_over_midnight_takes_nothing_back_into_the_last_period() {
    // In St. John's, one minute after this midnight became 23:01 of the day before.
    let anchor = utc("2010-10-31T02:30:30Z");
    let calendar = BillingCalendar::new(anchor, Tz::America__St_Johns, BillingPeriod::Weekly);
    assert_eq!(calendar.start(1), utc("2010-11-07T02:30:30Z"));
    assert_eq!(calendar.name(1), "2010-11-07");
    assert_eq!(calendar.index_at(utc("2010-11-07T03:00:00Z")), 1);
}

#[test]
fn before_the_anchor_the_first_period_counts() {
    let anchor = utc("2026-01-31T08:00:00Z");
    let calendar = BillingCalendar::new(anchor, Tz::Europe__Berlin, BillingPeriod::Monthly);
    assert_eq!(calendar.index_at(utc("2020-01-01T00:00:00Z")), 0);
    assert_eq!(calendar.index_of("2025-12-31"), None);
}

#[test]
fn a_name_is_spelled_in_one_way_only() {
    let anchor = utc("2026-01-31T08:00:00Z");
    let calendar = BillingCalendar::new(anchor, Tz::Europe__Berlin, BillingPeriod::Monthly);
    assert_eq!(calendar.index_of("2026-02-28"), Some(1));
    for other in [
        "",
        "2026-2-28",
        " 2026-02-28",
        "2026-02-28 ",
        "+2026-02-28",
        "2026-02-30",
        "2026-02-27",
        "2026-03-28",
        "20260228",
        "2026-02-28T09:00:00Z",
    ] {
        assert_eq!(calendar.index_of(other), None, "{other:?}");
    }
}

#[test]
fn behind_the_last_year_that_can_be_written_there_is_no_further_period() {
    let anchor = utc("2026-01-31T08:00:00Z");
    let calendar = BillingCalendar::new(anchor, Tz::UTC, BillingPeriod::Yearly);
    assert_eq!(calendar.name(9999 - 2026), "9999-01-31");
    assert_eq!(calendar.start(u32::MAX), utc("9999-01-31T08:00:00Z"));
    assert_eq!(calendar.index_at(DateTime::<Utc>::MAX_UTC), 9999 - 2026);
}

#[test]
fn a_period_is_spelled_alike_everywhere() {
    for (period, text) in BillingPeriod::ALL
        .iter()
        .zip(["weekly", "monthly", "yearly"])
    {
        assert_eq!(period.to_string(), text);
        assert_eq!(BillingPeriod::from_text(text), Some(*period));
        assert_eq!(serde_json::to_string(period).unwrap(), format!("{text:?}"));
        assert_eq!(
            serde_json::from_str::<BillingPeriod>(&format!("{text:?}")).unwrap(),
            *period
        );
    }
    assert_eq!(BillingPeriod::from_text("Weekly"), None);
}
