//! `partner-api`: the deployed HTTP API.

use std::process::ExitCode;

use clap::Parser;
use partner_api::cli::{self, ApiArgs};

/// Serves the partner platform's HTTP API until SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "partner-api", version)]
struct Cli {
    #[command(flatten)]
    api: ApiArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::main(Cli::parse().api).await
}
