//! The score of a listing, reckoned in whole hundredths.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::contact_detection::{Contacts, contacts_in};
use crate::model::PropertyData;
use crate::validation::length;

/// Fewer images cost.
pub const ENOUGH_IMAGES: usize = 5;
/// A description with fewer characters costs.
pub const FULL_DESCRIPTION: usize = 200;
/// A description with more characters costs.
pub const LONG_DESCRIPTION: usize = 2_000;

/// The contract's suspicious phrases, word by word, and the adverb of the first.
const SUSPICIOUS: &[(&str, &[&str])] = &[
    ("urgent", &["urgent"]),
    ("urgent", &["urgently"]),
    ("guaranteed", &["guaranteed"]),
    ("limited time", &["limited", "time"]),
    ("act now", &["act", "now"]),
    ("call now", &["call", "now"]),
];

/// How far a score of another service may lie beside a hundredth: binary floats give
/// 0.7999999999999999 for 0.8.
const FLOAT_NOISE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

/// A score from 0 to 1 in whole hundredths; on the wire a number such as `0.8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u8);

impl utoipa::PartialSchema for Score {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::Number)
            .minimum(Some(0))
            .maximum(Some(1))
            .into()
    }
}

impl utoipa::ToSchema for Score {}

impl Score {
    /// The best.
    pub const MAX: Self = Self(100);
    /// The least that passes the automated checks.
    pub const PASSING: Self = Self(50);
    /// The least that approves when nobody decides in time.
    pub const APPROVING: Self = Self(80);

    /// The score of so many hundredths; more than there are is the best.
    pub const fn from_hundredths(hundredths: u8) -> Self {
        if hundredths > Self::MAX.0 {
            Self::MAX
        } else {
            Self(hundredths)
        }
    }

    /// The score in hundredths.
    pub const fn hundredths(self) -> u8 {
        self.0
    }

    /// Whether the automated checks are passed.
    pub fn passes(self) -> bool {
        self >= Self::PASSING
    }

    /// Whether it approves when nobody decides in time.
    pub fn approves(self) -> bool {
        self >= Self::APPROVING
    }

    fn decimal(self) -> Decimal {
        Decimal::new(i64::from(self.0), 2).normalize()
    }

    const fn less(self, hundredths: u8) -> Self {
        Self(self.0.saturating_sub(hundredths))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal().fmt(f)
    }
}

/// Why a number is not a score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScore {
    /// Less than 0 or more than 1.
    #[error("score must be from 0 to 1, got {0}")]
    OutOfRange(Decimal),
    /// Not a whole number of hundredths.
    #[error("score must have at most 2 decimals, got {0}")]
    TooManyDecimals(Decimal),
}

impl TryFrom<Decimal> for Score {
    type Error = InvalidScore;

    fn try_from(value: Decimal) -> Result<Self, InvalidScore> {
        let rounded = value.round_dp(2);
        if !(Decimal::ZERO..=Decimal::ONE).contains(&rounded) {
            return Err(InvalidScore::OutOfRange(value));
        }
        if (value - rounded).abs() > FLOAT_NOISE {
            return Err(InvalidScore::TooManyDecimals(value));
        }
        (rounded * Decimal::ONE_HUNDRED)
            .to_u8()
            .map(Self)
            .ok_or(InvalidScore::OutOfRange(value))
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        rust_decimal::serde::arbitrary_precision::serialize(&self.decimal(), serializer)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = partner_core::money::Amount::deserialize(deserializer)?;
        Self::try_from(number.value()).map_err(serde::de::Error::custom)
    }
}

/// Something that costs a part of the score. Its text says what, and what would be better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deduction {
    /// Fewer images than [`ENOUGH_IMAGES`].
    FewImages(usize),
    /// A description shorter than [`FULL_DESCRIPTION`].
    ShortDescription(usize),
    /// A description longer than [`LONG_DESCRIPTION`].
    LongDescription(usize),
    /// A phrase that listings of good faith rarely use.
    SuspiciousPhrase(&'static str),
    /// A phone number or an email address in the text.
    ContactDetails(Contacts),
    /// Fewer than 80 % of the fields that count are filled in.
    Incomplete {
        /// So many are.
        filled: usize,
        /// Of so many.
        of: usize,
    },
}

