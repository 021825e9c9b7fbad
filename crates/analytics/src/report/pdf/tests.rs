//! What is laid out stays on its page and out of the way of everything else.

use chrono::{DateTime, Utc};

use super::flow::{Item, Shape};
use super::structure::Mark;
use super::{Fonts, lay_out, style};
use crate::metrics::{Metrics, MetricsDocument};
use crate::report::Report;
use crate::report::view::View;

#[path = "../../../tests/rendering/samples.rs"]
mod samples;

/// Rounding of positions, in points.
const TOLERANCE: f32 = 0.6;

/// Where a text is: left, top, right, bottom.
struct Place<'a> {
    text: &'a str,
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Place<'_> {
    fn overlaps(&self, other: &Self) -> bool {
        let apart = self.right - TOLERANCE <= other.left
            || other.right - TOLERANCE <= self.left
            || self.bottom - TOLERANCE <= other.top
            || other.bottom - TOLERANCE <= self.top;
        !apart
    }
}

fn places(items: &[Item]) -> Vec<Place<'_>> {
    items
        .iter()
        .filter_map(|item| match &item.shape {
            Shape::Text {
                x,
                baseline,
                style,
                line,
            } if !line.text.trim().is_empty() => Some(Place {
                text: &line.text,
                left: *x,
                // The height of a capital letter.
                top: baseline - 0.73 * style.size,
                right: x + line.width(style.size),
                bottom: *baseline,
            }),
            _ => None,
        })
        .collect()
}

fn check(name: &str, document: &MetricsDocument, generated_at: DateTime<Utc>) {
    let report = Report {
        view: View::of(&document.metrics),
        document,
        generated_at,
    };
    let fonts = Fonts::load().unwrap();
    let flow = lay_out(&report, &fonts);
    for (page, items) in flow.pages.iter().enumerate() {
        let places = places(items);
        for place in &places {
            let inside = place.left >= style::MARGIN - TOLERANCE
                && place.right <= style::PAGE_WIDTH - style::MARGIN + TOLERANCE
                && place.top >= 0.0;
            assert!(
                inside,
                "{name}, page {page}: {:?} leaves the page",
                place.text
            );
        }
        for (index, place) in places.iter().enumerate() {
            for other in &places[index + 1..] {
                assert!(
                    !place.overlaps(other),
                    "{name}, page {page}: {:?} lies over {:?}",
                    place.text,
                    other.text
                );
            }
        }
        let lowest = items.iter().filter(|item| item.mark != Mark::Footer);
        let lowest = lowest.map(|item| match &item.shape {
            Shape::Text { baseline, .. } => *baseline,
            Shape::Box { area, .. } => area.y + area.height,
        });
        let lowest = lowest.fold(0.0, f32::max);
        assert!(
            lowest <= style::BOTTOM + 1.0,
            "{name}, page {page}: {lowest}"
        );
    }
}

#[test]
fn nothing_leaves_its_page_or_lies_over_something() {
    for (name, document) in samples::all() {
        check(name, &document, samples::generated_at());
    }
}

#[test]
fn long_names_push_nothing_away() {
    for name in [
        "W".repeat(4_000),
        "word ".repeat(900),
        "i".repeat(4_000),
        "-".repeat(90),
    ] {
        let mut sales = samples::huge_sales();
        for article in &mut sales.top_articles {
            article.sku.clone_from(&name);
        }
        for status in &mut sales.orders_by_status {
            status.status.clone_from(&name);
        }
        let mut performance = samples::performance();
        for workflow in &mut performance.workflows {
            workflow.workflow_type.clone_from(&name);
        }
        let mut analytics = samples::analytics();
        for channel in &mut analytics.deliveries {
            channel.channel.clone_from(&name);
        }
        for metrics in [
            Metrics::Sales(sales),
            Metrics::Performance(performance),
            Metrics::Analytics(analytics),
        ] {
            check(
                &name[..5],
                &samples::document(metrics),
                samples::generated_at(),
            );
        }
    }
}

#[test]
fn a_line_says_that_it_was_cut() {
    let fonts = Fonts::load().unwrap();
    let face = fonts.of(style::CELL.face);
    let lines = face.lines(&"house ".repeat(100), 10.0, 100.0, 3);
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.width(10.0) <= 100.0));
    assert!(lines[0].text.starts_with("house house"));
    assert!(lines[2].text.ends_with('…'), "{}", lines[2].text);
    let whole = face.lines("house boat", 10.0, 100.0, 3);
    assert_eq!(whole.len(), 1);
    // Few letters of very many characters.
    let marked = face.lines(&"e\u{301}\u{302}\u{303}\u{304}".repeat(101), 1.0, 100.0, 3);
    assert!(marked.last().unwrap().text.ends_with('…'));
}

#[test]
fn what_nobody_could_see_is_shown() {
    let fonts = Fonts::load().unwrap();
    let face = fonts.of(style::CELL.face);
    for (text, expected) in [
        ("a\u{200B}b", "a□b"),
        ("a\u{202E}b", "a□b"),
        ("a\0b", "a□b"),
        ("a\tb\nc", "a b c"),
        ("家", "□"),
        ("e\u{301}", "e\u{301}"),
        (
            "e\u{301}\u{301}\u{301}\u{301}\u{301}",
            "e\u{301}\u{301}\u{301}\u{301}□",
        ),
        ("₹ € $ ß Ω Я ế", "₹ € $ ß Ω Я ế"),
    ] {
        assert_eq!(face.line(text).text, expected);
    }
}
