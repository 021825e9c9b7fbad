//! A report as CSV: one figure a line, for programs.
//!
//! `section,name,currency,value,previous,change`, by RFC 4180 in UTF-8:
//!
//! - `section` is `report` for what the report is, `key_figures`, or a table and, after a dot, what
//!   of its rows is measured (`top_articles.revenue`);
//! - `name` is the row (`flat-7`, `paid`), `currency` that of an amount;
//! - `value` is in the period, `previous` in the one before, `change` the first less the second.
//!   Amounts are in major units, shares fractions, durations seconds; what there is none of is empty.
//!
//! There is no byte order mark: programs would read it as part of the first name, and people have the
//! workbook. A spreadsheet opens this file all the same and runs as a formula what looks like one, so
//! such a text gets an apostrophe in front. Numbers are ours and stay numbers, also below zero.

use std::borrow::Cow;

use ::csv::{Terminator, Writer, WriterBuilder};
use chrono::SecondsFormat;
use rust_decimal::Decimal;

use super::Report;
use super::figure::{Figure, Value};
use super::view::{Row, Section, Table};
use crate::error::AnalyticsError;
use crate::model::ReportFormat;

const HEADER: [&str; 6] = ["section", "name", "currency", "value", "previous", "change"];

pub(super) fn render(report: &Report<'_>) -> Result<Vec<u8>, AnalyticsError> {
    let mut lines = Lines(
        WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .from_writer(Vec::new()),
    );
    lines.write(HEADER)?;
    lines.about(report)?;
    for key_figure in &report.view.key_figures {
        let currency = key_figure.currency.map_or("", |currency| currency.as_str());
        lines.figure("key_figures", key_figure.id, currency, &key_figure.figure)?;
    }
    for Section { table, .. } in &report.view.sections {
        for row in &table.rows {
            lines.row(table, row)?;
        }
    }
    lines.0.into_inner().map_err(|error| defect(&error))
}

struct Lines(Writer<Vec<u8>>);

impl Lines {
    fn write(&mut self, line: [&str; 6]) -> Result<(), AnalyticsError> {
        self.0.write_record(line).map_err(|error| defect(&error))
    }

    /// What the report is and which time it covers.
    fn about(&mut self, report: &Report<'_>) -> Result<(), AnalyticsError> {
        let time =
            |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let (window, before) = (report.period().window(), report.period().window_before());
        let report_type = report.document.metrics.report_type();
        let lines = [
            ("type", report_type.to_string(), String::new()),
            ("from", time(window.from), time(before.from)),
            ("to", time(window.to), time(before.to)),
            (
                "time_zone",
                report.period().time_zone().to_string(),
                String::new(),
            ),
            (
                "gathered_at",
                time(report.document.timestamp),
                String::new(),
            ),
            ("generated_at", time(report.generated_at), String::new()),
        ];
        for (name, value, previous) in &lines {
            self.write(["report", name, "", value, previous, ""])?;
        }
        Ok(())
    }

    fn row(&mut self, table: &Table, row: &Row) -> Result<(), AnalyticsError> {
        let currency = row.currency.map_or("", |currency| currency.as_str());
        for (measure, figure) in table.measures.iter().zip(&row.figures) {
            let section = format!("{}.{}", table.id, measure.id);
            self.figure(&section, &row.key, currency, figure)?;
        }
        Ok(())
    }

    fn figure(
        &mut self,
        section: &str,
        name: &str,
        currency: &str,
        figure: &Figure,
    ) -> Result<(), AnalyticsError> {
        let previous = figure.previous.and_then(Value::number);
        self.write([
            section,
            &harmless(name),
            currency,
            &number(figure.current.number()),
            &number(previous),
            &number(figure.difference()),
        ])
    }
}

fn number(number: Option<Decimal>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// The text, so that no spreadsheet takes it for a formula.
///
/// The full-width signs are among them, because a spreadsheet reads them as their narrow twins.
fn harmless(text: &str) -> Cow<'_, str> {
    const STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if text.starts_with(STARTS) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn defect(error: &dyn std::error::Error) -> AnalyticsError {
    AnalyticsError::Rendering {
        format: ReportFormat::Csv,
        reason: error.to_string(),
    }
}
