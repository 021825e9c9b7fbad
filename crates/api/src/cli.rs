//! The API's command line, shared by `partner-api` and `partner api`.

use std::path::PathBuf;
use std::process::ExitCode;

use futures::future::{Either, select};
use partner_core::config::{self, ConfigSources, Purpose};
use partner_core::error::chain;
use partner_core::{ready_file, telemetry};
use tokio::signal::unix::{SignalKind, signal};

use crate::serve::{Ready, serve};

/// Serves the HTTP API until SIGINT or SIGTERM.
///
/// Exit codes: 0 every request came to its end; 1 it could not run; 2 the configuration is wrong; 3
/// something was cut off at the deadline.
#[derive(Debug, Clone, clap::Args)]
pub struct ApiArgs {
    /// A TOML file over the built-in defaults; see `partner config show`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Written once the API takes requests: its process id and its address, as JSON.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// Serves the API from its arguments to its exit code.
#[expect(
    clippy::print_stderr,
    reason = "before logging is set up there is nothing else to tell a person with"
)]
pub async fn main(args: ApiArgs) -> ExitCode {
    let sources = ConfigSources::from_process(args.config, "production");
    let config = match config::load(&sources, Purpose::Api) {
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
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return ExitCode::FAILURE;
        }
    };
    let announce = |ready: Ready| {
        let endpoints = serde_json::json!({ "apiUrl": format!("http://{}", ready.address) });
        ready_file::write(args.ready_file.as_deref(), &endpoints);
    };
    match serve(config, stop, announce).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            tracing::error!("the deadline passed: requests under way were cut off");
            ExitCode::from(3)
        }
        Err(error) => {
            tracing::error!(error = chain(&error), "the API cannot run");
            ExitCode::FAILURE
        }
    }
}

/// Comes with the first signal that means "stop".
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let interrupted = std::pin::pin!(interrupt.recv());
        let terminated = std::pin::pin!(terminate.recv());
        match select(interrupted, terminated).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    })
}
