//! Writes the pages into a file.

use chrono::{DateTime as Time, Datelike, Timelike, Utc};
use krilla::Document;
use krilla::SerializeSettings;
use krilla::color::rgb;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, SpanTag};

use super::flow::{Bookmark, Flow, Item, Shape};
use super::structure::Mark;
use super::style::{self, Color};
use super::typeface::Fonts;
use crate::report::Report;

/// The language of every text that is ours.
const LANGUAGE: &str = "en";

pub(super) fn write(mut flow: Flow<'_>, report: &Report<'_>) -> Result<Vec<u8>, String> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| format!("{error:?}"))?;
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    });
    for page in &flow.pages {
        let size = PageSettings::from_wh(style::PAGE_WIDTH, style::PAGE_HEIGHT);
        let mut sheet = document.start_page_with(size.unwrap_or_default());
        let mut surface = sheet.surface();
        for item in page.chunk_by(|a, b| a.mark == b.mark) {
            write_items(&mut surface, flow.fonts, item, &mut flow.structure);
        }
        surface.finish();
        sheet.finish();
    }
    document.set_metadata(metadata(report));
    document.set_outline(outline(&flow.bookmarks));
    document.set_tag_tree(flow.structure.tree());
    document.finish().map_err(|error| format!("{error:?}"))
}

/// Writes what belongs together in the structure.
fn write_items(
    surface: &mut Surface<'_>,
    fonts: &Fonts,
    items: &[Item],
    structure: &mut super::structure::Structure,
) {
    let Some(first) = items.first() else { return };
    let tag = match first.mark {
        Mark::Content(_) if items.iter().all(is_text) => ContentTag::Span(SpanTag::empty()),
        Mark::Content(_) => ContentTag::Other,
        Mark::Decoration => artifact(ArtifactType::Layout),
        Mark::Footer => artifact(ArtifactType::Footer),
        Mark::Repeated => artifact(ArtifactType::PaginationOther),
    };
    let identifier = surface.start_tagged(tag);
    for item in items {
        write_shape(surface, fonts, &item.shape);
    }
    surface.end_tagged();
    if let Mark::Content(node) = first.mark {
        structure.place(node, identifier);
    }
}

fn artifact(kind: ArtifactType) -> ContentTag<'static> {
    ContentTag::Artifact(Artifact::with_kind(kind))
}

const fn is_text(item: &Item) -> bool {
    matches!(item.shape, Shape::Text { .. })
}

fn write_shape(surface: &mut Surface<'_>, fonts: &Fonts, shape: &Shape) {
    match shape {
        Shape::Text {
            x,
            baseline,
            style,
            line,
        } => {
            surface.set_fill(Some(fill(style.color)));
            let font = fonts.of(style.face).font.clone();
            let start = Point::from_xy(*x, *baseline);
            surface.draw_glyphs(start, &line.glyphs, font, &line.text, style.size, false);
        }
        Shape::Box { area, color } => {
            let mut path = PathBuilder::new();
            if let Some(rect) = Rect::from_xywh(area.x, area.y, area.width, area.height) {
                path.push_rect(rect);
            }
            if let Some(path) = path.finish() {
                surface.set_fill(Some(fill(*color)));
                surface.draw_path(&path);
            }
        }
    }
}

fn fill(Color(red, green, blue): Color) -> Fill {
    Fill {
        paint: rgb::Color::new(red, green, blue).into(),
        opacity: NormalizedF32::ONE,
        rule: krilla::paint::FillRule::default(),
    }
}

fn metadata(report: &Report<'_>) -> Metadata {
    let document_type = report.document.metrics.report_type();
    let window = report.period().window();
    Metadata::new()
        .title(format!(
            "{}, {}",
            report.view.title,
            report.period_in_words()
        ))
        .authors(vec!["Partner platform".to_owned()])
        .creator("Partner platform".to_owned())
        .language(LANGUAGE.to_owned())
        .creation_date(date(report.generated_at))
        .document_id(format!(
            "{document_type}/{}/{}",
            window.from.to_rfc3339(),
            window.to.to_rfc3339()
        ))
}

fn date(time: Time<Utc>) -> DateTime {
    let part = |number: u32| u8::try_from(number).unwrap_or_default();
    DateTime::new(u16::try_from(time.year()).unwrap_or_default())
        .month(part(time.month()))
        .day(part(time.day()))
        .hour(part(time.hour()))
        .minute(part(time.minute()))
        .second(part(time.second()))
        .utc_offset_hour(0)
}

fn outline(bookmarks: &[Bookmark]) -> Outline {
    let mut outline = Outline::new();
    for bookmark in bookmarks {
        let place = XyzDestination::new(bookmark.page, Point::from_xy(0.0, bookmark.y));
        outline.push_child(OutlineNode::new(bookmark.title.clone(), place));
    }
    outline
}
