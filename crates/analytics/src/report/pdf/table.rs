//! Tables: zebra rows, numbers to the right, the header again on every page.

mod columns;

use krilla::tagging::{TableHeaderScope, Tag};

use self::columns::{Cell, Column, Columns};
use super::flow::{Area, Flow};
use super::structure::{Mark, NodeId};
use super::style;
use super::typeface::Line;
use crate::report::view::Table;

/// Above and below the text of a row.
const PADDING: f32 = 4.5;
/// From the edge of the table to its text.
const EDGE: f32 = 6.0;
/// A name has so many lines at most.
const LABEL_LINES: usize = 3;
/// So many rows are at least on the page with the heading.
const FIRST_ROWS: usize = 3;

/// A table that knows how high its rows are.
pub(super) struct TableLayout<'a> {
    columns: Columns<'a>,
    header: Header,
    rows: Vec<RowLayout>,
}

impl<'a> TableLayout<'a> {
    pub(super) fn of(flow: &Flow<'a>, table: &Table) -> Self {
        let columns = Columns::of(flow.fonts, table);
        // Numbers too large to stand side by side stand below each other.
        if columns.is_too_narrow() && table.measures.len() > 1 {
            return Self::of(flow, &table.transposed());
        }
        let rows = table.rows.iter().map(|row| {
            let label = label(flow, &row.label, &columns);
            RowLayout::new(label, columns.cells(row))
        });
        Self {
            rows: rows.collect(),
            header: Header::new(flow, table, &columns),
            columns,
        }
    }

    /// How much of it must be on the page on which it begins.
    pub(super) fn least_height(&self) -> f32 {
        let rows = self.rows.iter().take(FIRST_ROWS).map(|row| row.height);
        self.header.height + rows.sum::<f32>()
    }

    pub(super) fn write(self, flow: &mut Flow<'_>) {
        let node = flow.structure.add(Tag::Table);
        let head = flow.structure.add_to(node, Tag::THead);
        self.header.write(flow, Some(head));
        let body = flow.structure.add_to(node, Tag::TBody);
        for (index, row) in self.rows.into_iter().enumerate() {
            if !flow.fits(row.height) {
                flow.break_page();
                self.header.write(flow, None);
            }
            row.write(flow, body, &self.columns, index % 2 == 1);
        }
        rule(flow, flow.y, 0.6, style::LINE);
    }
}

fn label(flow: &Flow<'_>, text: &str, columns: &Columns<'_>) -> Vec<Line> {
    let face = flow.fonts.of(style::CELL.face);
    face.lines(text, style::CELL.size, columns.label_width, LABEL_LINES)
}

fn rule(flow: &mut Flow<'_>, y: f32, height: f32, color: style::Color) {
    let area = Area {
        x: style::MARGIN,
        y,
        width: style::CONTENT_WIDTH,
        height,
    };
    flow.fill(Mark::Decoration, area, color);
}

/// The names of the columns, which stand at their bottom.
struct Header {
    label: Line,
    columns: Vec<(Column, Vec<Line>)>,
    height: f32,
}

impl Header {
    fn new(flow: &Flow<'_>, table: &Table, columns: &Columns<'_>) -> Self {
        let face = flow.fonts.of(style::HEADER.face);
        let size = style::HEADER.size * columns.scale;
        let named: Vec<_> = columns
            .behind
            .iter()
            .map(|column| {
                let lines = face.lines(&column.title, size, column.width, 3);
                (column.clone(), lines)
            })
            .collect();
        let lines = named
            .iter()
            .map(|(_, lines)| lines.len())
            .max()
            .unwrap_or(1);
        let label = face.line_within(table.heading, style::HEADER.size, columns.label_width);
        let leading = style::HEADER.leading();
        Self {
            label,
            columns: named,
            height: (0..lines).map(|_| leading).sum::<f32>() + 2.0 * PADDING,
        }
    }

    /// Writes the header, into a node; or once more, on a new page.
    fn write(&self, flow: &mut Flow<'_>, head: Option<NodeId>) {
        let row = head.map(|head| flow.structure.add_to(head, Tag::TR));
        let mark = |flow: &mut Flow<'_>| {
            row.map_or(Mark::Repeated, |row| {
                let tag = Tag::TH(TableHeaderScope::Column);
                Mark::Content(flow.structure.add_to(row, tag))
            })
        };
        let last = flow.y + self.height - PADDING - 2.5;
        let left = style::MARGIN + EDGE;
        let of_label = mark(flow);
        flow.text(of_label, (left, last), style::HEADER, self.label.clone());
        for (column, lines) in &self.columns {
            let of_column = mark(flow);
            let text_style = style::HEADER.sized(style::HEADER.size * column.scale);
            let mut baseline = last;
            for _ in 1..lines.len() {
                baseline -= style::HEADER.leading();
            }
            for line in lines {
                let x = column.x_of(line, text_style.size);
                flow.text(of_column, (x, baseline), text_style, line.clone());
                baseline += style::HEADER.leading();
            }
        }
        flow.y += self.height;
        rule(flow, flow.y - 1.0, 1.0, style::INK);
    }
}

/// A row with the lines of its name and its cells.
struct RowLayout {
    label: Vec<Line>,
    cells: Vec<Cell>,
    height: f32,
}

impl RowLayout {
    fn new(label: Vec<Line>, cells: Vec<Cell>) -> Self {
        let of_label: f32 = label.iter().map(|_| style::CELL.leading()).sum();
        let of_cells = if cells.iter().any(|cell| cell.below.is_some()) {
            style::CELL.leading() + style::SUB_CELL.leading()
        } else {
            style::CELL.leading()
        };
        Self {
            height: of_label.max(of_cells) + 2.0 * PADDING - 2.0,
            label,
            cells,
        }
    }

    fn write(self, flow: &mut Flow<'_>, body: NodeId, columns: &Columns<'_>, is_shaded: bool) {
        let area = Area {
            x: style::MARGIN,
            y: flow.y,
            width: style::CONTENT_WIDTH,
            height: self.height,
        };
        if is_shaded {
            flow.fill(Mark::Decoration, area, style::SHADE);
        }
        let row = flow.structure.add_to(body, Tag::TR);
        let name = flow.structure.add_to(row, Tag::TH(TableHeaderScope::Row));
        let first = area.y + PADDING + style::CELL.size - 1.5;
        let mut baseline = first;
        for line in self.label {
            let at = (style::MARGIN + EDGE, baseline);
            flow.text(Mark::Content(name), at, style::CELL, line);
            baseline += style::CELL.leading();
        }
        for (column, cell) in columns.behind.iter().zip(self.cells) {
            let mark = Mark::Content(flow.structure.add_to(row, Tag::TD));
            let (main_style, line) = cell.main;
            let x = column.x_of(&line, main_style.size);
            flow.text(mark, (x, first), main_style, line);
            if let Some((below_style, line)) = cell.below {
                let x = column.x_of(&line, below_style.size);
                let baseline = first + style::SUB_CELL.leading() + 0.8;
                flow.text(mark, (x, baseline), below_style, line);
            }
        }
        flow.y += self.height;
    }
}
