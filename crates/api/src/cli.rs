//! The API's command line, shared by `partner-api` and `partner api`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use futures::future::{Either, select};
use partner_core::config::{self, ConfigSources, Purpose};
use partner_core::error::chain;
use partner_core::telemetry;
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
        if let Some(path) = &args.ready_file
            && let Err(error) = write_ready_file(path, ready)
        {
            tracing::error!(%error, file = %path.display(), "cannot write the ready file");
        }
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

/// Written aside and renamed: whoever sees the file sees all of it.
fn write_ready_file(path: &Path, ready: Ready) -> std::io::Result<()> {
    let document = serde_json::json!({
        "pid": std::process::id(),
        "apiUrl": format!("http://{}", ready.address),
    });
    let aside = path.with_extension("new");
    std::fs::write(&aside, document.to_string())?;
    std::fs::rename(aside, path)
}
