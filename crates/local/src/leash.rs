//! A child process that cannot outlive us.
//!
//! A small shell stands between us and the server. It reads from a pipe whose other end only we
//! hold: however we end (also by SIGKILL), the system closes that end, the shell's read returns,
//! and the shell stops the server, removes its folders and ends. The shell has a process group of
//! its own, so Ctrl-C in a terminal reaches us, and not the server behind our back.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, PipeWriter};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::error::{LocalError, Result};

/// The shell's program. Everything that varies comes as a positional parameter.
const SCRIPT: &str = r#"
# Runs one program that must not outlive whoever holds the other end of our standard input.
# Parameters: stop signal, tenths of a second until KILL, when to remove, number of folders,
# the folders, the program, its arguments. Nothing is ever interpolated into this text.
signal=$1 tenths=$2 remove=$3 folders=$4
shift 4

# The rope moves to descriptor 3, so that nothing inherits it as its standard input.
exec 3<&0 </dev/null

# Somebody may stop this shell alone (a shutdown of the machine, a supervisor): pass it on. The
# trap comes before the program, which may be known to others before its number is known here.
server= told=
trap 'told=yes; [ -z "$server" ] || kill -s "$signal" "$server" 2>/dev/null' HUP INT TERM

(shift "$folders" && exec "$@") 3<&- &
server=$!
[ -z "$told" ] || kill -s "$signal" "$server" 2>/dev/null

# Asks the program to end, again each second for one that was too young to hear it, and kills it
# when its time is over.
stop() {
    left=$tenths
    while [ "$left" -gt 0 ]; do
        [ $(((tenths - left) % 10)) -ne 0 ] || kill -s "$signal" "$server" 2>/dev/null || return
        sleep 0.1 || sleep 1
        kill -0 "$server" 2>/dev/null || return
        left=$((left - 1))
    done
    kill -s KILL "$server" 2>/dev/null
}

# The rope's end is the order to stop.
(read -r _ <&3; stop) >/dev/null 2>&1 &
watcher=$!
exec 3<&-

while :; do
    [ -z "$told" ] || stop
    wait "$server"
    status=$?
    # A trapped signal ends `wait` too early.
    kill -0 "$server" 2>/dev/null || break
done
kill "$watcher" 2>/dev/null

if [ "$remove" = on-failure ] && [ "$status" -eq 0 ]; then
    exit 0
fi
while [ "$folders" -gt 0 ]; do
    # A killed server's own children may still write for a moment.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf -- "$1" 2>/dev/null
        [ -e "$1" ] || break
        sleep 0.1
    done
    shift
    folders=$((folders - 1))
done
exit "$status"
"#;

/// How often a server that starts is asked whether it is ready.
const POLL: Duration = Duration::from_millis(50);

/// What the shell may need beyond the server's own time to stop.
const MARGIN: Duration = Duration::from_secs(10);

/// How much of a log's end appears in an error.
const TAIL_BYTES: u64 = 4000;

/// A log longer than this is emptied at the next start.
const LOG_LIMIT: u64 = 4 << 20;

/// The shell's program without its comments, so that a process list stays readable.
fn script() -> String {
    let lines = SCRIPT.lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    code.collect::<Vec<_>>().join("\n")
}

/// The signal that asks a server to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT: PostgreSQL's fast shutdown.
    Interrupt,
}

impl StopSignal {
    const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
        }
    }
}

/// When the folders of a [`LeashedCommand`] are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remove {
    /// When the program ends, however it ends.
    Always,
    /// Only when it fails or is stopped.
    OnFailure,
}

impl Remove {
    const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OnFailure => "on-failure",
        }
    }
}

/// The system user that a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAs {
    /// The user's name, for messages.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the user's group.
    pub gid: u32,
}

/// What to run on a leash, and how to stop it.
#[derive(Debug, Clone)]
pub struct LeashedCommand {
    name: String,
    program: OsString,
    arguments: Vec<OsString>,
    log: PathBuf,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    signal: StopSignal,
    grace: Duration,
    remove: Remove,
    folders: Vec<PathBuf>,
    user: Option<RunAs>,
}

impl LeashedCommand {
    /// Runs `program`, called `name` in messages; what it writes goes to the file `log`.
    pub fn new(
        name: impl Into<String>,
        program: impl AsRef<OsStr>,
        log: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            log: log.into(),
            environment: Vec::new(),
            folder: None,
            signal: StopSignal::Terminate,
            grace: Duration::from_secs(10),
            remove: Remove::Always,
            folders: Vec::new(),
            user: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working folder; without it the program runs in `/`, which nobody can take away.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the signal that asks the program to stop, and how long it may take until it is killed.
    #[must_use]
    pub fn stop_with(mut self, signal: StopSignal, grace: Duration) -> Self {
        self.signal = signal;
        self.grace = grace;
        self
    }

    /// Removes `folder` and all in it when the program has ended as `when` says.
    #[must_use]
    pub fn remove(mut self, folder: impl Into<PathBuf>, when: Remove) -> Self {
        self.folders.push(folder.into());
        self.remove = when;
        self
    }

    /// Runs everything, the shell included, as another user; only root may.
    #[must_use]
    pub fn run_as(mut self, user: Option<RunAs>) -> Self {
        self.user = user;
        self
    }

    fn shell(&self) -> Command {
        let tenths = self.grace.as_millis().div_ceil(100);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &script(), "leash", self.signal.name()])
            .arg(tenths.to_string())
            .arg(self.remove.name())
            .arg(self.folders.len().to_string())
            .args(&self.folders)
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder.as_deref().unwrap_or(Path::new("/")))
            .process_group(0);
        if let Some(user) = &self.user {
            shell.uid(user.uid).gid(user.gid);
        }
        shell
    }
}

