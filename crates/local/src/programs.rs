//! Looks for programs that are installed already.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// The programs of this name on PATH, links resolved, first one first.
pub(crate) fn on_path(name: &str) -> Vec<PathBuf> {
    // PATH is no configuration of ours: it is how the system finds programs.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| folder.join(name).canonicalize().ok())
        .filter(|program| program.is_file())
        .collect()
}

/// What a program answers to `argument`, or why it gives no answer.
pub(crate) async fn answer(program: &Path, argument: impl AsRef<OsStr>) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    match timeout(VERSION_LIMIT, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(Ok(output)) => Err(output.status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}
