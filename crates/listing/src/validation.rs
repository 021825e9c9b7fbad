//! The rules that a listing must keep, and which of them one breaks.

use std::fmt;
use std::ops::RangeInclusive;

use partner_core::money::Amount;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::{Location, PropertyData};

/// The fewest characters of a title.
pub const MIN_TITLE: usize = 10;
/// The fewest characters of a description.
pub const MIN_DESCRIPTION: usize = 50;
/// How many images there may be.
pub const IMAGES: RangeInclusive<usize> = 1..=50;

/// How much of a value that is wrong is repeated in the message about it.
const QUOTED_CHARACTERS: usize = 80;

/// A rule that a listing breaks. Its text names the field and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokenRule {
    /// The title has only so many characters.
    TitleTooShort(usize),
    /// The description has only so many characters.
    DescriptionTooShort(usize),
    /// The price is zero or less.
    PriceNotPositive(Amount),
    /// A part of the location is missing or blank.
    LocationIncomplete(LocationPart),
    /// There is no image.
    NoImages,
    /// There are so many images.
    TooManyImages(usize),
    /// An image is not the address of a picture on the web.
    ImageNotUrl {
        /// Its place in the list, from 0.
        index: usize,
        /// What is there instead.
        text: String,
    },
}

/// A part of the location that must be present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocationPart {
    /// Street and number.
    Address,
    /// The city.
    City,
    /// The state.
    State,
}

impl LocationPart {
    /// Every part, in the contract's order.
    pub const ALL: [Self; 3] = [Self::Address, Self::City, Self::State];

    fn of(self, location: &Location) -> &str {
        match self {
            Self::Address => &location.address,
            Self::City => &location.city,
            Self::State => &location.state,
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Address => "location.address",
            Self::City => "location.city",
            Self::State => "location.state",
        }
    }
}

impl BrokenRule {
    /// The path of the field, as on the wire.
    pub fn field(&self) -> String {
        match self {
            Self::TitleTooShort(_) => "title".to_owned(),
            Self::DescriptionTooShort(_) => "description".to_owned(),
            Self::PriceNotPositive(_) => "price".to_owned(),
            Self::LocationIncomplete(part) => part.field().to_owned(),
            Self::NoImages | Self::TooManyImages(_) => "images".to_owned(),
            Self::ImageNotUrl { index, .. } => format!("images[{index}]"),
        }
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.field())?;
        match self {
            Self::TitleTooShort(length) => {
                write!(f, "must have at least {MIN_TITLE} characters, has {length}")
            }
            Self::DescriptionTooShort(length) => {
                write!(
                    f,
                    "must have at least {MIN_DESCRIPTION} characters, has {length}"
                )
            }
            Self::PriceNotPositive(price) => write!(f, "must be greater than 0, is {price}"),
            Self::LocationIncomplete(_) => f.write_str("must be given"),
            Self::NoImages => f.write_str("must have at least 1 image, has none"),
            Self::TooManyImages(count) => {
                write!(f, "must have at most {} images, has {count}", IMAGES.end())
            }
            Self::ImageNotUrl { text, .. } => {
                let quoted: String = text.chars().take(QUOTED_CHARACTERS).collect();
                write!(f, "must be an http or https URL, is {quoted:?}")
            }
        }
    }
}

/// The result of `validateListing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateListingResult {
    /// Whether no rule is broken.
    pub valid: bool,
    /// What is wrong, all of it, each with its field.
    pub errors: Vec<String>,
}

