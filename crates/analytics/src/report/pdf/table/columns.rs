//! What is in the columns of a table, and how wide they are.
//!
//! With one or two measures, the figure, the one before and the change have a column each. With more,
//! the change stands below the figure. A name too long for its column is broken; a number never is:
//! all numbers of the table get smaller instead.

use super::EDGE;
use crate::report::figure::Figure;
use crate::report::pdf::style::{self, TextStyle};
use crate::report::pdf::typeface::{Fonts, Line};
use crate::report::view::{Row, Table};
use crate::report::words;

/// So many measures have three columns each.
const WIDE_MEASURES: usize = 2;
/// Between two columns.
const GUTTER: f32 = 10.0;
/// The column of names is never narrower, and takes no more than it needs above this.
const MIN_LABEL: f32 = 96.0;
const MAX_LABEL: f32 = 230.0;
/// What is as wide as its column fits into it, whatever the rounding.
const TOLERANCE: f32 = 0.5;

/// Numbers may get so much smaller for the sake of the names.
const GOOD_SCALE: f32 = 0.9;
/// Numbers that were smaller than this could not be read.
const LEAST_SCALE: f32 = 0.65;

/// A column of numbers, or of currencies.
#[derive(Clone)]
pub(super) struct Column {
    pub(super) title: String,
    /// Where its right end is.
    right: f32,
    pub(super) width: f32,
    pub(super) scale: f32,
    is_text: bool,
}

impl Column {
    /// Where a line of it begins.
    pub(super) fn x_of(&self, line: &Line, size: f32) -> f32 {
        if self.is_text {
            self.right - self.width
        } else {
            self.right - line.width(size)
        }
    }
}

/// What is in a cell.
pub(super) struct Cell {
    pub(super) main: (TextStyle, Line),
    pub(super) below: Option<(TextStyle, Line)>,
}

/// The columns of a table behind that of the names.
pub(super) struct Columns<'a> {
    fonts: &'a Fonts,
    layout: Layout,
    pub(super) label_width: f32,
    pub(super) behind: Vec<Column>,
    /// How much smaller than usual its numbers are.
    pub(super) scale: f32,
}

/// Which columns there are.
#[derive(Clone, Copy)]
struct Layout {
    currency: bool,
    figures: Figures,
}

#[derive(Clone, Copy)]
enum Figures {
    /// The figure alone.
    Alone,
    /// The figure, the one before, the change.
    Wide,
    /// The figure above the change.
    Stacked,
}

impl<'a> Columns<'a> {
    /// Whether the numbers would be too small to be read.
    pub(super) const fn is_too_narrow(&self) -> bool {
        self.scale < LEAST_SCALE
    }

    pub(super) fn of(fonts: &'a Fonts, table: &Table) -> Self {
        let layout = Layout {
            currency: table.currency_column,
            figures: if !table.is_compared() {
                Figures::Alone
            } else if table.measures.len() <= WIDE_MEASURES {
                Figures::Wide
            } else {
                Figures::Stacked
            },
        };
        let titles = titles(layout, table);
        let widths = natural_widths(fonts, layout, table, &titles);
        let needed: f32 = widths.iter().map(|width| width + GUTTER).sum();
        let room = style::CONTENT_WIDTH - 2.0 * EDGE;
        let label = natural_label(fonts, table).clamp(MIN_LABEL, MAX_LABEL);
        let scale = ((room - label) / needed)
            .max(GOOD_SCALE)
            .min((room - MIN_LABEL) / needed)
            .min(1.0);
        let label_width = label.min(room - needed * scale);
        let behind = place(layout, titles, &widths, room - label_width, scale);
        Self {
            fonts,
            layout,
            label_width,
            behind,
            scale,
        }
    }

    /// The cells of a row, from left to right.
    pub(super) fn cells(&self, row: &Row) -> Vec<Cell> {
        texts(self.layout, row)
            .into_iter()
            .map(|text| Cell {
                main: self.line(&text.main, text.main_style),
                below: text
                    .below
                    .map(|(below, below_style)| self.line(&below, below_style)),
            })
            .collect()
    }

