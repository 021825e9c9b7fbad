//! Groups of digits that may belong together.

use super::numerals::{Numeral, after_date_or_times, numeral_at};
use crate::contact_detection::tokens::{Gap, Kind, Token};
use crate::contact_detection::vocabulary::{SPELLED_SIGN, UNIT};

/// The signs that people put between the groups of a phone number.
const SEPARATORS: &str = "-.()[]/_*~|\u{b7}";
/// How many of them may stand between two groups, as in `) - (`.
const MOST_SIGNS: usize = 4;
/// A slash with gaps after fewer digits does not end a number: `0171 / 1234567`.
const SHORTEST: usize = 7;
/// The largest step in which units and floors are counted; by 22, `01 23 45 67 89` is a number.
const LARGEST_STEP: i64 = 10;

/// Groups of digits with only separators between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) groups: Vec<String>,
    /// What stands between the groups: a sign, a space, or `?` for several kinds of signs.
    pub(super) joins: Vec<char>,
    /// The first token of it.
    pub(super) start: usize,
    /// The first token that follows it.
    pub(super) end: usize,
    /// Whether a `+` stands before it.
    pub(super) plus: bool,
    /// How many of the groups are spelled in words.
    pub(super) spelled: usize,
}

impl Run {
    pub(super) fn digits(&self) -> String {
        self.groups.concat()
    }

    pub(super) fn total(&self) -> usize {
        self.groups.iter().map(String::len).sum()
    }

    /// Whether the groups have exactly these sizes.
    pub(super) fn is_grouped_as(&self, sizes: &[usize]) -> bool {
        self.groups
            .iter()
            .map(String::len)
            .eq(sizes.iter().copied())
    }

    /// Whether it is a sum that was rounded to thousands.
    pub(super) fn is_round(&self) -> bool {
        self.digits().ends_with("000")
    }

    /// Whether every group is a year.
    pub(super) fn is_years(&self) -> bool {
        self.groups
            .iter()
            .all(|group| group.len() == 4 && ("1800".."2200").contains(&group.as_str()))
    }

    /// Whether it is one number with its thousands set apart.
    pub(super) fn is_thousands(&self) -> bool {
        let rest_fits = self.groups.iter().skip(1).all(|group| group.len() == 3);
        let is_short = self.groups[0].len() < 3 && self.total() < 9;
        rest_fits && (is_short || self.is_round())
    }

    /// Whether it is one number with decimals, such as a coordinate.
    pub(super) fn is_decimal(&self) -> bool {
        self.joins == ['.'] && self.groups[0].len() <= 3 && self.groups[1].len() >= 5
    }

    /// Whether it is a range or a list of round numbers: `1200-1500`, `1000 1500 2000`.
    pub(super) fn is_round_numbers(&self) -> bool {
        let is_round = |group: &String| group.ends_with("00") || group.ends_with("50");
        self.groups.len() >= 2 && self.groups.iter().all(is_round)
    }

    /// Whether the groups are counted up or down by the same small step: `101 102 103`.
    pub(super) fn is_progression(&self) -> bool {
        let values: Option<Vec<i64>> = self.groups.iter().map(|group| group.parse().ok()).collect();
        let Some(values) = values.filter(|values| values.len() >= 3) else {
            return false;
        };
        let step = values[1] - values[0];
        (1..=LARGEST_STEP).contains(&step.abs())
            && values.windows(2).all(|pair| pair[1] - pair[0] == step)
    }
}

/// Every run of a text.
pub(super) fn runs_in(tokens: &[Token]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if let Some(next) = after_date_or_times(tokens, i) {
            i = next;
        } else if let Some(run) = run_at(tokens, i) {
            i = run.end;
            runs.extend(without_measure(tokens, run));
        } else {
            i += 1;
        }
    }
    runs
}

fn run_at(tokens: &[Token], start: usize) -> Option<Run> {
    let first = numeral_at(tokens, start)?;
    let mut run = Run {
        groups: Vec::new(),
        joins: Vec::new(),
        start,
        end: start,
        plus: has_plus(tokens, start),
        spelled: 0,
    };
    push(&mut run, first);
    while let Some((join, numeral)) = following(tokens, &run) {
        run.joins.push(join);
        push(&mut run, numeral);
    }
    run.plus |= has_spoken_plus(tokens, &run);
    Some(run)
}

