//! The worker that the end-to-end tests start, kill and stop.

use std::process::ExitCode;

use clap::Parser;
use partner_worker::cli::{self, WorkerArgs};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    worker: WorkerArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::main(Cli::parse().worker).await
}
