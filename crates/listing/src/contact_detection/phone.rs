//! Phone numbers among tokens.

mod context;
mod numerals;
mod run;

use context::Context;
use run::{Run, runs_in};

use super::tokens::Token;

/// The lengths of numbers with their country code (E.164), from the shortest in use.
const INTERNATIONAL: std::ops::RangeInclusive<usize> = 8..=15;
/// The same after `00`, with it. The longest is left out: bank accounts are as long.
const PREFIXED: std::ops::RangeInclusive<usize> = 10..=16;
/// The lengths of numbers with a trunk prefix, which stand on their own from nine digits on.
const TRUNK: std::ops::RangeInclusive<usize> = 9..=12;
/// The lengths of numbers that are announced as such.
const ANNOUNCED: std::ops::RangeInclusive<usize> = 7..=15;
/// The lengths of numbers that only their groups tell.
const GROUPED: std::ops::RangeInclusive<usize> = 9..=12;
/// So many spelled digits are a number of a kind that is dictated.
const SPELLED: usize = 3;

/// Whether there is a phone number.
pub(super) fn is_in(tokens: &[Token]) -> bool {
    runs_in(tokens)
        .iter()
        .any(|run| is_phone(run, context::of(tokens, run)))
}

fn is_phone(run: &Run, context: Context) -> bool {
    let total = run.total();
    let has_country = run.plus && INTERNATIONAL.contains(&total) && !run.digits().starts_with('0');
    if has_country && context != Context::Currency {
        return true;
    }
    if context == Context::Announced && is_plausible(run) {
        return true;
    }
    if context == Context::Identifier || run.is_progression() {
        return false;
    }
    if has_prefix(run) || (run.spelled >= SPELLED && ANNOUNCED.contains(&total)) {
        return true;
    }
    match context {
        Context::Currency => false,
        // No price of ten digits is written down to its last unit.
        Context::Money => total >= 10 && !run.is_round() && is_shaped(run),
        _ => is_shaped(run),
    }
}

/// Whether a number that is announced may be one: only what is clearly something else is not.
fn is_plausible(run: &Run) -> bool {
    let is_something_else = run.is_years()
        || run.is_decimal()
        || run.is_round_numbers()
        || (run.total() < 10 && run.is_round())
        // A postal code of the United States with its extension.
        || run.is_grouped_as(&[5, 4]);
    has_prefix(run) || (ANNOUNCED.contains(&run.total()) && !is_something_else)
}

/// Whether an international `00` or a trunk `0` begins a number of the right length.
fn has_prefix(run: &Run) -> bool {
    let digits = run.digits();
    let is_international =
        digits.starts_with("00") && !digits.starts_with("000") && PREFIXED.contains(&digits.len());
    // A group has a digit at least, so a number cannot begin farther from the end.
    let first = run.groups.len().saturating_sub(*TRUNK.end());
    is_international || (first..run.groups.len()).any(|start| has_trunk_prefix(run, start))
}

fn has_trunk_prefix(run: &Run, start: usize) -> bool {
    let is_apart = start == 0 || run.joins[start - 1] == ' ';
    let is_decimal = run.groups[start] == "0" && run.joins.get(start) == Some(&'.');
    let digits = run.groups[start..].concat();
    is_apart
        && !is_decimal
        && digits.starts_with('0')
        && !digits.starts_with("00")
        && TRUNK.contains(&digits.len())
}

/// Whether the groups are those of a phone number, without prefix or announcement.
fn is_shaped(run: &Run) -> bool {
    let windows = |size: usize| 0..(run.groups.len() + 1).saturating_sub(size);
    !run.is_round_numbers()
        && (windows(1).any(|at| is_unbroken_number(&run.groups[at]))
            || windows(2).any(|at| is_mobile_in_two(run, at))
            || windows(3).any(|at| is_north_american(run, at))
            || is_grouped(run))
}

/// Ten digits, or with the country code of North America or India before them.
fn is_unbroken_number(group: &str) -> bool {
    let starts = |range: std::ops::RangeInclusive<char>, at: usize| {
        group.chars().nth(at).is_some_and(|c| range.contains(&c))
    };
    let is_national = match group.len() {
        10 => starts('2'..='9', 0),
        11 => group.starts_with('1') && starts('2'..='9', 1) && starts('2'..='9', 4),
        12 => group.starts_with("91") && starts('6'..='9', 2),
        _ => false,
    };
    is_national && !group.ends_with("0000")
}

/// An Indian mobile number in two groups: `98765 43210`.
fn is_mobile_in_two(run: &Run, at: usize) -> bool {
    let pair = &run.groups[at..at + 2];
    let digits = pair.concat();
    matches!(run.joins[at], ' ' | '-')
        && digits.len() == 10
        && pair.iter().all(|group| group.len() >= 3)
        && matches!(digits.as_bytes().first(), Some(b'6'..=b'9'))
        && !digits.ends_with("000")
}

/// `415-555-0123`, `(415) 555-0123`, `415.555.0123`.
fn is_north_american(run: &Run, at: usize) -> bool {
    let groups = &run.groups[at..at + 3];
    let is_apart = at == 0 || run.groups[at - 1] == "1" || run.joins[at - 1] == ' ';
    is_apart
        && groups.iter().map(String::len).eq([3, 3, 4])
        && matches!(groups[0].as_bytes().first(), Some(b'2'..=b'9'))
        && run.joins[at..at + 2]
            .iter()
            .all(|join| " -.".contains(*join))
}

/// Three groups and more of two to four digits with one kind of sign between them.
fn is_grouped(run: &Run) -> bool {
    let sizes_fit = run
        .groups
        .iter()
        .enumerate()
        .all(|(index, group)| matches!((index, group.len()), (0, 1..=4) | (_, 2..=4)));
    let is_uniform = run.joins.windows(2).all(|pair| pair[0] == pair[1]);
    let is_dictated = run.groups.len() >= 9 && run.groups.iter().all(|group| group.len() == 1);
    GROUPED.contains(&run.total())
        && is_uniform
        && run.joins.iter().all(|join| " -.".contains(*join))
        && (is_dictated || (run.groups.len() >= 3 && sizes_fit))
        && !run.is_years()
        && !run.is_thousands()
        // A number of the social security of the United States, and of some registers.
        && !run.is_grouped_as(&[3, 2, 4])
}
