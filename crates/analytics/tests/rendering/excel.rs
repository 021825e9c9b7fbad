//! Workbooks, read by `calamine`.

use std::io::Cursor;

use anyhow::{Context, Result};
use calamine::{Data, Range, Reader, Xlsx};
use partner_analytics::metrics::MetricsDocument;
use partner_analytics::model::ReportFormat;

use crate::{file, sample};

pub(crate) fn workbook(document: &MetricsDocument) -> Result<Xlsx<Cursor<Vec<u8>>>> {
    Ok(Xlsx::new(Cursor::new(file(
        document,
        ReportFormat::Excel,
    )?))?)
}

fn row<'a>(sheet: &'a Range<Data>, first: &str, second: Option<&str>) -> Result<&'a [Data]> {
    let mut rows = sheet.rows().filter(|row| {
        let is = |cell: &Data, text: &str| matches!(cell, Data::String(cell) if cell == text);
        is(&row[0], first) && second.is_none_or(|second| is(&row[1], second))
    });
    rows.next().context("no such row")
}

fn number(cell: &Data) -> Result<f64> {
    match cell {
        Data::Float(number) => Ok(*number),
        other => anyhow::bail!("not a number: {other:?}"),
    }
}

fn is_close(cell: &Data, expected: f64) -> Result<()> {
    let number = number(cell)?;
    anyhow::ensure!((number - expected).abs() < 1e-9, "{number}, not {expected}");
    Ok(())
}

#[test]
fn there_is_a_sheet_for_every_table() -> Result<()> {
    let expected: [(&str, &[&str]); 3] = [
        (
            "sales",
            &[
                "Sales by currency",
                "Orders by status",
                "Top articles",
                "Declined charges",
            ],
        ),
        (
            "analytics",
            &[
                "Users",
                "Messages by channel",
                "Listings by status",
                "Time to approval",
            ],
        ),
        (
            "performance",
            &["Workflows by type", "Failures by type", "Task queues now"],
        ),
    ];
    for (name, tables) in expected {
        let sheets = workbook(&sample(name)?)?.sheet_names();
        assert_eq!(&sheets[..2], ["Summary", "Charts"]);
        assert_eq!(&sheets[2..], tables);
    }
    Ok(())
}

#[test]
fn numbers_are_numbers() -> Result<()> {
    let mut workbook = workbook(&sample("sales")?)?;
    let currencies = workbook.worksheet_range("Sales by currency")?;
    let euro = row(&currencies, "EUR", None)?;
    is_close(&euro[1], 37_037.01)?;
    is_close(&euro[2], 32_970.00)?;
    is_close(&euro[3], 0.123)?;
    is_close(&euro[4], 142.0)?;
    let articles = workbook.worksheet_range("Top articles")?;
    let flat = row(&articles, "flat-3", Some("INR"))?;
    is_close(&flat[2], 37.0)?;
    is_close(&flat[5], 8_936.43)?;
    let statuses = workbook.worksheet_range("Orders by status")?;
    let refunded = row(&statuses, "Refunded", None)?;
    is_close(&refunded[2], 0.0)?;
    assert_eq!(refunded[3], Data::String("new".to_owned()));
    Ok(())
}

#[test]
fn durations_are_times_and_the_period_is_dates() -> Result<()> {
    let mut performance = workbook(&sample("performance")?)?;
    let workflows = performance.worksheet_range("Workflows by type")?;
    let report = row(&workflows, "dailyReportWorkflow", None)?;
    let Data::DateTime(median) = report[19] else {
        anyhow::bail!("not a duration: {:?}", report[19]);
    };
    assert!(
        (median.as_f64() * 86_400.0 - 0.42).abs() < 1e-6,
        "{median:?}"
    );
    let summary = performance.worksheet_range("Summary")?;
    let Data::DateTime(from) = row(&summary, "From", None)?[2] else {
        anyhow::bail!("not a date");
    };
    // The first of December 2026, midnight by the readers' clock.
    assert!((from.as_f64() - 46_357.0).abs() < 1e-9, "{from:?}");
    Ok(())
}

#[test]
fn a_number_with_too_many_digits_is_a_text_that_has_them_all() -> Result<()> {
    let mut workbook = workbook(&sample("sales-huge")?)?;
    let currencies = workbook.worksheet_range("Sales by currency")?;
    let dollar = row(&currencies, "USD", None)?;
    assert_eq!(
        dollar[1],
        Data::String("$92,233,720,368,547,758.07".to_owned())
    );
    assert_eq!(
        dollar[4],
        Data::String("18,446,744,073,709,551,615".to_owned())
    );
    is_close(&dollar[19], 0.01)?;
    Ok(())
}

#[test]
fn a_table_without_rows_says_so() -> Result<()> {
    let mut workbook = workbook(&sample("sales-empty")?)?;
    let statuses = workbook.worksheet_range("Orders by status")?;
    row(&statuses, "No orders in this period.", None)?;
    Ok(())
}

#[test]
fn charts_are_native() -> Result<()> {
    // The names in an archive are not compressed.
    let has_chart = |name: &str, chart: &str| -> Result<bool> {
        let bytes = file(&sample(name)?, ReportFormat::Excel)?;
        let mut windows = bytes.windows(chart.len());
        Ok(windows.any(|window| window == chart.as_bytes()))
    };
    assert!(has_chart("sales", "xl/charts/chart4.xml")?);
    assert!(!has_chart("sales", "xl/charts/chart5.xml")?);
    assert!(has_chart("performance", "xl/charts/chart1.xml")?);
    assert!(!has_chart("sales-empty", "xl/charts/chart1.xml")?);
    Ok(())
}
