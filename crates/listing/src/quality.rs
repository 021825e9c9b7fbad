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
mod tests {
    use partner_core::money::Amount;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;
    use crate::model::{Location, Quantity};

    const PHONE: Contacts = Contacts {
        phone: true,
        email: false,
    };

    fn quantity(value: i64) -> Quantity {
        Quantity::new(Decimal::from(value))
    }

    fn perfect() -> PropertyData {
        PropertyData {
            title: "Flat by the lake".to_owned(),
            description: "x".repeat(FULL_DESCRIPTION),
            price: Amount::new(Decimal::from(450_000)),
            location: Location::default(),
            images: vec!["https://cdn.example.com/1.jpg".to_owned(); ENOUGH_IMAGES],
            bedrooms: Some(quantity(0)),
            bathrooms: Some(quantity(1)),
            area: Some(quantity(85)),
        }
    }

    fn text(suffix: &str) -> String {
        format!("{} {suffix}", "x".repeat(FULL_DESCRIPTION))
    }

    fn score(property: &PropertyData) -> u8 {
        check(property).score.hundredths()
    }

    #[test]
    fn a_listing_without_fault_has_the_best_score() {
        let result = check(&perfect());
        assert_eq!(
            serde_json::to_string(&result).unwrap(),
            r#"{"score":1,"issues":[],"passed":true}"#
        );
    }

    #[test]
    fn images_count_from_five_on() {
        for (count, expected) in [(0, 90), (4, 90), (5, 100), (50, 100)] {
            let images = vec![String::new(); count];
            let property = PropertyData {
                images,
                ..perfect()
            };
            assert_eq!(score(&property), expected, "{count}");
        }
    }

    #[test]
    fn descriptions_are_measured_in_characters_up_to_the_boundaries() {
        for letter in ["x", "é", "आ", "🏡"] {
            for (length, expected) in [(199, 90), (200, 100), (2_000, 100), (2_001, 95)] {
                let description = letter.repeat(length);
                let property = PropertyData {
                    description,
                    ..perfect()
                };
                assert_eq!(score(&property), expected, "{letter} {length}");
            }
        }
    }

    #[test]
    fn suspicious_phrases_are_whole_words_and_count_once() {
        for phrase in [
            "Urgent sale",
            "URGENTLY wanted",
            "guaranteed return",
            "limited-time offer",
            "Limited  Time!",
            "act\nnow",
            "Call now",
            "urgent, guaranteed, act now, call now",
        ] {
            let property = PropertyData {
                description: text(phrase),
                ..perfect()
            };
            assert_eq!(score(&property), 80, "{phrase}");
            let property = PropertyData {
                title: phrase.to_owned(),
                ..perfect()
            };
            assert_eq!(score(&property), 80, "{phrase}");
        }
        for phrase in [
            "a resurgent quarter",
            "insurgents lived here",
            "contact now",
            "a limited number, for a time",
            "react nowhere",
            "recall nowadays",
        ] {
            let property = PropertyData {
                description: text(phrase),
                ..perfect()
            };
            assert_eq!(score(&property), 100, "{phrase}");
        }
    }

    #[test]
    fn contact_details_count_once_wherever_they_are() {
        for contact in [
            "079 123 45 67",
            "ana@example.com",
            "ana@example.com, 079 123 45 67",
        ] {
            let property = PropertyData {
                description: text(contact),
                ..perfect()
            };
            assert_eq!(score(&property), 70, "{contact}");
            let property = PropertyData {
                title: contact.to_owned(),
                ..perfect()
            };
            assert_eq!(score(&property), 70, "{contact}");
        }
        let split = PropertyData {
            title: "Flat in house 079 123".to_owned(),
            description: format!("45 67 {}", "x".repeat(FULL_DESCRIPTION)),
            ..perfect()
        };
        assert_eq!(score(&split), 100);
    }

    #[test]
    fn five_of_the_six_fields_are_enough() {
        let five = PropertyData {
            area: Some(quantity(0)),
            ..perfect()
        };
        assert_eq!(score(&five), 100);
        let four = PropertyData {
            bathrooms: None,
            ..five
        };
        assert_eq!(score(&four), 90);
        assert_eq!(
            check(&four).issues,
            ["only 4 of 6 filled in (bedrooms, bathrooms, area, title, description, price) (-0.1)"]
        );
    }

    #[test]
    fn the_worst_listing_keeps_a_fifth_and_does_not_pass() {
        let worst = PropertyData {
            title: "Act now".to_owned(),
            description: "Mail ana@example.com".to_owned(),
            images: Vec::new(),
            bedrooms: None,
            area: None,
            ..perfect()
        };
        let result = check(&worst);
        assert_eq!(
            serde_json::to_string(&result.score).unwrap(),
            "0.2",
            "{:?}",
            result.issues
        );
        assert!(!result.passed);
        assert_eq!(
            result.issues,
            [
                "images: fewer than 5 (has 0) (-0.1)",
                "description: under 200 characters (has 20) (-0.1)",
                "title or description: suspicious phrase \"act now\" (-0.2)",
                "title or description: contains an email address (-0.3)",
                "only 4 of 6 filled in (bedrooms, bathrooms, area, title, description, price) (-0.1)",
            ]
        );
    }