impl From<&[BrokenRule]> for ValidateListingResult {
    fn from(broken: &[BrokenRule]) -> Self {
        Self {
            valid: broken.is_empty(),
            errors: broken.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Every rule that the listing breaks, in the contract's order.
///
/// Lengths are counted in characters, without white space at either end. Of more images than there
/// may be, only the first that there may be are looked at: the rest must go anyway, and a list of
/// half a million would be answered with megabytes.
pub fn broken_rules(property: &PropertyData) -> Vec<BrokenRule> {
    let mut broken = Vec::new();
    let title = length(&property.title);
    if title < MIN_TITLE {
        broken.push(BrokenRule::TitleTooShort(title));
    }
    let description = length(&property.description);
    if description < MIN_DESCRIPTION {
        broken.push(BrokenRule::DescriptionTooShort(description));
    }
    if property.price.value() <= Decimal::ZERO {
        broken.push(BrokenRule::PriceNotPositive(property.price));
    }
    broken.extend(
        LocationPart::ALL
            .into_iter()
            .filter(|part| part.of(&property.location).trim().is_empty())
            .map(BrokenRule::LocationIncomplete),
    );
    broken.extend(broken_image_rules(&property.images));
    broken
}

fn broken_image_rules(images: &[String]) -> Vec<BrokenRule> {
    let count = match images.len() {
        0 => Some(BrokenRule::NoImages),
        count if count > *IMAGES.end() => Some(BrokenRule::TooManyImages(count)),
        _ => None,
    };
    let addresses = images
        .iter()
        .take(*IMAGES.end())
        .enumerate()
        .filter(|(_, image)| !is_web_address(image))
        .map(|(index, image)| BrokenRule::ImageNotUrl {
            index,
            text: image.clone(),
        });
    count.into_iter().chain(addresses).collect()
}

/// Pictures are shown in browsers and mails: `javascript:` and `file:` have no business there.
fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The characters of a text, without white space at either end.
pub(crate) fn length(text: &str) -> usize {
    text.trim().chars().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn valid() -> PropertyData {
        PropertyData {
            title: "x".repeat(MIN_TITLE),
            description: "x".repeat(MIN_DESCRIPTION),
            price: Amount::new(Decimal::new(1, 2)),
            location: Location {
                address: "Seestrasse 1".to_owned(),
                city: "Zug".to_owned(),
                state: "ZG".to_owned(),
                ..Location::default()
            },
            images: vec!["https://cdn.example.com/1.jpg".to_owned()],
            bedrooms: None,
            bathrooms: None,
            area: None,
        }
    }

    fn fields(property: &PropertyData) -> Vec<String> {
        broken_rules(property)
            .iter()
            .map(BrokenRule::field)
            .collect()
    }

    #[test]
    fn the_least_that_the_contract_asks_for_is_valid() {
        let result = ValidateListingResult::from(broken_rules(&valid()).as_slice());
        assert_eq!(
            serde_json::to_string(&result).unwrap(),
            r#"{"valid":true,"errors":[]}"#
        );
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let property = PropertyData {
            title: "Flat".to_owned(),
            description: "Nice".to_owned(),
            price: Amount::new(Decimal::new(-1, 1)),
            location: Location::default(),
            images: Vec::new(),
            ..valid()
        };
        let result = ValidateListingResult::from(broken_rules(&property).as_slice());
        assert!(!result.valid);
        assert_eq!(
            result.errors,
            [
                "title: must have at least 10 characters, has 4",
                "description: must have at least 50 characters, has 4",
                "price: must be greater than 0, is -0.1",
                "location.address: must be given",
                "location.city: must be given",
                "location.state: must be given",
                "images: must have at least 1 image, has none",
            ]
        );
    }

    #[test]
    fn images_are_addresses_on_the_web() {
        for good in [
            "https://cdn.example.com/a.jpg",
            "http://cdn.example.com/a b.jpg",
            "HTTPS://CDN.EXAMPLE.COM/%C3%A9.png?w=200#top",
            "http://localhost:9000/bucket/key",
            "https://bücher.example/1.webp",
        ] {
            let images = vec![good.to_owned()];
            assert!(
                fields(&PropertyData { images, ..valid() }).is_empty(),
                "{good}"
            );
        }
        for bad in [
            "",
            " ",
            "a.jpg",
            "/images/a.jpg",
            "//cdn.example.com/a.jpg",
            "https://",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "ftp://example.com/a.jpg",
        ] {
            let images = vec![valid().images[0].clone(), bad.to_owned()];
            assert_eq!(
                fields(&PropertyData { images, ..valid() }),
                ["images[1]"],
                "{bad:?}"
            );
        }
    }

    #[test]
    fn the_answer_stays_small_however_large_the_question() {
        let images = vec!["x".repeat(10_000); 1_000];
        let result = ValidateListingResult::from(
            broken_rules(&PropertyData { images, ..valid() }).as_slice(),
        );
        assert_eq!(result.errors.len(), 51);
        assert_eq!(
            result.errors[0],
            "images: must have at most 50 images, has 1000"
        );
        assert!(result.errors.iter().all(|error| error.len() < 200));
    }

    /// One to four bytes a character: a rule that counts bytes sees other lengths.
    fn any_letter() -> impl Strategy<Value = &'static str> {
        select(vec!["x", "é", "ñ", "आ", "湖", "🏡"])
    }

    proptest! {
        #[test]
        fn exactly_the_broken_rules_are_reported(
            (letter, title, description) in (any_letter(), 0_usize..20, 40_usize..60),
            cents in -3_i64..3,
            blank in any::<[bool; 3]>(),
            images in prop_oneof![0_usize..3, 48_usize..53],
            not_an_url in any::<prop::sample::Index>(),
            with_wrong_image in any::<bool>(),
        ) {
            let part = |index: usize| if blank[index] { " \t".to_owned() } else { "x".to_owned() };
            let mut property = PropertyData {
                title: format!("  {}\n", letter.repeat(title)),
                description: letter.repeat(description),
                price: Amount::new(Decimal::new(cents, 2)),
                location: Location {
                    address: part(0),
                    city: part(1),
                    state: part(2),
                    ..Location::default()
                },
                images: vec![valid().images[0].clone(); images],
                ..valid()
            };
            let wrong = (with_wrong_image && images > 0).then(|| not_an_url.index(images.max(1)));
            if let Some(index) = wrong {
                property.images[index] = "no address".to_owned();
            }
            let expected: Vec<String> = [
                (title < 10, "title"),
                (description < 50, "description"),
                (cents <= 0, "price"),
                (blank[0], "location.address"),
                (blank[1], "location.city"),
                (blank[2], "location.state"),
                (images == 0 || images > 50, "images"),
            ]
            .into_iter()
            .filter(|(is_broken, _)| *is_broken)
            .map(|(_, field)| field.to_owned())
            .chain(wrong.filter(|index| *index < 50).map(|index| format!("images[{index}]")))
            .collect();
            prop_assert_eq!(fields(&property), expected);
        }
    }
}
