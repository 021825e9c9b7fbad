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
    let change = words::change(figure);
    let before = match (figure.previous, figure.change()) {
        (None, _) => "at the time of the report".to_owned(),
        (_, Change::None) => String::new(),
        (Some(previous), Change::Unknown) => format!("before: {}", words::value(previous)),
        (Some(previous), _) => format!("from {}", words::value(previous)),
    };
    let change = change.map_or_else(String::new, |change| format!("{change}  "));
    let change_style = style::CHANGE.colored(style::tone(figure.tone()));
    let bold = flow.fonts.of(change_style.face);
    // The spaces between the two count, here.
    let change_width =
        bold.line(&change).width(change_style.size) + if change.is_empty() { 0.0 } else { 6.0 };
    let before_width = flow
        .fonts
        .of(style::SMALL.face)
        .line(&before)
        .width(style::SMALL.size);
    let scale = (width / (change_width + before_width)).min(1.0);
    let change_style = change_style.sized(change_style.size * scale);
    let before_style = style::SMALL.sized(style::SMALL.size * scale);
    let (change, before) = (
        flow.fonts.of(change_style.face).line(&change),
        flow.fonts.of(before_style.face).line(&before),
    );
    let node = flow.structure.add_to(node, Tag::P);
    if !change.text.is_empty() {
        flow.text(Mark::Content(node), (x, baseline), change_style, change);
    }
    let before_x = x + change_width * scale;
    flow.text(
        Mark::Content(node),
        (before_x, baseline),
        before_style,
        before,
    );
}