    #[test]
    fn a_half_passes_and_four_fifths_approve() {
        let passes = |hundredths| Score::from_hundredths(hundredths).passes();
        assert_eq!([49, 50, 51].map(passes), [false, true, true]);
        let approves = |hundredths| Score::from_hundredths(hundredths).approves();
        assert_eq!([79, 80, 81].map(approves), [false, true, true]);
    }

    #[test]
    fn scores_of_other_services_are_read_exactly() {
        let read = |json: &str| serde_json::from_str::<Score>(json).map(Score::hundredths);
        for (json, expected) in [
            ("0", 0),
            ("0.8", 80),
            ("0.80", 80),
            ("0.7999999999999999", 80),
            ("0.15000000000000002", 15),
            ("1.0", 100),
            ("8e-1", 80),
        ] {
            assert_eq!(read(json).unwrap(), expected, "{json}");
        }
        for json in ["-0.1", "1.01", "0.796", "0.7999", "80", "\"0.8\"", "null"] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    /// One of each kind; short and long exclude each other, which the sum need not know.
    fn every_deduction() -> Vec<Deduction> {
        vec![
            Deduction::FewImages(1),
            Deduction::ShortDescription(60),
            Deduction::LongDescription(2_001),
            Deduction::SuspiciousPhrase("urgent"),
            Deduction::ContactDetails(PHONE),
            Deduction::Incomplete { filled: 4, of: 6 },
        ]
    }

    proptest! {
        #[test]
        fn a_score_on_the_wire_has_two_decimals_at_most_and_comes_back(hundredths in 0_u8..=100) {
            let score = Score::from_hundredths(hundredths);
            let json = serde_json::to_string(&score).unwrap();
            prop_assert!(json.len() <= 4, "{}", json);
            prop_assert_eq!(serde_json::from_str::<Score>(&json).unwrap(), score);
            let value = serde_json::to_value(score).unwrap();
            prop_assert!(value.is_number());
            prop_assert_eq!(serde_json::from_value::<Score>(value).unwrap(), score);
            prop_assert_eq!(score.to_string(), json);
        }

        #[test]
        fn the_order_of_deductions_does_not_matter_and_the_sum_is_exact(
            deductions in subsequence(every_deduction(), 0..=6).prop_shuffle(),
        ) {
            let mut sorted = deductions.clone();
            sorted.sort();
            let sum: u8 = deductions.iter().map(|deduction| deduction.hundredths()).sum();
            prop_assert_eq!(score_after(&deductions), score_after(&sorted));
            prop_assert_eq!(score_after(&deductions).hundredths(), 100 - sum);
        }

        #[test]
        fn never_below_zero(deductions in prop::collection::vec(
            prop::sample::select(every_deduction()), 0..40,
        )) {
            let sum: u32 = deductions.iter().map(|one| u32::from(one.hundredths())).sum();
            let score = score_after(&deductions);
            prop_assert_eq!(u32::from(score.hundredths()), 100_u32.saturating_sub(sum));
        }

        #[test]
        fn each_fault_costs_what_the_contract_says(
            images in 0_usize..10,
            length in prop_oneof![0_usize..300, 1_990..2_010_usize],
            (phrase, contact) in any::<(bool, bool)>(),
            (bedrooms, bathrooms, area) in any::<(bool, bool, bool)>(),
        ) {
            let mut title = "Flat by the lake".to_owned();
            if phrase {
                title.push_str(", act now");
            }
            if contact {
                title.push_str(", ana@example.com");
            }
            let property = PropertyData {
                title,
                description: "é".repeat(length),
                images: vec![String::new(); images],
                bedrooms: bedrooms.then(|| quantity(2)),
                bathrooms: bathrooms.then(|| quantity(1)),
                area: area.then(|| quantity(85)),
                ..perfect()
            };
            let filled = [length > 0, bedrooms, bathrooms, area].iter().filter(|is| **is).count();
            let costs = [
                (images < 5, 10),
                (length < 200, 10),
                (length > 2_000, 5),
                (phrase, 20),
                (contact, 30),
                (filled < 3, 10),
            ];
            let expected = costs.iter().filter(|(applies, _)| *applies).map(|(_, cost)| cost).sum::<u8>();
            let result = check(&property);
            prop_assert_eq!(result.score.hundredths(), 100 - expected);
            prop_assert_eq!(result.issues.len(), costs.iter().filter(|(is, _)| *is).count());
            prop_assert_eq!(result.passed, expected <= 50);
        }

        #[test]
        fn any_text_has_a_score_from_zero_to_one(title in ".{0,80}", description in ".{0,400}") {
            let property = PropertyData { title, description, ..perfect() };
            let value = check(&property).score.decimal();
            prop_assert!((Decimal::ZERO..=Decimal::ONE).contains(&value));
        }
    }
}
