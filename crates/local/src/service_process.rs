//! A worker, or the API, in a process of its own, on a leash.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{LocalError, Result};
use crate::leash::{Leash, LeashedCommand, Remove, StopSignal};
use crate::platform::Platform;

/// What a worker writes to its ready file once it takes work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReady {
    /// The process.
    pub pid: u32,
    /// Prometheus's endpoint.
    pub metrics_url: String,
    /// The health endpoint's base.
    pub health_url: String,
}

/// What the API writes to its ready file once it takes requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiReady {
    /// The process.
    pub pid: u32,
    /// Where it takes requests.
    pub api_url: String,
}

/// What a process says of itself once it is ready.
pub trait ReadyFile: DeserializeOwned {
    /// What it is, for a person.
    const NAME: &'static str;

    /// The process.
    fn pid(&self) -> u32;
}

impl ReadyFile for WorkerReady {
    const NAME: &'static str = "the worker";

    fn pid(&self) -> u32 {
        self.pid
    }
}

impl ReadyFile for ApiReady {
    const NAME: &'static str = "the API";

    fn pid(&self) -> u32 {
        self.pid
    }
}

/// How to start a process of the platform.
#[derive(Debug, Clone)]
pub struct ServiceCommand {
    /// The program: `partner-worker` or `partner-api`, or one that behaves like it.
    pub program: PathBuf,
    /// What comes before `--ready-file`.
    pub arguments: Vec<OsString>,
    /// Environment over the platform's own.
    pub environment: Vec<(String, String)>,
}

/// A running process of the platform.
#[derive(Debug)]
pub struct ServiceProcess<R> {
    /// What it said of itself.
    pub ready: R,
    leash: Leash,
}

/// A running worker.
pub type WorkerProcess = ServiceProcess<WorkerReady>;

/// A running API.
pub type ApiProcess = ServiceProcess<ApiReady>;

/// How long a process may take until it is ready.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// How long a process may take to drain; its own deadline is sooner.
const STOP_GRACE: Duration = Duration::from_secs(40);

impl<R: ReadyFile> ServiceProcess<R> {
    /// Starts a process of this platform and waits until it is ready.
    ///
    /// # Errors
    /// [`LocalError`] with the end of the process's log.
    pub async fn start(platform: &Platform, command: ServiceCommand) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("partner-service-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir();
        let folder = folder.map_err(|source| LocalError::File {
            action: "make a folder in",
            path: std::env::temp_dir(),
            source,
        })?;
        let ready_file = folder.path().join("ready.json");
        let mut leashed =
            LeashedCommand::new(R::NAME, &command.program, folder.path().join("service.log"))
                .args(&command.arguments)
                .arg("--ready-file")
                .arg(&ready_file)
                .stop_with(StopSignal::Terminate, STOP_GRACE)
                .remove(folder.path(), Remove::Always);
        for (name, value) in platform
            .worker_environment()
            .iter()
            .chain(&command.environment)
        {
            leashed = leashed.env(name, value);
        }
        let mut leash = Leash::spawn(leashed)?;
        // From here on the leash removes the folder, also when we are killed.
        let _ = folder.keep();
        let file = &ready_file;
        leash
            .wait_ready(READY_LIMIT, || async move { file.exists() })
            .await?;
        let unreadable = |source| LocalError::File {
            action: "read",
            path: ready_file.clone(),
            source,
        };
        let text = std::fs::read(&ready_file).map_err(unreadable)?;
        let ready = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
        Ok(Self { ready, leash })
    }

    /// Kills the process with SIGKILL: nothing of what it was doing comes to an end.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Asks the process to stop with SIGTERM, without waiting.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.ready.pid()) {
            // A process that has ended already needs no signal.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits until the process has ended by itself, and tells its exit code.
    ///
    /// # Errors
    /// [`LocalError`] if it does not end in time.
    pub async fn wait(&mut self) -> Result<Option<i32>> {
        let status = self.leash.wait(STOP_GRACE).await?;
        Ok(status.code())
    }

    /// Waits for as long as the process runs.
    ///
    /// # Errors
    /// [`LocalError`] if its process cannot be watched.
    pub async fn ended(&mut self) -> Result<()> {
        self.leash.ended().await.map(drop)
    }

    /// The end of what the process logged.
    pub fn log_tail(&self) -> String {
        self.leash.log_tail()
    }

    /// Stops the process, and waits until it is gone.
    ///
    /// # Errors
    /// [`LocalError`] if it does not end.
    pub async fn stop(self) -> Result<()> {
        self.leash.stop().await
    }
}
