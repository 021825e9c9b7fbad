//! What a report says in a few lines: for the mail that brings it.

use super::view::View;
use super::words;
use crate::metrics::MetricsDocument;

/// The few lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What the report is called.
    pub title: &'static str,
    /// Which time it covers, by the readers' clock.
    pub period: String,
    /// What matters most.
    pub figures: Vec<SummaryFigure>,
}

/// A figure in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryFigure {
    /// What it is.
    pub label: String,
    /// The figure.
    pub value: String,
    /// Against the period before, where that is known.
    pub change: Option<String>,
}

/// Sums a report up.
pub fn summary(document: &MetricsDocument) -> Summary {
    let view = View::of(&document.metrics);
    let figures = view.key_figures.iter().map(|key| SummaryFigure {
        label: match key.currency {
            Some(currency) => format!("{}, {currency}", key.label),
            None => key.label.to_owned(),
        },
        value: words::value(key.figure.current),
        change: words::change(&key.figure),
    });
    Summary {
        title: view.title,
        period: words::window(document.period.window(), document.period.time_zone()),
        figures: figures.collect(),
    }
}
