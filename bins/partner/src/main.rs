//! `partner`: runs, shows and operates the partner platform.

mod bench;
mod cli;
mod commands;
mod demo;
mod interrupt;
mod output;
mod platform;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    // Boxed: the largest command decides how large all are.
    Box::pin(commands::run(Cli::parse())).await
}
