//! Numbers, times and changes as people read them, in English.

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use partner_core::money::Currency;
use rust_decimal::Decimal;

use super::figure::{Change, Figure, Value, rounded};
use crate::model::Window;

/// What stands where there is no figure.
pub(super) const NOTHING: &str = "–";

/// A real minus, as wide as a digit.
const MINUS: char = '−';

/// A growth beyond this says no more.
const MOST_PERCENT: Decimal = Decimal::from_parts(999_999, 0, 0, false, 0);

/// The currency's sign.
pub(super) const fn symbol(currency: Currency) -> &'static str {
    match currency {
        Currency::USD => "$",
        Currency::EUR => "€",
        Currency::INR => "₹",
    }
}

/// A value: `1,234`, `−€5.00`, `24.0%`, `3 min 05 s`.
pub(super) fn value(value: Value) -> String {
    match value {
        Value::Count(count) => grouped(Decimal::from(count), 0),
        Value::Money(amount, currency) => money(amount, currency),
        Value::Share(share) => share.checked_mul(Decimal::ONE_HUNDRED).map_or_else(
            || NOTHING.to_owned(),
            |percent| format!("{}%", grouped(percent, 1)),
        ),
        Value::Millis(millis) => duration(millis),
        Value::Absent => NOTHING.to_owned(),
    }
}

fn money(amount: Decimal, currency: Currency) -> String {
    let number = grouped(amount, currency.decimals());
    match number.strip_prefix(MINUS) {
        Some(number) => format!("{MINUS}{}{number}", symbol(currency)),
        None => format!("{}{number}", symbol(currency)),
    }
}

/// How a figure changed: `▲ +12.3%`, `▼ −1.5 pp`, `unchanged`, `new`; nothing where that is unknown.
///
/// The arrow and the sign say it without colour.
pub(super) fn change(figure: &Figure) -> Option<String> {
    let (number, decimals, unit) = match figure.change() {
        Change::Unknown => return None,
        Change::None => return Some("unchanged".to_owned()),
        Change::FromZero => return Some(format!("{} new", arrow(figure))),
        Change::Percent(percent) if percent.abs() > MOST_PERCENT => {
            return Some(format!("{} >{}%", arrow(figure), grouped(MOST_PERCENT, 0)));
        }
        Change::Percent(percent) if percent.abs() >= Decimal::ONE_THOUSAND => (percent, 0, "%"),
        Change::Percent(percent) => (percent, 1, "%"),
        Change::Points(points) => (points, 1, " pp"),
    };
    // The sign is the figure's: what rounds to nothing rose or fell all the same.
    let sign = if figure.rose() == Some(false) {
        MINUS
    } else {
        '+'
    };
    let number = grouped(number.abs(), decimals);
    Some(format!("{} {sign}{number}{unit}", arrow(figure)))
}

fn arrow(figure: &Figure) -> char {
    if figure.rose() == Some(false) {
        '▼'
    } else {
        '▲'
    }
}

