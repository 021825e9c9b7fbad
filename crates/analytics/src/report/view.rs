//! A report before it has a form: key figures and sections, which every format renders alike.

mod analytics;
mod performance;
mod sales;

use partner_core::money::Currency;

use super::figure::Figure;
use crate::metrics::Metrics;

/// What a report shows, in the order in which it is read.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// What the report is called.
    pub(super) title: &'static str,
    /// What matters most.
    pub(super) key_figures: Vec<KeyFigure>,
    /// Every figure.
    pub(super) sections: Vec<Section>,
    /// What the figures mean, a paragraph each.
    pub(super) notes: &'static [&'static str],
}

impl View {
    /// The view of these figures.
    pub(super) fn of(metrics: &Metrics) -> Self {
        match metrics {
            Metrics::Sales(metrics) => sales::view(metrics),
            Metrics::Analytics(metrics) => analytics::view(metrics),
            Metrics::Performance(metrics) => performance::view(metrics),
        }
    }
}

/// A figure that stands for itself.
#[derive(Debug, Clone)]
pub(super) struct KeyFigure {
    /// Its name for programs.
    pub(super) id: &'static str,
    /// Its name for people.
    pub(super) label: &'static str,
    /// The currency, of an amount.
    pub(super) currency: Option<Currency>,
    /// The figure.
    pub(super) figure: Figure,
}

impl KeyFigure {
    const fn new(id: &'static str, label: &'static str, figure: Figure) -> Self {
        Self {
            id,
            label,
            currency: None,
            figure,
        }
    }
}

/// Figures of one kind, called as the table is.
#[derive(Debug, Clone)]
pub(super) struct Section {
    /// A picture of them, if there is something to see.
    pub(super) chart: Option<Chart>,
    /// The figures.
    pub(super) table: Table,
}

impl Section {
    /// A table, with a picture unless there would be nothing to see in it.
    fn new(chart: Chart, table: Table) -> Self {
        let mut bars = chart.panels.iter().flat_map(|panel| &panel.bars);
        let is_seen = bars.any(|bar| !bar.figure.is_nothing());
        Self {
            chart: is_seen.then_some(chart),
            table,
        }
    }

    /// A table alone.
    const fn of_table(table: Table) -> Self {
        Self { chart: None, table }
    }
}

/// Bars, each for a figure and the same of the period before.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// What to know about the bars.
    pub(super) note: Option<&'static str>,
    /// Parts, each with a scale of its own.
    pub(super) panels: Vec<Panel>,
}

/// Bars of one scale.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    /// What tells it from the others; empty if it is the only one.
    pub(super) title: String,
    /// The bars, from top to bottom; all of one unit.
    pub(super) bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    /// What it is for.
    pub(super) label: String,
    /// How long it is.
    pub(super) figure: Figure,
}

/// So many bars at most fit into a chart; the tables have the rest.
const MAX_BARS: usize = 10;

/// Rows of one kind, measured in one or more ways.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name for programs.
    pub(super) id: &'static str,
    /// Its name for people; short enough for the tab of a sheet.
    pub(super) title: &'static str,
    /// What the rows are.
    pub(super) heading: &'static str,
    /// Whether the rows' currency has a column of its own: not if it is what the rows are.
    pub(super) currency_column: bool,
    /// What is measured, from left to right.
    pub(super) measures: Vec<Measure>,
    /// The rows, from top to bottom.
    pub(super) rows: Vec<Row>,
    /// What stands there instead of rows if there are none.
    pub(super) empty: &'static str,
}

impl Table {
    /// Whether its figures have a period before.
    pub(super) fn is_compared(&self) -> bool {
        let mut figures = self.rows.iter().flat_map(|row| &row.figures);
        figures.all(|figure| figure.previous.is_some())
    }

    /// The same figures, each in a row of its own.
    pub(super) fn transposed(&self) -> Self {
        let rows = self.rows.iter().flat_map(|row| {
            let figures = self.measures.iter().zip(&row.figures);
            figures.map(|(measure, figure)| Row {
                key: format!("{}.{}", row.key, measure.id),
                label: format!("{}: {}", row.label, measure.title),
                currency: row.currency,
                figures: vec![*figure],
            })
        });
        Self {
            measures: measures(&[("figure", "Figure")]),
            rows: rows.collect(),
            ..self.clone()
        }
    }
}

/// What is measured in a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    /// Its name for programs.
    pub(super) id: &'static str,
    /// Its name for people.
    pub(super) title: &'static str,
}

/// A list of measures from their two names each.
fn measures(names: &[(&'static str, &'static str)]) -> Vec<Measure> {
    names
        .iter()
        .map(|&(id, title)| Measure { id, title })
        .collect()
}

/// A row of a table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What it is, for programs.
    pub(super) key: String,
    /// What it is, for people.
    pub(super) label: String,
    /// The currency of its amounts.
    pub(super) currency: Option<Currency>,
    /// One for each measure of the table.
    pub(super) figures: Vec<Figure>,
}

impl Row {
    /// A row that programs and people know by one name.
    fn named(name: impl Into<String>, figures: Vec<Figure>) -> Self {
        let key = name.into();
        Self {
            label: key.clone(),
            key,
            currency: None,
            figures,
        }
    }

    /// The same row under another name for people.
    fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same row, with amounts in this currency.
    const fn in_currency(mut self, currency: Currency) -> Self {
        self.currency = Some(currency);
        self
    }
}

/// A chart with one panel: the first measure of a table.
fn chart_of(table: &Table, note: Option<&'static str>) -> Chart {
    let bars = table.rows.iter().take(MAX_BARS).filter_map(|row| {
        Some(Bar {
            label: row.label.clone(),
            figure: *row.figures.first()?,
        })
    });
    Chart {
        note,
        panels: vec![Panel {
            title: String::new(),
            bars: bars.collect(),
        }],
    }
}