impl Deduction {
    /// What it costs.
    pub const fn hundredths(self) -> u8 {
        match self {
            Self::FewImages(_) | Self::ShortDescription(_) | Self::Incomplete { .. } => 10,
            Self::LongDescription(_) => 5,
            Self::SuspiciousPhrase(_) => 20,
            Self::ContactDetails(_) => 30,
        }
    }
}

impl fmt::Display for Deduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewImages(count) => {
                write!(f, "images: fewer than {ENOUGH_IMAGES} (has {count})")?;
            }
            Self::ShortDescription(length) => {
                write!(
                    f,
                    "description: under {FULL_DESCRIPTION} characters (has {length})"
                )?;
            }
            Self::LongDescription(length) => {
                write!(
                    f,
                    "description: over {LONG_DESCRIPTION} characters (has {length})"
                )?;
            }
            Self::SuspiciousPhrase(phrase) => {
                write!(f, "title or description: suspicious phrase {phrase:?}")?;
            }
            Self::ContactDetails(contacts) => {
                write!(f, "title or description: contains {contacts}")?;
            }
            Self::Incomplete { filled, of } => write!(
                f,
                "only {filled} of {of} filled in (bedrooms, bathrooms, area, title, description, price)"
            )?,
        }
        write!(f, " (-{})", Score(self.hundredths()))
    }
}

/// The result of `runAutomatedChecks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomatedChecksResult {
    /// How good the listing is.
    pub score: Score,
    /// What cost it a part of the score, and how much.
    pub issues: Vec<String>,
    /// Whether that is good enough.
    pub passed: bool,
}

/// Everything that costs the listing a part of its score, in the contract's order.
pub fn deductions(property: &PropertyData) -> Vec<Deduction> {
    let texts = [property.title.as_str(), property.description.as_str()];
    let images = property.images.len();
    [
        (images < ENOUGH_IMAGES).then_some(Deduction::FewImages(images)),
        description_length(&property.description),
        texts
            .into_iter()
            .find_map(suspicious_phrase)
            .map(Deduction::SuspiciousPhrase),
        contact_details(texts),
        incomplete(property),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is left of the best score after these.
pub fn score_after(deductions: &[Deduction]) -> Score {
    deductions.iter().fold(Score::MAX, |score, deduction| {
        score.less(deduction.hundredths())
    })
}

/// The automated checks of a listing.
pub fn check(property: &PropertyData) -> AutomatedChecksResult {
    let deductions = deductions(property);
    let score = score_after(&deductions);
    AutomatedChecksResult {
        score,
        issues: deductions.iter().map(ToString::to_string).collect(),
        passed: score.passes(),
    }
}

fn description_length(description: &str) -> Option<Deduction> {
    match length(description) {
        length if length < FULL_DESCRIPTION => Some(Deduction::ShortDescription(length)),
        length if length > LONG_DESCRIPTION => Some(Deduction::LongDescription(length)),
        _ => None,
    }
}

/// The first suspicious phrase, as whole words: "resurgent" and "contact now" are none.
fn suspicious_phrase(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    SUSPICIOUS
        .iter()
        .find(|(_, phrase)| words.windows(phrase.len()).any(|window| window == *phrase))
        .map(|(name, _)| *name)
}

/// Title and description are read one by one: digits of both do not make up one number.
fn contact_details(texts: [&str; 2]) -> Option<Deduction> {
    let contacts = texts
        .into_iter()
        .map(contacts_in)
        .fold(Contacts::default(), Contacts::or);
    contacts
        .any()
        .then_some(Deduction::ContactDetails(contacts))
}

/// A studio has 0 bedrooms, and a plot 0 bathrooms; but an area or a price of 0 says nothing.
fn incomplete(property: &PropertyData) -> Option<Deduction> {
    let fields = [
        property.bedrooms.is_some(),
        property.bathrooms.is_some(),
        property
            .area
            .is_some_and(|area| area.value() > Decimal::ZERO),
        length(&property.title) > 0,
        length(&property.description) > 0,
        property.price.value() > Decimal::ZERO,
    ];
    let of = fields.len();
    let filled = fields.into_iter().filter(|is_filled| *is_filled).count();
    (filled * 100 < of * 80).then_some(Deduction::Incomplete { filled, of })
}

#[cfg(test)]
mod tests;
