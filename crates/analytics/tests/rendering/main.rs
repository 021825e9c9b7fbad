//! Reports as files: what is in them is read back, by readers that are not ours.

mod csv;
mod excel;
mod hostile;
mod pdf;
#[expect(clippy::expect_used, reason = "samples are known to be right")]
mod samples;

use anyhow::{Context, Result};
use partner_analytics::error::AnalyticsError;
use partner_analytics::metrics::MetricsDocument;
use partner_analytics::model::ReportFormat;
use partner_analytics::report::{DEFAULT_LIMIT, render};
use partner_core::error::{ErrorCode, Failure};

fn file(document: &MetricsDocument, format: ReportFormat) -> Result<Vec<u8>, AnalyticsError> {
    render(document, format, samples::generated_at(), DEFAULT_LIMIT)
}

fn sample(name: &str) -> Result<MetricsDocument> {
    let mut samples = samples::all().into_iter();
    let found = samples.find(|(known, _)| *known == name);
    Ok(found.context("no such sample")?.1)
}

#[test]
fn the_same_figures_are_the_same_bytes() -> Result<()> {
    for (name, document) in samples::all() {
        for format in ReportFormat::ALL {
            let first = file(&document, format)?;
            assert!(first == file(&document, format)?, "{name} as {format}");
            // The document may have been on the wire in between.
            let json = serde_json::to_string(&document)?;
            let read: MetricsDocument = serde_json::from_str(&json)?;
            assert!(first == file(&read, format)?, "{name} as {format}");
        }
    }
    Ok(())
}

#[test]
fn a_file_above_the_limit_is_refused() -> Result<()> {
    let document = sample("sales")?;
    for format in ReportFormat::ALL {
        let size = file(&document, format)?.len() as u64;
        let at_limit = render(&document, format, samples::generated_at(), size);
        assert_eq!(at_limit?.len() as u64, size);
        let above = render(&document, format, samples::generated_at(), size - 1);
        let error = above.err().context("it was not refused")?;
        assert_eq!(error.code(), ErrorCode::ValidationError);
        assert!(!error.is_retryable());
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }
    Ok(())
}

#[test]
fn a_time_that_no_format_can_write_is_refused() -> Result<()> {
    let document = sample("sales")?;
    for time in ["-0001-01-01T00:00:00Z", "+10000-01-01T00:00:00Z"] {
        for format in ReportFormat::ALL {
            let refused = render(&document, format, time.parse()?, DEFAULT_LIMIT);
            let error = refused.err().context("it was not refused")?;
            assert_eq!(error.code(), ErrorCode::ValidationError);
        }
    }
    Ok(())
}
