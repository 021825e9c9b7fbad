//! The contract's numbers, and what holds of every score.

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
