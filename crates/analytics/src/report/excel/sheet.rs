//! The sheets with cells: the summary, and one for each table.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::formats::{Formats, cell_text};
use super::local;
use crate::report::Report;
use crate::report::figure::Figure;
use crate::report::view::Table;

/// Widths of columns, in characters.
const LABEL_WIDTH: f64 = 36.0;
const NUMBER_WIDTH: f64 = 18.0;
const CURRENCY_WIDTH: f64 = 10.0;
const NOTES_HEIGHT: f64 = 48.0;

/// A4, as Excel counts paper.
const A4: u8 = 9;

/// Printed on every page: the sheet's name, and which page of how many.
const FOOTER: &str = "&L&A&R&P / &N";

/// With more measures, a printed page that had all of them could not be read.
const MEASURES_ON_A_PAGE: usize = 4;

/// The title, the period, the key figures, and what the figures mean.
pub(super) fn write_summary(
    sheet: &mut Worksheet,
    report: &Report<'_>,
    formats: &Formats,
) -> Result<(), XlsxError> {
    sheet.set_column_width(0, LABEL_WIDTH)?;
    sheet.set_column_width(1, CURRENCY_WIDTH)?;
    sheet.set_column_range_width(2, 4, NUMBER_WIDTH)?;
    sheet.set_row_height(0, 28)?;
    sheet.write_string_with_format(0, 0, report.view.title, &formats.title)?;
    write_period(sheet, report, formats)?;

    let first = 8;
    for (column, header) in (0_u16..).zip(["Key figure", "Currency"]) {
        sheet.write_string_with_format(first, column, header, &formats.header)?;
    }
    for (column, header) in (2_u16..).zip(["This period", "Period before", "Change"]) {
        sheet.write_string_with_format(first, column, header, &formats.number_header)?;
    }
    let mut row = first + 1;
    for key_figure in &report.view.key_figures {
        sheet.write_string_with_format(row, 0, key_figure.label, &formats.label)?;
        if let Some(currency) = key_figure.currency {
            sheet.write_string_with_format(row, 1, currency.as_str(), &formats.label)?;
        }
        write_figure(sheet, row, 2, &key_figure.figure, formats)?;
        row += 1;
    }
    row += 1;
    for note in report.view.notes {
        sheet.merge_range(row, 0, row, 4, note, &formats.note)?;
        sheet.set_row_height(row, NOTES_HEIGHT)?;
        row += 1;
    }
    fit_to_page(sheet);
    Ok(())
}

/// From when to when, now and before, by the readers' clock.
fn write_period(
    sheet: &mut Worksheet,
    report: &Report<'_>,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let zone = report.period().time_zone();
    let (window, before) = (report.period().window(), report.period().window_before());
    let times = [
        ("From", window.from),
        ("Up to, without", window.to),
        ("Compared with the time from", before.from),
        ("Generated", report.generated_at),
    ];
    for (row, (label, time)) in (2_u32..).zip(times) {
        sheet.write_string_with_format(row, 0, label, &formats.label)?;
        sheet.write_datetime_with_format(row, 2, &local(time, zone)?, &formats.time)?;
    }
    sheet.write_string_with_format(6, 0, "Time zone", &formats.label)?;
    sheet.write_string_with_format(6, 2, zone.name(), &formats.label)?;
    Ok(())
}

/// A table with a header that stays in sight.
pub(super) fn write_table(
    sheet: &mut Worksheet,
    table: &Table,
    formats: &Formats,
) -> Result<(), XlsxError> {
    write_header(sheet, table, formats)?;
    let numbers_from = first_number(table);
    if table.rows.is_empty() {
        sheet.write_string_with_format(1, 0, table.empty, &formats.label)?;
    }
    for (row, content) in (1_u32..).zip(&table.rows) {
        sheet.write_string_with_format(row, 0, cell_text(&content.label), &formats.label)?;
        if let Some(currency) = content.currency.filter(|_| table.currency_column) {
            sheet.write_string_with_format(row, 1, currency.as_str(), &formats.label)?;
        }
        let mut column = numbers_from;
        for figure in &content.figures {
            column = write_figure(sheet, row, column, figure, formats)?;
        }
    }
    sheet.set_freeze_panes(1, 1)?;
    sheet.set_repeat_rows(0, 0)?;
    sheet.set_repeat_columns(0, 0)?;
    sheet.set_landscape();
    sheet.set_paper_size(A4);
    sheet.set_footer(FOOTER);
    if table.measures.len() <= MEASURES_ON_A_PAGE {
        fit_to_page(sheet);
    }
    Ok(())
}

fn write_header(sheet: &mut Worksheet, table: &Table, formats: &Formats) -> Result<(), XlsxError> {
    sheet.set_row_height(0, 32)?;
    sheet.set_column_width(0, LABEL_WIDTH)?;
    sheet.write_string_with_format(0, 0, table.heading, &formats.header)?;
    if table.currency_column {
        sheet.set_column_width(1, CURRENCY_WIDTH)?;
        sheet.write_string_with_format(0, 1, "Currency", &formats.header)?;
    }
    let mut column = first_number(table);
    for measure in &table.measures {
        let names = if table.is_compared() {
            vec![
                measure.title.to_owned(),
                format!("{}, period before", measure.title),
                format!("{}, change", measure.title),
            ]
        } else {
            vec![measure.title.to_owned()]
        };
        for name in names {
            sheet.set_column_width(column, NUMBER_WIDTH)?;
            sheet.write_string_with_format(0, column, name, &formats.number_header)?;
            column += 1;
        }
    }
    Ok(())
}

fn first_number(table: &Table) -> u16 {
    if table.currency_column { 2 } else { 1 }
}

/// Writes a figure, and beside it the one before and the change, if it is compared; gives the column
/// after it.
fn write_figure(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    figure: &Figure,
    formats: &Formats,
) -> Result<u16, XlsxError> {
    formats.write_value(sheet, row, column, figure.current)?;
    let Some(previous) = figure.previous else {
        return Ok(column + 1);
    };
    formats.write_value(sheet, row, column + 1, previous)?;
    formats.write_change(sheet, row, column + 2, figure)?;
    Ok(column + 3)
}

/// Printed, the sheet is one page wide.
pub(super) fn fit_to_page(sheet: &mut Worksheet) {
    sheet.set_paper_size(A4);
    sheet.set_print_fit_to_pages(1, 0);
    sheet.set_footer(FOOTER);
}
