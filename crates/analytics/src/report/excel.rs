//! A report as an Excel workbook: for people who go on reckoning with it.
//!
//! A summary, a sheet with native charts, and a sheet for each table. Numbers are numbers with the
//! format of their currency, times are times by the readers' clock. A number with more digits than
//! a spreadsheet keeps is a text, because it would silently become another.

mod charts;
mod formats;
mod sheet;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use self::formats::Formats;
use super::Report;
use crate::error::AnalyticsError;
use crate::model::ReportFormat;

/// The names of the first sheets; the others are called as their tables.
const SUMMARY: &str = "Summary";
const CHARTS: &str = "Charts";

pub(super) fn render(report: &Report<'_>) -> Result<Vec<u8>, AnalyticsError> {
    workbook(report).map_err(|error| AnalyticsError::Rendering {
        format: ReportFormat::Excel,
        reason: error.to_string(),
    })
}

fn workbook(report: &Report<'_>) -> Result<Vec<u8>, XlsxError> {
    let formats = Formats::new();
    let mut workbook = Workbook::new();
    workbook.set_properties(
        &DocProperties::new()
            .set_title(report.view.title)
            .set_subject(report.period_in_words())
            .set_author("Partner platform")
            .set_creation_datetime(&local(report.generated_at, Tz::UTC)?),
    );
    let summary = workbook.add_worksheet().set_name(SUMMARY)?;
    sheet::write_summary(summary, report, &formats)?;
    let charts = workbook.add_worksheet().set_name(CHARTS)?;
    charts::write(charts, &report.view.sections, &formats)?;
    for section in &report.view.sections {
        let sheet = workbook.add_worksheet().set_name(section.table.title)?;
        sheet::write_table(sheet, &section.table, &formats)?;
    }
    workbook.save_to_buffer()
}

/// A moment by the clock of a zone: spreadsheets know no zones.
fn local(time: DateTime<Utc>, zone: Tz) -> Result<ExcelDateTime, XlsxError> {
    let local = time.with_timezone(&zone);
    let part = |number: u32| u8::try_from(number).unwrap_or_default();
    ExcelDateTime::from_ymd(
        u16::try_from(local.year()).unwrap_or_default(),
        part(local.month()),
        part(local.day()),
    )?
    .and_hms(
        u16::from(part(local.hour())),
        part(local.minute()),
        f64::from(part(local.second())),
    )
}
