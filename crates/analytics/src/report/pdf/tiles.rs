//! The key figures, each on a tile with its change.

use krilla::tagging::{ListNumbering, Tag};

use super::flow::{Area, Flow};
use super::structure::{Mark, NodeId};
use super::style::{self, GAP};
use crate::report::figure::{Change, Figure};
use crate::report::view::KeyFigure;
use crate::report::words;

const PER_ROW: usize = 3;
const WIDTH: f32 = (style::CONTENT_WIDTH - 2.0 * GAP) / 3.0;
const HEIGHT: f32 = 66.0;
const ACCENT: f32 = 2.5;
const PADDING: f32 = 12.0;
/// Between the change and what was before.
const BETWEEN: f32 = 6.0;

pub(super) fn write(flow: &mut Flow<'_>, key_figures: &[KeyFigure]) {
    let list = flow.structure.add(Tag::L(ListNumbering::None));
    for row in key_figures.chunks(PER_ROW) {
        flow.make_room(HEIGHT);
        let mut x = style::MARGIN;
        for key_figure in row {
            let item = flow.structure.add_to(list, Tag::LI);
            let body = flow.structure.add_to(item, Tag::LBody);
            write_tile(flow, body, x, key_figure);
            x += WIDTH + GAP;
        }
        flow.y += HEIGHT + GAP;
    }
    flow.y -= GAP;
}

fn write_tile(flow: &mut Flow<'_>, node: NodeId, x: f32, key_figure: &KeyFigure) {
    let area = Area {
        x,
        y: flow.y,
        width: WIDTH,
        height: HEIGHT,
    };
    flow.fill(Mark::Decoration, area, style::SHADE);
    let accent = Area {
        width: ACCENT,
        ..area
    };
    flow.fill(Mark::Decoration, accent, style::INK);

    let (left, width) = (x + PADDING, WIDTH - 2.0 * PADDING);
    let label = match key_figure.currency {
        Some(currency) => format!("{}, {currency}", key_figure.label),
        None => key_figure.label.to_owned(),
    };
    let label = flow.line(&label, style::SMALL, width);
    flow.line_in(node, (left, area.y + 18.0), style::SMALL, label);

    let value = words::value(key_figure.figure.current);
    let (value, value_style) = flow.whole_line(&value, style::TILE_VALUE, width);
    flow.line_in(node, (left, area.y + 39.5), value_style, value);

    write_change(flow, node, (left, area.y + 55.5), width, &key_figure.figure);
}

/// `▲ +12.3%  from €1,000.00`, as wide as the tile at most.
fn write_change(
    flow: &mut Flow<'_>,
    node: NodeId,
    (x, baseline): (f32, f32),
    width: f32,
    figure: &Figure,
) {
    // The space is for those who listen: the two are words apart.
    let change = words::change(figure).map(|change| format!("{change} "));
    let parts: Vec<_> = [
        (change, style::CHANGE.colored(style::tone(figure.tone()))),
        (before(figure), style::SMALL),
    ]
    .into_iter()
    .filter_map(|(text, text_style)| {
        Some((flow.fonts.of(text_style.face).line(&text?), text_style))
    })
    .collect();
    let widths = parts
        .iter()
        .map(|(line, text_style)| line.width(text_style.size) + BETWEEN);
    let scale = (width / widths.sum::<f32>()).min(1.0);
    let paragraph = flow.structure.add_to(node, Tag::P);
    let mut left = x;
    for (line, text_style) in parts {
        let text_style = text_style.sized(text_style.size * scale);
        let right = left + line.width(text_style.size) + BETWEEN * scale;
        flow.text(Mark::Content(paragraph), (left, baseline), text_style, line);
        left = right;
    }
}

/// What was before, where the change does not say it.
fn before(figure: &Figure) -> Option<String> {
    match (figure.previous, figure.change()) {
        (None, _) => Some("at the time of the report".to_owned()),
        (_, Change::None) => None,
        (Some(previous), Change::Unknown) => Some(format!("before: {}", words::value(previous))),
        (Some(previous), _) => Some(format!("from {}", words::value(previous))),
    }
}