/// Thousands with commas, and always so many decimals.
pub(super) fn grouped(number: Decimal, decimals: u32) -> String {
    let number = rounded(number, decimals);
    let digits = format!("{:.*}", decimals as usize, number.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut text = String::with_capacity(digits.len() * 2);
    if number.is_sign_negative() && !number.is_zero() {
        text.push(MINUS);
    }
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A duration with the two units that matter.
fn duration(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!(
            "{} s",
            grouped(Decimal::from(millis) / Decimal::ONE_THOUSAND, 1)
        ),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => {
            let days = grouped(Decimal::from(seconds / 86_400), 0);
            format!("{days} d {:02} h", seconds / 3_600 % 24)
        }
    }
}

/// A minute by the clock of a zone: `1 Dec 2026, 08:00`.
pub(super) fn minute(time: DateTime<Utc>, zone: Tz) -> String {
    let local = time.with_timezone(&zone);
    local.format("%-d %b %Y, %H:%M").to_string()
}

/// A moment by the clock of a zone, with seconds if it has any.
fn moment(time: DateTime<Utc>, zone: Tz) -> String {
    let local = time.with_timezone(&zone);
    if local.second() == 0 && local.nanosecond() == 0 {
        minute(time, zone)
    } else {
        local.format("%-d %b %Y, %H:%M:%S").to_string()
    }
}

/// A window by the clock of a zone; whole days without times, the last of them included.
pub(super) fn window(window: Window, zone: Tz) -> String {
    let from = window.from.with_timezone(&zone);
    let to = window.to.with_timezone(&zone);
    if from.time() != NaiveTime::MIN || to.time() != NaiveTime::MIN {
        return format!(
            "{} – {}",
            moment(window.from, zone),
            moment(window.to, zone)
        );
    }
    let first = from.date_naive();
    let last = to.date_naive() - TimeDelta::days(1);
    let day = "%-d %b %Y";
    if first == last {
        first.format(day).to_string()
    } else {
        format!("{} – {}", first.format(day), last.format(day))
    }
}

/// A status as a person writes it: `payment_failed` is "Payment failed".
pub(super) fn status(status: &str) -> String {
    let words = status.replace('_', " ");
    let mut chars = words.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Compared;
    use crate::report::figure::Better;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn values_are_written_in_full() {
        for (written, expected) in [
            (Value::Count(1_234_567), "1,234,567"),
            (Value::Count(u64::MAX), "18,446,744,073,709,551,615"),
            (Value::Money(dec("0"), Currency::EUR), "€0.00"),
            (Value::Money(dec("999.9"), Currency::INR), "₹999.90"),
            (Value::Money(dec("-1234.5"), Currency::USD), "−$1,234.50"),
            (Value::Money(dec("-0.001"), Currency::USD), "$0.00"),
            (
                Value::Money(dec("92233720368547758.07"), Currency::USD),
                "$92,233,720,368,547,758.07",
            ),
            (Value::share(1, 3), "33.3%"),
            (Value::Millis(850), "850 ms"),
            (Value::Millis(59_940), "59.9 s"),
            (Value::Millis(185_000), "3 min 05 s"),
            (Value::Millis(7_380_000), "2 h 03 min"),
            (Value::Millis(180_000_000), "2 d 02 h"),
            (Value::Absent, "–"),
        ] {
            assert_eq!(value(written), expected);
        }
    }

    #[test]
    fn changes_have_an_arrow_and_a_sign() {
        for (current, previous, expected) in [
            (1_123, 1_000, Some("▲ +12.3%")),
            (985, 1_000, Some("▼ −1.5%")),
            (99_999, 100_000, Some("▼ −0.0%")),
            (5_000, 4, Some("▲ +124,900%")),
            (99_999_999, 1, Some("▲ >999,999%")),
            (4, 0, Some("▲ new")),
            (4, 4, Some("unchanged")),
            (0, 0, Some("unchanged")),
        ] {
            let figure = Figure::count(Compared::new(current, previous), Better::Higher);
            assert_eq!(change(&figure).as_deref(), expected);
        }
        let share = Compared::new(Value::share(1, 4), Value::share(1, 5));
        let figure = Figure::compared(share, Better::Higher);
        assert_eq!(change(&figure).as_deref(), Some("▲ +5.0 pp"));
        let figure = Figure::of_now(Value::Count(4), Better::Lower);
        assert_eq!(change(&figure), None);
    }

    #[test]
    fn windows_are_by_the_readers_clock() {
        let berlin = Tz::Europe__Berlin;
        let day = Window {
            from: at("2026-11-30T23:00:00Z"),
            to: at("2026-12-01T23:00:00Z"),
        };
        assert_eq!(window(day, berlin), "1 Dec 2026");
        assert_eq!(
            window(day, Tz::UTC),
            "30 Nov 2026, 23:00 – 1 Dec 2026, 23:00"
        );
        // The day on which the clocks go forward has 23 hours.
        let short = Window {
            from: at("2027-03-27T23:00:00Z"),
            to: at("2027-03-28T22:00:00Z"),
        };
        assert_eq!(window(short, berlin), "28 Mar 2027");
        let week = Window {
            from: at("2026-11-30T23:00:00Z"),
            to: at("2026-12-07T23:00:00Z"),
        };
        assert_eq!(window(week, berlin), "1 Dec 2026 – 7 Dec 2026");
    }

    #[test]
    fn a_status_is_words() {
        assert_eq!(status("payment_failed"), "Payment failed");
        assert_eq!(status(""), "");
    }
}
