//! The one place that writes to standard output and standard error.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// A line on standard output.
pub(crate) fn line(text: impl Display) {
    write(io::stdout().lock(), text);
}

/// One JSON document on standard output, on one line.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(document)?);
    Ok(())
}

/// A line on standard error.
pub(crate) fn note(text: impl Display) {
    write(io::stderr().lock(), text);
}

/// A reader that has gone away (`partner ... | head`) is no failure, and nobody is left to tell.
fn write(mut to: impl Write, text: impl Display) {
    let _ = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A table that fits the terminal.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}
