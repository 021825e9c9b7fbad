//! Charts: horizontal bars, the period above the one before.
//!
//! The two differ in lightness and outline and not in colour only, and every bar has its value beside
//! it, so that nothing is lost in black and white.

use krilla::geom::Rect;
use krilla::tagging::{BBox, Tag};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::flow::{Area, Flow};
use super::structure::Mark;
use super::style::{self, GAP};
use crate::report::figure::Value;
use crate::report::view::{Bar, Chart, Panel};
use crate::report::words;

const PER_ROW: usize = 3;
const THICKNESS: f32 = 8.0;
/// Between the two bars of a figure, and between two figures.
const BAR_GAP: f32 = 2.0;
const FIGURE_GAP: f32 = 9.0;
const LABEL_HEIGHT: f32 = 12.0;
const TITLE_HEIGHT: f32 = 17.0;
const LEGEND_HEIGHT: f32 = 18.0;
const PANEL_GAP: f32 = 2.0 * GAP;
/// Between a bar and its value, and how much of a panel a value may take.
const VALUE_GAP: f32 = 5.0;
const MAX_VALUE: f32 = 0.6;
/// The labels' column, where they stand beside the bars.
const LABEL_WIDTH: f32 = 140.0;

/// A chart that knows how its panels stand.
pub(super) struct ChartLayout<'a> {
    title: &'a str,
    note: Option<&'static str>,
    panels: Vec<&'a Panel>,
    /// Whether the labels stand beside the bars: where there is room for that.
    beside: bool,
}

impl<'a> ChartLayout<'a> {
    pub(super) fn of(chart: &'a Chart, title: &'a str) -> Self {
        let panels: Vec<_> = chart
            .panels
            .iter()
            .filter(|panel| !panel.bars.is_empty())
            .collect();
        Self {
            title,
            note: chart.note,
            beside: panels.len() == 1,
            panels,
        }
    }

    /// How much of it must be on the page on which it begins.
    pub(super) fn least_height(&self) -> f32 {
        let first = self.panels.chunks(PER_ROW).next();
        LEGEND_HEIGHT + first.map_or(0.0, |row| row_height(row, self.beside))
    }

    /// How high it is where it does not have to be continued on another page.
    pub(super) fn height(&self) -> f32 {
        let rows = self.panels.chunks(PER_ROW);
        LEGEND_HEIGHT
            + rows
                .map(|row| row_height(row, self.beside) + GAP)
                .sum::<f32>()
            - GAP
    }

    pub(super) fn write(&self, flow: &mut Flow<'_>) {
        write_legend(flow, self.note);
        let width = if self.beside {
            style::CONTENT_WIDTH
        } else {
            (style::CONTENT_WIDTH - 2.0 * PANEL_GAP) / 3.0
        };
        for row in self.panels.chunks(PER_ROW) {
            let height = row_height(row, self.beside);
            flow.make_room(height);
            let mut x = style::MARGIN;
            for panel in row {
                let area = Area {
                    x,
                    y: flow.y,
                    width,
                    height,
                };
                write_panel(flow, self.title, panel, area, self.beside);
                x += width + PANEL_GAP;
            }
            flow.y += height + GAP;
        }
        flow.y -= GAP;
    }
}

fn row_height(row: &[&Panel], beside: bool) -> f32 {
    row.iter()
        .map(|panel| panel_height(panel, beside))
        .fold(0.0, f32::max)
}

fn panel_height(panel: &Panel, beside: bool) -> f32 {
    let title = if panel.title.is_empty() {
        0.0
    } else {
        TITLE_HEIGHT
    };
    let bars = panel.bars.iter().map(|bar| bar_height(bar, beside));
    title + bars.sum::<f32>() - FIGURE_GAP
}

fn bar_height(bar: &Bar, beside: bool) -> f32 {
    let label = if beside { 0.0 } else { LABEL_HEIGHT };
    let before = bar.figure.previous.map_or(0.0, |_| BAR_GAP + THICKNESS);
    label + THICKNESS + before + FIGURE_GAP
}

/// What the two kinds of bars are.
fn write_legend(flow: &mut Flow<'_>, remark: Option<&str>) {
    let node = flow.structure.add(Tag::P);
    let baseline = flow.y + style::SMALL.size;
    let mut x = style::MARGIN;
    for (is_before, text) in [(false, "This period "), (true, "Period before ")] {
        let swatch = Area {
            x,
            y: baseline - 6.5,
            width: 7.0,
            height: 7.0,
        };
        fill_bar(flow, Mark::Decoration, swatch, is_before);
        let line = flow.line(text, style::SMALL, style::CONTENT_WIDTH);
        let width = line.width(style::SMALL.size);
        flow.text(
            Mark::Content(node),
            (x + 11.0, baseline),
            style::SMALL,
            line,
        );
        x += 11.0 + width + 16.0;
    }
    if let Some(remark) = remark {
        let line = flow.line(
            remark,
            style::SMALL,
            style::MARGIN + style::CONTENT_WIDTH - x,
        );
        flow.text(Mark::Content(node), (x, baseline), style::SMALL, line);
    }
    flow.y += LEGEND_HEIGHT;
}

