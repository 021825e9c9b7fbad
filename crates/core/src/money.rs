//! Money: integer minor units with their currency, and decimals only at the wire's edge.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The currencies of the contract, as ISO 4217 codes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
pub enum Currency {
    /// United States dollar, 2 decimals.
    USD,
    /// Euro, 2 decimals.
    EUR,
    /// Indian rupee, 2 decimals.
    INR,
}

impl Currency {
    /// Every currency of the contract.
    pub const ALL: [Self; 3] = [Self::USD, Self::EUR, Self::INR];

    /// The ISO 4217 code, as on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::USD => "USD",
            Self::EUR => "EUR",
            Self::INR => "INR",
        }
    }

    /// How many decimals the major unit has (ISO 4217's exponent).
    pub const fn decimals(self) -> u32 {
        match self {
            Self::USD | Self::EUR | Self::INR => 2,
        }
    }

    /// The currency with this code, in any case.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] for any other text.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        Self::ALL
            .into_iter()
            .find(|currency| currency.as_str().eq_ignore_ascii_case(code))
            .ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an amount is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Zero or less.
    #[error("amount must be greater than 0, got {0}")]
    NotPositive(Decimal),
    /// More decimals than the currency has.
    #[error("amount {amount} has more decimals than {currency} allows ({})", currency.decimals())]
    TooManyDecimals {
        /// What was given.
        amount: Decimal,
        /// In which currency.
        currency: Currency,
    },
    /// More than a 64-bit count of minor units holds.
    #[error("amount {0} is too large")]
    TooLarge(Decimal),
    /// Not one of the contract's currencies.
    #[error("unknown currency {0:?}, expected one of USD, EUR, INR")]
    UnknownCurrency(String),
}

/// An amount as the wire writes it: an exact decimal number in major units (`999.99`).
///
/// It has no currency yet, so it cannot be reckoned with: see [`Money::from_amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(Decimal);

impl Amount {
    /// The amount of this decimal.
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }

    /// The decimal in major units.
    pub const fn value(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        rust_decimal::serde::arbitrary_precision::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The number's own digits, never a binary float; text is not a number.
        let number = serde_json::Number::deserialize(deserializer)?;
        let text = number.to_string();
        Decimal::from_str_exact(&text)
            .or_else(|_| Decimal::from_scientific(&text))
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("amount {text} cannot be represented")))
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some(
                "A decimal number in major units, with as many decimals as its currency has",
            ))
            .examples([serde_json::json!(999.99)]);
        number.into()
    }
}

impl ToSchema for Amount {}

/// An amount of money: integer minor units (cents, paise) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// So many minor units of a currency; may be zero (nothing refunded yet).
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// What the wire's amount means in a currency.
    ///
    /// # Errors
    /// [`MoneyError`] if it is not positive, has more decimals than the currency, or is too large.
    pub fn from_amount(amount: Amount, currency: Currency) -> Result<Self, MoneyError> {
        let value = amount.0;
        if value <= Decimal::ZERO {
            return Err(MoneyError::NotPositive(value));
        }
        if value.normalize().scale() > currency.decimals() {
            return Err(MoneyError::TooManyDecimals {
                amount: value,
                currency,
            });
        }
        value
            .checked_mul(Decimal::from(10_i64.pow(currency.decimals())))
            .and_then(|minor| minor.to_i64())
            .map(|minor| Self { minor, currency })
            .ok_or(MoneyError::TooLarge(value))
    }

    /// The count of minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The amount as the wire writes it.
    pub fn amount(self) -> Amount {
        Amount(Decimal::new(self.minor, self.currency.decimals()))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(json: &str) -> Amount {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reads_the_digits_that_were_written() {
        let money = Money::from_amount(amount("999.99"), Currency::USD).unwrap();
        assert_eq!(money.minor(), 99_999);
        assert_eq!(money.to_string(), "999.99 USD");
        // A binary float would turn this into 0.1 and accept it.
        let error = Money::from_amount(amount("0.1000000000000000055"), Currency::EUR).unwrap_err();
        assert!(
            matches!(error, MoneyError::TooManyDecimals { .. }),
            "{error}"
        );
    }

    #[test]
    fn trailing_zeros_are_not_decimals() {
        let money = Money::from_amount(amount("10.500"), Currency::INR).unwrap();
        assert_eq!(money.minor(), 1_050);
        assert_eq!(
            Money::from_amount(amount("1e2"), Currency::INR)
                .unwrap()
                .minor(),
            10_000
        );
    }

    #[test]
    fn refuses_what_is_not_a_payable_amount() {
        for (json, expected) in [
            ("0", "greater than 0"),
            ("-5", "greater than 0"),
            ("-0.001", "greater than 0"),
            ("1.005", "more decimals"),
            ("92233720368547758.08", "too large"),
        ] {
            let error = Money::from_amount(amount(json), Currency::USD).unwrap_err();
            assert!(error.to_string().contains(expected), "{json}: {error}");
        }
        assert!(serde_json::from_str::<Amount>("\"12\"").is_err());
        assert!(serde_json::from_str::<Amount>("1e400").is_err());
    }

    proptest! {
        #[test]
        fn minor_units_survive_the_wire(minor in 1_i64..=i64::MAX, index in 0_usize..3) {
            let money = Money::from_minor(minor, Currency::ALL[index]);
            let json = serde_json::to_string(&money.amount()).unwrap();
            let back = Money::from_amount(amount(&json), money.currency()).unwrap();
            prop_assert_eq!(back, money);
        }

        #[test]
        fn a_third_decimal_is_always_refused(minor in 0_i64..1_000_000_000, digit in 1_i64..10) {
            let value = Decimal::new(minor * 10 + digit, 3);
            let refused = Money::from_amount(Amount::new(value), Currency::EUR);
            let is_too_many = matches!(refused, Err(MoneyError::TooManyDecimals { .. }));
            prop_assert!(is_too_many);
        }
    }
}
