//! The sheet with charts: each beside the cells that it draws.

use rust_xlsxwriter::{
    Chart as NativeChart, ChartFormat, ChartLegendPosition, ChartLine, ChartSolidFill, Worksheet,
    XlsxError,
};

use super::CHARTS;
use super::formats::{Formats, INK, PALE, cell_text};
use super::sheet::fit_to_page;
use crate::report::view::{Panel, Section};

/// Columns: what a bar is for, how long it is, how long it was; then the picture.
const LABELS: u16 = 0;
const CURRENT: u16 = 1;
const PREVIOUS: u16 = 2;
const PICTURE: u16 = 4;

/// So many rows of cells are as high as a picture.
const PICTURE_ROWS: u32 = 16;

/// In pixels.
const PICTURE_WIDTH: u32 = 560;
const PICTURE_HEIGHT: u32 = 300;

pub(super) fn write(
    sheet: &mut Worksheet,
    sections: &[Section],
    formats: &Formats,
) -> Result<(), XlsxError> {
    sheet.set_column_width(LABELS, 36)?;
    sheet.set_column_range_width(CURRENT, PREVIOUS, 18)?;
    let mut row = 0;
    for section in sections {
        let panels = section.chart.iter().flat_map(|chart| &chart.panels);
        for panel in panels.filter(|panel| !panel.bars.is_empty()) {
            let height = write_panel(sheet, row, section.table.title, panel, formats)?;
            row += height.max(PICTURE_ROWS) + 1;
        }
    }
    sheet.set_landscape();
    fit_to_page(sheet);
    if row == 0 {
        sheet.write_string_with_format(0, LABELS, "Nothing to draw.", &formats.label)?;
    }
    Ok(())
}

/// Writes the cells of a panel and the chart beside them; gives how many rows the cells take.
fn write_panel(
    sheet: &mut Worksheet,
    first: u32,
    title: &str,
    panel: &Panel,
    formats: &Formats,
) -> Result<u32, XlsxError> {
    let title = if panel.title.is_empty() {
        title.to_owned()
    } else {
        cell_text(&format!("{title}: {}", panel.title))
    };
    sheet.write_string_with_format(first, LABELS, title, &formats.header)?;
    sheet.write_string_with_format(first, CURRENT, "This period", &formats.number_header)?;
    sheet.write_string_with_format(first, PREVIOUS, "Period before", &formats.number_header)?;
    let mut last = first;
    for bar in &panel.bars {
        last += 1;
        sheet.write_string_with_format(last, LABELS, cell_text(&bar.label), &formats.label)?;
        formats.write_value(sheet, last, CURRENT, bar.figure.current)?;
        if let Some(previous) = bar.figure.previous {
            formats.write_value(sheet, last, PREVIOUS, previous)?;
        }
    }
    let chart = native_chart(first, last);
    sheet.insert_chart(first, PICTURE, &chart)?;
    Ok(last - first + 1)
}

/// Every text of the chart is that of a cell: one that begins with `=` would be read as a reference.
fn native_chart(first: u32, last: u32) -> NativeChart {
    let mut chart = NativeChart::new_bar();
    for (column, color) in [(CURRENT, INK), (PREVIOUS, PALE)] {
        chart
            .add_series()
            .set_name((CHARTS, first, column))
            .set_categories((CHARTS, first + 1, LABELS, last, LABELS))
            .set_values((CHARTS, first + 1, column, last, column))
            .set_format(ChartFormat::new().set_solid_fill(ChartSolidFill::new().set_color(color)))
            .set_gap(60);
    }
    chart.title().set_name((CHARTS, first, LABELS));
    // Bars are drawn from the bottom up.
    chart.y_axis().set_reverse();
    chart
        .x_axis()
        .set_num_format("#,##0")
        .set_major_gridlines_line(ChartLine::new().set_color(PALE).set_width(0.5));
    chart.legend().set_position(ChartLegendPosition::Bottom);
    chart.set_width(PICTURE_WIDTH).set_height(PICTURE_HEIGHT);
    chart
}
