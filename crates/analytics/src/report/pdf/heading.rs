//! What is around the figures: what the report is, what they mean, and the numbers of the pages.

use krilla::tagging::Tag;

use super::flow::{Area, Flow, Item, Shape, heading_tag};
use super::structure::Mark;
use super::style;
use crate::report::{Report, words};

pub(super) fn write_title(flow: &mut Flow<'_>, report: &Report<'_>) {
    let zone = report.period().time_zone();
    flow.paragraph(Tag::P, "Partner platform", style::PLATFORM);
    flow.y += 4.0;
    flow.paragraph(
        heading_tag(1, report.view.title),
        report.view.title,
        style::TITLE,
    );
    flow.y += 2.0;
    let period = format!("{} ({})", report.period_in_words(), zone.name());
    flow.paragraph(Tag::P, &period, style::PERIOD);
    flow.y += 2.0;
    let about = format!(
        "Compared with {}. Generated {}.",
        report.period_before_in_words(),
        words::minute(report.generated_at, zone)
    );
    flow.paragraph(Tag::P, &about, style::SMALL);
    flow.y += 8.0;
    let rule = Area {
        x: style::MARGIN,
        y: flow.y,
        width: style::CONTENT_WIDTH,
        height: 1.2,
    };
    flow.fill(Mark::Decoration, rule, style::INK);
    flow.y += 14.0;
}

pub(super) fn write_notes(flow: &mut Flow<'_>, notes: &[&str]) {
    flow.section("How to read this report", 4.0 * style::SMALL.leading());
    for note in notes {
        flow.paragraph(Tag::P, note, style::SMALL);
        flow.y += 4.0;
    }
}

/// The footer of every page: what the report is, and "n / m".
pub(super) fn number_pages(flow: &mut Flow<'_>, report: &Report<'_>) {
    let left = format!("{}, {}", report.view.title, report.period_in_words());
    let count = flow.pages.len();
    for (index, page) in flow.pages.iter_mut().enumerate() {
        let face = flow.fonts.of(style::FOOTER.face);
        let number = face.line(&format!("{} / {count}", index + 1));
        let right = style::MARGIN + style::CONTENT_WIDTH - number.width(style::FOOTER.size);
        let room = right - style::MARGIN - style::GAP;
        let texts = [
            (
                style::MARGIN,
                face.line_within(&left, style::FOOTER.size, room),
            ),
            (right, number),
        ];
        page.extend(texts.map(|(x, line)| Item {
            mark: Mark::Footer,
            shape: Shape::Text {
                x,
                baseline: style::FOOTER_BASELINE,
                style: style::FOOTER,
                line,
            },
        }));
    }
}
