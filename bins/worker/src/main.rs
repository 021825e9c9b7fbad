//! `partner-worker`: the deployed worker.

use std::process::ExitCode;

use clap::Parser;
use partner_worker::cli::{self, WorkerArgs};

/// Runs the partner platform's workflows and activities until SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "partner-worker", version)]
struct Cli {
    #[command(flatten)]
    worker: WorkerArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::main(Cli::parse().worker).await
}
