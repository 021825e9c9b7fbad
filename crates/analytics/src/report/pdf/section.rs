//! A section: its heading, the picture, the table.

use krilla::tagging::Tag;

use super::chart::ChartLayout;
use super::flow::Flow;
use super::style;
use super::table::TableLayout;
use crate::report::view::Section;

/// Between a picture and its table.
const BELOW_CHART: f32 = 12.0;

/// A picture and the beginning of its table stay on one page, unless they are higher than this.
const MOST_TOGETHER: f32 = 0.7 * (style::BOTTOM - style::TOP);

pub(super) fn write(flow: &mut Flow<'_>, section: &Section) {
    let table = &section.table;
    if table.rows.is_empty() {
        flow.section(table.title, style::SMALL.leading());
        flow.paragraph(Tag::P, table.empty, style::SMALL);
        return;
    }
    let layout = TableLayout::of(flow, table);
    if let Some(chart) = &section.chart {
        let chart = ChartLayout::of(chart, table.title);
        let both = chart.height() + BELOW_CHART + layout.least_height();
        let least = if both < MOST_TOGETHER {
            both
        } else {
            chart.least_height()
        };
        flow.section(table.title, least);
        chart.write(flow);
        flow.y += BELOW_CHART;
        flow.make_room(layout.least_height());
    } else {
        flow.section(table.title, layout.least_height());
    }
    layout.write(flow);
}
