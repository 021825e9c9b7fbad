//! The worker's command line, shared by `partner-worker` and `partner worker`.

use std::path::PathBuf;
use std::process::ExitCode;

use partner_core::config::{self, ConfigSources, Purpose};
use partner_core::error::chain;
use partner_core::{ready_file, telemetry};
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

use crate::run::{Ready, run};

/// Runs the platform's workflows and activities until SIGINT or SIGTERM.
///
/// Exit codes: 0 everything that ran came to its end; 1 it could not run; 2 the configuration is
/// wrong; 3 something was cut off at the deadline, and Temporal gives it to another worker.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// A TOML file over the built-in defaults; see `partner config show`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Written once the worker takes work: its process id and its endpoints, as JSON.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// Runs a worker from its arguments to its exit code.
pub async fn main(args: WorkerArgs) -> ExitCode {
    main_with(args, |_| Ok(())).await
}

/// The same, with more registered than the platform's own.
#[expect(
    clippy::print_stderr,
    reason = "before logging is set up there is nothing else to tell a person with"
)]
pub async fn main_with(
    args: WorkerArgs,
    register_more: impl FnOnce(&mut WorkerOptions) -> Result<(), WorkflowRegistrationError>,
) -> ExitCode {
    let sources = ConfigSources::from_process(args.config, "production");
    let config = match config::load(&sources, Purpose::Worker) {
        Ok(loaded) => loaded.config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::init(&config.log) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let announce = |ready: Ready| {
        let endpoints = serde_json::json!({
            "metricsUrl": format!("http://{}/metrics", ready.metrics),
            "healthUrl": format!("http://{}", ready.health),
        });
        ready_file::write(args.ready_file.as_deref(), &endpoints);
    };
    // Boxed: it has the whole configuration, and is too large for every caller's stack.
    match Box::pin(run(config, register_more, announce)).await {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) => {
            tracing::error!(error = chain(&error), "the worker cannot run");
            ExitCode::FAILURE
        }
    }
}