fn push(run: &mut Run, numeral: Numeral) {
    run.spelled += usize::from(numeral.is_spelled);
    run.end = numeral.next;
    run.groups.push(numeral.digits);
}

/// A `+` that does not add: `3+1`, `2+ 1500` and `450000 + 12500000` do.
fn has_plus(tokens: &[Token], start: usize) -> bool {
    let Some(before) = start.checked_sub(1) else {
        return false;
    };
    // `+(41)`.
    let at = if tokens[before].is_sign('(') && before > 0 {
        before - 1
    } else {
        before
    };
    let adds = at.checked_sub(1).is_some_and(|left| {
        let has_gaps = !tokens[at].is_attached() && !tokens[at + 1].is_attached();
        (tokens[at].is_attached() && tokens[left].is_name())
            || (has_gaps && tokens[left].kind == Kind::Digits)
    });
    tokens[at].is_sign('+') && !adds
}

/// "plus four one": the word also adds, but not to a number of several groups.
fn has_spoken_plus(tokens: &[Token], run: &Run) -> bool {
    run.groups.len() >= 3
        && run
            .start
            .checked_sub(1)
            .is_some_and(|before| tokens[before].is_word_of(&["plus"]))
}

/// The next group of the run, and what joins it.
fn following(tokens: &[Token], run: &Run) -> Option<(char, Numeral)> {
    let mut join = ' ';
    let mut next = run.end;
    while let Some(token) = tokens.get(next).filter(|_| next - run.end < MOST_SIGNS) {
        let is_comma = token.is_sign(',') && run.spelled == run.groups.len();
        let is_sign = token.is_any_sign(SEPARATORS) || is_comma;
        if !is_sign && !token.is_word_of(SPELLED_SIGN) {
            break;
        }
        if !token.is_any_sign("()[]") {
            let sign = if is_sign {
                token.text.chars().next()?
            } else {
                '-'
            };
            join = if join == ' ' || join == sign {
                sign
            } else {
                '?'
            };
        }
        next += 1;
    }
    let numeral = numeral_at(tokens, next)?;
    let is_one_line = tokens[run.end..numeral.next]
        .iter()
        .all(|token| token.gap != Gap::Line);
    let belongs = is_one_line
        && !ends_there(tokens, run, next)
        && after_date_or_times(tokens, next).is_none();
    belongs.then_some((join, numeral))
}

/// Whether what stands before the next group separates it: the end of a sentence, a slash or a bar
/// with gaps after a whole number, or the trunk prefix of the next number.
fn ends_there(tokens: &[Token], run: &Run, next: usize) -> bool {
    let is_dialled = run.plus || run.groups[0].starts_with('0');
    let has_gap = !tokens[next].is_attached();
    let sign = &tokens[next - 1];
    let ends_sentence = sign.is_sign('.') && sign.is_attached() && has_gap && !is_dialled;
    let separates = sign.is_any_sign("/|") && has_gap && run.total() >= SHORTEST;
    let begins_number = is_dialled
        && tokens[next].text.starts_with('0')
        && tokens[next].text.len() >= 3
        && has_gap
        && run.total() >= 9;
    ends_sentence || separates || begins_number
}

/// The run without its last group, if that is a measure or a count: `079 123 45 67 2 rooms`.
fn without_measure(tokens: &[Token], mut run: Run) -> Option<Run> {
    let is_measured = tokens
        .get(run.end)
        .is_some_and(|token| token.gap != Gap::Line && token.is_name() && is_unit(token));
    if !is_measured {
        return Some(run);
    }
    if run.groups.len() == 1 {
        return (run.total() >= 10).then_some(run);
    }
    run.groups.pop();
    run.joins.pop();
    Some(run)
}

fn is_unit(token: &Token) -> bool {
    token.kind != Kind::Digits && UNIT.contains(&token.text.as_str())
}
