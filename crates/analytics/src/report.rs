//! From the figures to a file: PDF, Excel or CSV.
//!
//! The same figures, rendered for the same time, give the same bytes: nothing is read from a clock
//! and nothing is random. `view` decides what is shown; each format then only decides how.

mod csv;
mod excel;
mod figure;
mod pdf;
mod summary;
mod view;
mod words;

use chrono::{DateTime, Utc};

pub use self::summary::{Summary, SummaryFigure, summary};
use self::view::View;
use crate::error::AnalyticsError;
use crate::metrics::MetricsDocument;
use crate::model::{Period, ReportFormat, is_writable};

/// How many bytes a report may have where nothing else is said: 50 MB.
pub const DEFAULT_LIMIT: u64 = 50 * 1_000 * 1_000;

/// Renders a report as a file.
///
/// Takes some milliseconds of a processor: an activity does it outside of the async runtime.
///
/// # Errors
/// [`AnalyticsError::TooLarge`] if the file would have more than `limit` bytes;
/// [`AnalyticsError::Invalid`] if the time cannot be written.
pub fn render(
    document: &MetricsDocument,
    format: ReportFormat,
    generated_at: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<u8>, AnalyticsError> {
    if !is_writable(generated_at) {
        return Err(AnalyticsError::Invalid(format!(
            "a report cannot be dated {generated_at}"
        )));
    }
    let report = Report {
        view: View::of(&document.metrics),
        document,
        generated_at,
    };
    let file = match format {
        ReportFormat::Pdf => pdf::render(&report)?,
        ReportFormat::Excel => excel::render(&report)?,
        ReportFormat::Csv => csv::render(&report)?,
    };
    let size = file.len() as u64;
    if size > limit {
        return Err(AnalyticsError::TooLarge {
            format,
            size,
            limit,
        });
    }
    Ok(file)
}

/// What is rendered.
struct Report<'a> {
    view: View,
    document: &'a MetricsDocument,
    generated_at: DateTime<Utc>,
}

impl Report<'_> {
    const fn period(&self) -> &Period {
        &self.document.period
    }

    /// The period by the readers' clock.
    fn period_in_words(&self) -> String {
        words::window(self.period().window(), self.period().time_zone())
    }

    /// The period before, by the readers' clock.
    fn period_before_in_words(&self) -> String {
        words::window(self.period().window_before(), self.period().time_zone())
    }
}
