//! A report as PDF: for people who read it.
//!
//! `Flow` lays everything out into pages of shapes and texts, each with its place in the document's
//! structure, and `write` then writes them; so the last page is known when the first is numbered. The
//! file is PDF/A-2a and PDF/UA-1: it embeds what it needs, can be kept, and can be read aloud. The
//! library checks that and refuses to write anything else.

mod chart;
mod flow;
mod heading;
mod section;
mod structure;
mod style;
mod table;
#[cfg(test)]
mod tests;
mod tiles;
mod typeface;
mod write;

use self::flow::Flow;
use self::typeface::Fonts;
use super::Report;
use crate::error::AnalyticsError;
use crate::model::ReportFormat;

pub(super) fn render(report: &Report<'_>) -> Result<Vec<u8>, AnalyticsError> {
    let fonts = Fonts::load().ok_or_else(|| defect("its fonts cannot be read"))?;
    let flow = lay_out(report, &fonts);
    write::write(flow, report).map_err(|reason| defect(&reason))
}

fn lay_out<'a>(report: &Report<'_>, fonts: &'a Fonts) -> Flow<'a> {
    let mut flow = Flow::new(fonts);
    heading::write_title(&mut flow, report);
    tiles::write(&mut flow, &report.view.key_figures);
    for section in &report.view.sections {
        section::write(&mut flow, section);
    }
    heading::write_notes(&mut flow, report.view.notes);
    heading::number_pages(&mut flow, report);
    flow
}

fn defect(reason: &str) -> AnalyticsError {
    AnalyticsError::Rendering {
        format: ReportFormat::Pdf,
        reason: reason.to_owned(),
    }
}