/// A program that runs, and that ends when this handle is dropped or when we end in any way.
#[derive(Debug)]
pub struct Leash {
    name: String,
    shell: Child,
    grace: Duration,
    /// Closing it is the order to stop; nothing is ever written.
    rope: Option<PipeWriter>,
    log: Log,
}

impl Leash {
    /// Starts the program.
    pub fn spawn(command: LeashedCommand) -> Result<Self> {
        let log = Log::open(&command.log)?;
        let spawn_error = |source| LocalError::Spawn {
            program: command.name.clone(),
            source,
        };
        let (reader, rope) = io::pipe().map_err(spawn_error)?;
        let shell = command
            .shell()
            .stdin(Stdio::from(reader))
            .stdout(log.writer().map_err(spawn_error)?)
            .stderr(log.writer().map_err(spawn_error)?)
            .spawn()
            .map_err(spawn_error)?;
        Ok(Self {
            name: command.name,
            shell,
            grace: command.grace,
            rope: Some(rope),
            log,
        })
    }

    /// Runs the program to its end, and fails unless it succeeds.
    pub async fn run(command: LeashedCommand, limit: Duration) -> Result<()> {
        let mut leash = Self::spawn(command)?;
        match timeout(limit, leash.shell.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(leash.exited(status)),
            Ok(Err(source)) => Err(leash.lost(source)),
            Err(_) => Err(leash.not_ready(limit)),
        }
    }

    /// Where the program's output goes.
    pub fn log_path(&self) -> &Path {
        &self.log.path
    }

    /// The end of the program's output, also when the file is removed already.
    pub fn log_tail(&self) -> String {
        self.log.tail()
    }

    /// How the program ended, or `None` while it runs.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        match self.shell.try_wait() {
            Ok(status) => Ok(status),
            Err(source) => Err(self.lost(source)),
        }
    }

    /// Whether the program still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.try_wait(), Ok(None))
    }

    /// Asks `probe` until it says yes; fails when the program ends or the time is over.
    pub async fn wait_ready<P, F>(&mut self, limit: Duration, mut probe: P) -> Result<()>
    where
        P: FnMut() -> F,
        F: Future<Output = bool>,
    {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ready = async {
            loop {
                ticks.tick().await;
                if let Some(status) = self.try_wait()? {
                    return Err(self.exited(status));
                }
                // Asked before the program is looked at again: a stranger may have answered on
                // the port while ours was about to end for want of it.
                if probe().await && self.is_running() {
                    return Ok(());
                }
            }
        };
        let outcome = timeout(limit, ready).await;
        outcome.unwrap_or_else(|_| Err(self.not_ready(limit)))
    }

    /// Waits for as long as the program runs.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        match self.shell.wait().await {
            Ok(status) => Ok(status),
            Err(source) => Err(self.lost(source)),
        }
    }

    /// Waits until the program has ended by itself.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        match timeout(limit, self.shell.wait()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(source)) => Err(self.lost(source)),
            Err(_) => Err(LocalError::NotStopped {
                program: self.name.clone(),
                seconds: limit.as_secs(),
                pid: self.shell.id().unwrap_or_default(),
            }),
        }
    }

    /// Stops the program, and waits until it and its folders are gone.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.rope.take());
        let limit = self.grace + MARGIN;
        match timeout(limit, self.shell.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(self.lost(source)),
            Err(_) => Err(LocalError::NotStopped {
                program: self.name.clone(),
                seconds: limit.as_secs(),
                pid: self.shell.id().unwrap_or_default(),
            }),
        }
    }

    fn exited(&self, status: ExitStatus) -> LocalError {
        LocalError::Exited {
            program: self.name.clone(),
            status: status.to_string(),
            log: self.log_tail(),
        }
    }

    fn not_ready(&self, limit: Duration) -> LocalError {
        LocalError::NotReady {
            program: self.name.clone(),
            seconds: limit.as_secs(),
            log: self.log_tail(),
        }
    }

    fn lost(&self, source: io::Error) -> LocalError {
        LocalError::Spawn {
            program: self.name.clone(),
            source,
        }
    }
}

/// A program's output. It is read through a handle, because the program's end removes the file.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    /// Where this run begins: earlier runs' output is no part of an error.
    start: u64,
}

impl Log {
    fn open(path: &Path) -> Result<Self> {
        let error = |action| LocalError::file(action, path);
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        let file = options.open(path).map_err(error("open the log"))?;
        let mut start = file.metadata().map_err(error("read the log"))?.len();
        if start > LOG_LIMIT {
            file.set_len(0).map_err(error("empty the log"))?;
            start = 0;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            start,
        })
    }

    fn writer(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    fn tail(&self) -> String {
        let length = self.file.metadata().map_or(0, |data| data.len());
        let from = length.saturating_sub(TAIL_BYTES).max(self.start);
        let wanted = usize::try_from(length.saturating_sub(from)).unwrap_or_default();
        let mut bytes = vec![0; wanted];
        let read = self.file.read_at(&mut bytes, from).unwrap_or_default();
        bytes.truncate(read);
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

#[cfg(test)]
mod tests;
