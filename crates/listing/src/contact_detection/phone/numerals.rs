//! Single numbers among tokens, and the dates and times that look like several.

use crate::contact_detection::tokens::{Gap, Kind, Token};
use crate::contact_detection::vocabulary::{repetition, spelled_digit};

/// A group of digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numeral {
    pub(super) digits: String,
    pub(super) is_spelled: bool,
    /// What follows it.
    pub(super) next: usize,
}

/// The number that begins at this token: digits, or an English word for one.
pub(super) fn numeral_at(tokens: &[Token], i: usize) -> Option<Numeral> {
    let token = tokens.get(i)?;
    if token.kind == Kind::Digits {
        return Some(Numeral {
            digits: token.text.clone(),
            is_spelled: false,
            next: i + 1,
        });
    }
    if let Some(times) = repetition(&token.text) {
        let repeated = tokens.get(i + 1).filter(|next| next.gap != Gap::Line)?;
        let digit = spelled_digit(&repeated.text).map_or_else(
            || (repeated.text.len() == 1).then(|| repeated.text.clone()),
            |digit| Some(digit.to_string()),
        )?;
        let is_digit = digit.chars().all(|c| c.is_ascii_digit());
        return is_digit.then(|| Numeral {
            digits: digit.repeat(times),
            is_spelled: true,
            next: i + 2,
        });
    }
    spelled_digit(&token.text).map(|digit| Numeral {
        digits: digit.to_string(),
        is_spelled: true,
        next: i + 1,
    })
}

/// What follows the date, or the range of times, that begins at this token.
pub(super) fn after_date_or_times(tokens: &[Token], i: usize) -> Option<usize> {
    after_date(tokens, i).or_else(|| after_times(tokens, i))
}

fn number(token: &Token) -> Option<u32> {
    (token.kind == Kind::Digits && token.text.len() <= 4)
        .then(|| token.text.parse().ok())
        .flatten()
}

/// `31.12.2026`, `2026-12-31`, `12/31/26`, `31 12 2026`.
fn after_date(tokens: &[Token], i: usize) -> Option<usize> {
    let with_signs = || {
        let [a, sign, b, other, c] = tokens.get(i..i + 5)? else {
            return None;
        };
        let is_tight = [sign, b, other, c].iter().all(|token| token.is_attached());
        let goes_on = matches!(
            tokens.get(i + 5..i + 7),
            Some([next, digits]) if next.text == sign.text && next.is_attached()
                && digits.is_attached() && digits.kind == Kind::Digits
        );
        let fits = sign.is_any_sign("./-") && sign.text == other.text && is_tight && !goes_on;
        (fits && is_date([a, b, c], false)).then_some(i + 5)
    };
    let with_gaps = || {
        let [a, b, c] = tokens.get(i..i + 3)? else {
            return None;
        };
        let fits = b.gap == Gap::Space && c.gap == Gap::Space;
        (fits && is_date([a, b, c], true)).then_some(i + 3)
    };
    with_signs().or_else(with_gaps)
}

fn is_date(parts: [&Token; 3], whole_year: bool) -> bool {
    let [Some(a), Some(b), Some(c)] = parts.map(number) else {
        return false;
    };
    let [first, second, third] = parts.map(|part| part.text.len());
    let is_day = |day: u32, month: u32| (1..=31).contains(&day) && (1..=12).contains(&month);
    let is_year = |year: u32, size: usize| {
        (size == 4 && (1800..2200).contains(&year)) || (size == 2 && !whole_year)
    };
    let day_first = first <= 2 && second <= 2 && is_year(c, third);
    let year_first = first == 4 && is_year(a, first) && second <= 2 && third <= 2;
    (day_first && (is_day(a, b) || is_day(b, a))) || (year_first && is_day(c, b))
}

/// `09.00-17.30` and `0900 - 1730`.
fn after_times(tokens: &[Token], i: usize) -> Option<usize> {
    let (start, dash) = time(tokens, i)?;
    if !tokens.get(dash)?.is_sign('-') {
        return None;
    }
    let (end, next) = time(tokens, dash + 1)?;
    let is_on_the_quarter = |minutes: u32| minutes.is_multiple_of(15);
    (is_on_the_quarter(start) && is_on_the_quarter(end)).then_some(next)
}

/// The minutes of the time that begins at this token, and what follows it.
fn time(tokens: &[Token], i: usize) -> Option<(u32, usize)> {
    let hours = tokens.get(i)?;
    let value = number(hours)?;
    if hours.text.len() == 4 {
        return is_time(value / 100, value % 100).then_some((value % 100, i + 1));
    }
    let [dot, minutes] = tokens.get(i + 1..i + 3)? else {
        return None;
    };
    let fits =
        dot.is_sign('.') && dot.is_attached() && minutes.is_attached() && minutes.text.len() == 2;
    let minute = number(minutes).filter(|minute| fits && is_time(value, *minute))?;
    Some((minute, i + 3))
}

const fn is_time(hours: u32, minutes: u32) -> bool {
    hours <= 24 && minutes < 60
}