    fn line(&self, text: &str, text_style: TextStyle) -> (TextStyle, Line) {
        let line = self.fonts.of(text_style.face).line(text);
        (text_style.sized(text_style.size * self.scale), line)
    }
}

fn titles(layout: Layout, table: &Table) -> Vec<String> {
    let currency = layout.currency.then(|| "Currency".to_owned());
    let figures = table.measures.iter().flat_map(|measure| {
        let title = measure.title.to_owned();
        match layout.figures {
            Figures::Alone | Figures::Stacked => vec![title],
            Figures::Wide => vec![title, "Period before".to_owned(), "Change".to_owned()],
        }
    });
    currency.into_iter().chain(figures).collect()
}

/// The text of a cell.
struct CellText {
    main: String,
    main_style: TextStyle,
    below: Option<(String, TextStyle)>,
}

impl CellText {
    const fn plain(main: String) -> Self {
        Self {
            main,
            main_style: style::CELL,
            below: None,
        }
    }
}

fn texts(layout: Layout, row: &Row) -> Vec<CellText> {
    let currency = row
        .currency
        .filter(|_| layout.currency)
        .map(|currency| CellText::plain(currency.to_string()));
    let figures = row
        .figures
        .iter()
        .flat_map(|figure| figure_texts(layout.figures, figure));
    currency.into_iter().chain(figures).collect()
}

fn figure_texts(figures: Figures, figure: &Figure) -> Vec<CellText> {
    let current = CellText::plain(words::value(figure.current));
    let change = words::change(figure).unwrap_or_else(|| words::NOTHING.to_owned());
    let color = style::tone(figure.tone());
    match figures {
        Figures::Alone => vec![current],
        Figures::Wide => {
            let before = figure.previous.map_or_else(String::new, words::value);
            let mut change = CellText::plain(change);
            change.main_style = style::CELL.colored(color);
            vec![current, CellText::plain(before), change]
        }
        Figures::Stacked => vec![CellText {
            below: Some((change, style::SUB_CELL.colored(color))),
            ..current
        }],
    }
}

/// How wide each column must be: as its widest text, and as the longest word of its title.
fn natural_widths(fonts: &Fonts, layout: Layout, table: &Table, titles: &[String]) -> Vec<f32> {
    let measure = |text: &str, text_style: TextStyle| {
        let line = fonts.of(text_style.face).line(text);
        line.width(text_style.size)
    };
    let mut widths: Vec<f32> = titles
        .iter()
        .map(|title| {
            let words = title.split(' ').map(|word| measure(word, style::HEADER));
            words.fold(0.0, f32::max) + TOLERANCE
        })
        .collect();
    for row in &table.rows {
        for (width, text) in widths.iter_mut().zip(texts(layout, row)) {
            *width = width.max(measure(&text.main, text.main_style));
            if let Some((below, below_style)) = &text.below {
                *width = width.max(measure(below, *below_style));
            }
        }
    }
    widths
}

fn natural_label(fonts: &Fonts, table: &Table) -> f32 {
    let face = fonts.of(style::CELL.face);
    table
        .rows
        .iter()
        .map(|row| {
            let line = face.line_within(&row.label, style::CELL.size, MAX_LABEL);
            line.width(style::CELL.size) + TOLERANCE
        })
        .fold(0.0, f32::max)
}

/// Puts the columns into the room behind the names, and shares out what is left of it.
fn place(
    layout: Layout,
    titles: Vec<String>,
    widths: &[f32],
    room: f32,
    scale: f32,
) -> Vec<Column> {
    let needed: f32 = widths.iter().map(|width| (width + GUTTER) * scale).sum();
    let count: f32 = widths.iter().map(|_| 1.0).sum();
    let share = ((room - needed) / count).max(0.0);
    let mut right = style::MARGIN + EDGE + (style::CONTENT_WIDTH - 2.0 * EDGE - room);
    titles
        .into_iter()
        .zip(widths)
        .enumerate()
        .map(|(index, (title, width))| {
            right += (width + GUTTER) * scale + share;
            let is_text = layout.currency && index == 0;
            Column {
                title,
                right,
                // A title may use what is left; a text begins where its column does.
                width: if is_text {
                    width * scale
                } else {
                    width * scale + share
                },
                scale,
                is_text,
            }
        })
        .collect()
}
