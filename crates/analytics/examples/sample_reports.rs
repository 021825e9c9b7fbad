//! Writes a report of every kind and format into a folder, to be looked at:
//! `cargo run -p partner-analytics --example sample_reports -- <folder>`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use partner_analytics::model::ReportFormat;
use partner_analytics::report::{DEFAULT_LIMIT, render};

#[expect(clippy::expect_used, reason = "samples are known to be right")]
#[path = "../tests/rendering/samples.rs"]
mod samples;

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os()
        .nth(1)
        .context("usage: sample_reports <folder>")?
        .into();
    std::fs::create_dir_all(&folder)?;
    for (name, document) in samples::all() {
        for format in ReportFormat::ALL {
            let file = render(&document, format, samples::generated_at(), DEFAULT_LIMIT)?;
            let name = format!("{name}.{}", format.extension());
            std::fs::write(folder.join(name), file)?;
        }
    }
    Ok(())
}
