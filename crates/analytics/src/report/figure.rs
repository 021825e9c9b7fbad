//! A figure of a report, and how it changed against the period before.

use partner_core::money::{Amount, Currency};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::metrics::Compared;

/// What a figure may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// So many.
    Count(u64),
    /// So much.
    Money(Decimal, Currency),
    /// A part of a whole, 0 to 1.
    Share(Decimal),
    /// How long, in milliseconds.
    Millis(u64),
    /// There is none: no order has no average.
    Absent,
}

impl Value {
    /// An amount that there may be none of.
    pub(crate) fn money(amount: Option<Amount>, currency: Currency) -> Self {
        amount.map_or(Self::Absent, |amount| Self::Money(amount.value(), currency))
    }

    /// A duration that there may be none of.
    pub(crate) fn millis(millis: Option<u64>) -> Self {
        millis.map_or(Self::Absent, Self::Millis)
    }

    /// So many of so many; of none, there is no share.
    pub(crate) fn share(part: u64, whole: u64) -> Self {
        Decimal::from(part)
            .checked_div(Decimal::from(whole))
            .map_or(Self::Absent, Self::Share)
    }

    /// The number, in the unit that a program wants: major units, a fraction, seconds.
    pub(crate) fn number(self) -> Option<Decimal> {
        match self {
            Self::Count(count) => Some(Decimal::from(count)),
            Self::Money(amount, _) => Some(amount),
            Self::Share(share) => Some(rounded(share, 6)),
            Self::Millis(millis) => Decimal::try_from_i128_with_scale(millis.into(), 3).ok(),
            Self::Absent => None,
        }
    }
}

/// What a rise means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither.
    Neither,
}

/// Whether a change is welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is.
    Good,
    /// It is not.
    Bad,
    /// It is neither, or there is none.
    Neutral,
}

/// Against the period before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// One of the two is not there.
    Unknown,
    /// The same.
    None,
    /// There was nothing before, so that no percentage says how much it grew.
    FromZero,
    /// By so many per cent.
    Percent(Decimal),
    /// By so many percentage points.
    Points(Decimal),
}

/// A figure in the report's period, and in the one before where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figure {
    /// In the period.
    pub(crate) current: Value,
    /// In the period before; none where the figure is of a moment.
    pub(crate) previous: Option<Value>,
    /// What a rise means.
    pub(crate) better: Better,
}

impl Figure {
    /// A figure that is compared with the period before.
    pub(crate) fn compared(values: Compared<Value>, better: Better) -> Self {
        Self {
            current: values.current,
            previous: Some(values.previous),
            better,
        }
    }

    /// A count that is compared with the period before.
    pub(crate) fn count(counts: Compared<u64>, better: Better) -> Self {
        Self::compared(counts.map(Value::Count), better)
    }

    /// A figure of this moment.
    pub(crate) const fn of_now(value: Value, better: Better) -> Self {
        Self {
            current: value,
            previous: None,
            better,
        }
    }

    /// Whether it is zero, or not there, in both periods.
    pub(crate) fn is_nothing(&self) -> bool {
        let mut values = std::iter::once(self.current).chain(self.previous);
        values.all(|value| value.number().is_none_or(|number| number.is_zero()))
    }

    /// By how much it changed, in the unit of [`Value::number`].
    pub(crate) fn difference(&self) -> Option<Decimal> {
        let previous = self.previous?.number()?;
        self.current.number()?.checked_sub(previous)
    }

    /// How it changed, as people say it; rounded to one decimal.
    pub(crate) fn change(&self) -> Change {
        let Some((difference, previous)) =
            self.difference().zip(self.previous.and_then(Value::number))
        else {
            return Change::Unknown;
        };
        if difference.is_zero() {
            return Change::None;
        }
        if matches!(self.current, Value::Share(_)) {
            return Change::Points(rounded(difference * Decimal::ONE_HUNDRED, 1));
        }
        if previous.is_zero() {
            return Change::FromZero;
        }
        difference
            .checked_div(previous.abs())
            .and_then(|ratio| ratio.checked_mul(Decimal::ONE_HUNDRED))
            .map_or(Change::Unknown, |percent| {
                Change::Percent(rounded(percent, 1))
            })
    }

    /// Whether it rose; none if it did neither.
    pub(crate) fn rose(&self) -> Option<bool> {
        self.difference()
            .filter(|difference| !difference.is_zero())
            .map(|difference| difference.is_sign_positive())
    }

    /// Whether the change is welcome.
    pub(crate) fn tone(&self) -> Tone {
        match (self.rose(), self.better) {
            (Some(true), Better::Higher) | (Some(false), Better::Lower) => Tone::Good,
            (Some(false), Better::Higher) | (Some(true), Better::Lower) => Tone::Bad,
            (None, _) | (_, Better::Neither) => Tone::Neutral,
        }
    }
}

/// With so many decimals, rounded as people do: a half away from zero.
pub(super) fn rounded(number: Decimal, decimals: u32) -> Decimal {
    let strategy = RoundingStrategy::MidpointAwayFromZero;
    let mut rounded = number.round_dp_with_strategy(decimals, strategy);
    rounded.rescale(decimals);
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(current: u64, previous: u64) -> Figure {
        Figure::count(Compared::new(current, previous), Better::Higher)
    }

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn changes_are_told_as_people_do() {
        assert_eq!(counts(112, 100).change(), Change::Percent(dec("12.0")));
        assert_eq!(counts(1, 3).change(), Change::Percent(dec("-66.7")));
        assert_eq!(counts(3, 3).change(), Change::None);
        assert_eq!(counts(3, 0).change(), Change::FromZero);
        assert_eq!(counts(0, 0).change(), Change::None);
        let share = Compared::new(Value::share(1, 4), Value::share(1, 5));
        assert_eq!(
            Figure::compared(share, Better::Higher).change(),
            Change::Points(dec("5.0"))
        );
        let no_users = Compared::new(Value::share(1, 4), Value::share(0, 0));
        assert_eq!(
            Figure::compared(no_users, Better::Higher).change(),
            Change::Unknown
        );
    }

    #[test]
    fn a_loss_that_shrinks_is_a_rise() {
        let net = |amount: &str| Value::Money(dec(amount), Currency::EUR);
        let figure = Figure::compared(Compared::new(net("-5"), net("-10")), Better::Higher);
        assert_eq!(figure.change(), Change::Percent(dec("50.0")));
        assert_eq!(figure.tone(), Tone::Good);
    }

    #[test]
    fn more_of_what_nobody_wants_is_bad() {
        let figure = Figure::count(Compared::new(2, 1), Better::Lower);
        assert_eq!(figure.tone(), Tone::Bad);
        let figure = Figure::count(Compared::new(2, 1), Better::Neither);
        assert_eq!(figure.tone(), Tone::Neutral);
    }

    #[test]
    fn amounts_that_cannot_be_reckoned_with_have_no_change() {
        let most = Value::Money(Decimal::MAX, Currency::EUR);
        let least = Value::Money(Decimal::MIN, Currency::EUR);
        let figure = Figure::compared(Compared::new(most, least), Better::Higher);
        assert_eq!(figure.change(), Change::Unknown);
        let tiny = Value::Money(Decimal::new(1, 28), Currency::EUR);
        let figure = Figure::compared(Compared::new(most, tiny), Better::Higher);
        assert_eq!(figure.change(), Change::Unknown);
    }
}