/// A panel is one figure for those who listen: the same in words.
fn write_panel(flow: &mut Flow<'_>, title: &str, panel: &Panel, area: Area, beside: bool) {
    let bounds = Rect::from_xywh(area.x, area.y, area.width, area.height);
    let tag = Tag::Figure(Some(in_words(title, panel)))
        .with_bbox(bounds.map(|bounds| BBox::new(flow.page(), bounds)));
    let mark = Mark::Content(flow.structure.add(tag));
    let mut y = area.y;
    if !panel.title.is_empty() {
        let line = flow.line(&panel.title, style::PANEL_TITLE, area.width);
        flow.text(mark, (area.x, y + 9.0), style::PANEL_TITLE, line);
        y += TITLE_HEIGHT;
    }
    let scale = Scale {
        longest: longest(panel),
        room: room_for_bars(flow, panel, bars_of(area, beside).width),
    };
    for bar in &panel.bars {
        write_bar(flow, mark, bar, Area { y, ..area }, &scale, beside);
        y += bar_height(bar, beside);
    }
}

/// The largest value, and how long its bar is.
struct Scale {
    longest: Decimal,
    room: f32,
}

/// Where the bars of a figure are.
fn bars_of(area: Area, beside: bool) -> Area {
    if beside {
        Area {
            x: area.x + LABEL_WIDTH,
            width: area.width - LABEL_WIDTH,
            ..area
        }
    } else {
        Area {
            y: area.y + LABEL_HEIGHT,
            ..area
        }
    }
}

fn write_bar(flow: &mut Flow<'_>, mark: Mark, bar: &Bar, area: Area, scale: &Scale, beside: bool) {
    let label_width = if beside {
        LABEL_WIDTH - GAP
    } else {
        area.width
    };
    let Area {
        x, mut y, width, ..
    } = bars_of(area, beside);
    let label = flow.line(&bar.label, style::BAR_LABEL, label_width);
    flow.text(mark, (area.x, area.y + 7.5), style::BAR_LABEL, label);
    for (value, is_before) in values_of(bar) {
        let text = words::value(value);
        let (text, text_style) = flow.whole_line(&text, style::BAR_VALUE, width * MAX_VALUE);
        let length = (part_of(value, scale.longest) * scale.room).max(0.8);
        let shape = Area {
            x,
            y,
            width: length,
            height: THICKNESS,
        };
        fill_bar(flow, mark, shape, is_before);
        let color = if is_before { style::GREY } else { style::BLACK };
        flow.text(
            mark,
            (x + length + VALUE_GAP, y + THICKNESS - 1.2),
            text_style.colored(color),
            text,
        );
        y += THICKNESS + BAR_GAP;
    }
}

/// A figure's values, and whether each is of the period before.
fn values_of(bar: &Bar) -> impl Iterator<Item = (Value, bool)> {
    let previous = bar.figure.previous.map(|value| (value, true));
    std::iter::once((bar.figure.current, false)).chain(previous)
}

/// How long the longest bar may be, so that every value fits behind its bar.
fn room_for_bars(flow: &Flow<'_>, panel: &Panel, width: f32) -> f32 {
    let values = panel.bars.iter().flat_map(values_of).map(|(value, _)| {
        let text = words::value(value);
        let (line, text_style) = flow.whole_line(&text, style::BAR_VALUE, width * MAX_VALUE);
        line.width(text_style.size)
    });
    width - VALUE_GAP - values.fold(0.0, f32::max)
}

/// A bar of the period is solid, one of the period before is light with an outline.
fn fill_bar(flow: &mut Flow<'_>, mark: Mark, area: Area, is_before: bool) {
    flow.fill(mark, area, style::INK);
    let line = 0.6;
    if is_before && area.width > 2.0 * line {
        flow.fill(mark, inset(area, line), style::PALE);
    }
}

fn inset(area: Area, by: f32) -> Area {
    Area {
        x: area.x + by,
        y: area.y + by,
        width: area.width - 2.0 * by,
        height: area.height - 2.0 * by,
    }
}

fn longest(panel: &Panel) -> Decimal {
    let values = panel
        .bars
        .iter()
        .flat_map(|bar| [Some(bar.figure.current), bar.figure.previous]);
    values
        .flatten()
        .filter_map(Value::number)
        .max()
        .unwrap_or_default()
}

/// How long a value is beside the longest, 0 to 1; less than nothing has no length.
fn part_of(value: Value, longest: Decimal) -> f32 {
    value
        .number()
        .and_then(|number| number.checked_div(longest))
        .and_then(|part| part.to_f32())
        .unwrap_or_default()
        .clamp(0.0, 1.0)
}

/// So many characters of a name are said: a file's texts have a limit.
const SAID: usize = 80;

fn in_words(title: &str, panel: &Panel) -> String {
    let said = |name: &str| name.chars().take(SAID).collect::<String>();
    let bars: Vec<_> = panel
        .bars
        .iter()
        .map(|bar| {
            let current = words::value(bar.figure.current);
            let label = said(&bar.label);
            match bar.figure.previous {
                Some(previous) => {
                    let previous = words::value(previous);
                    format!("{label} {current}, before {previous}")
                }
                None => format!("{label} {current}"),
            }
        })
        .collect();
    let name = if panel.title.is_empty() {
        title.to_owned()
    } else {
        format!("{title}, {}", said(&panel.title))
    };
    // It goes into the file as text: the same characters as on the page.
    super::typeface::visible(&format!("Bar chart. {name}: {}.", bars.join("; ")))
}
