//! Running the command line in a world of its own, and finding what it leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// How long anything may take that a test waits for; what is well takes a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// What a command inherits; everything else of the test's environment could change what it does.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "XDG_CACHE_HOME"];

/// A world for one command: its temporary folder is its own, so that what it leaves can be seen.
pub(crate) struct World {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

/// What a command that has ended wrote, and its exit code.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// Standard output, which must be one JSON document on one line.
    pub(crate) fn document(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks exit code and the words on standard error.
    pub(crate) fn fails_with(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?}: {self:?}");
        }
        assert!(self.stdout.is_empty(), "{self:?}");
    }
}

impl World {
    pub(crate) fn new() -> Self {
        // Open to all: if we are root, PostgreSQL runs as somebody else, and works in it too.
        let folder = tempfile::Builder::new()
            .prefix("partner-cli-")
            .permissions(Permissions::from_mode(0o777))
            .tempdir()
            .expect("a folder");
        // The umask has a say when a folder is made.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("an open folder");
        Self {
            folder,
            environment: BTreeMap::new(),
        }
    }

    /// The same world with a variable more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partner"));
        let inherited = INHERITED
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command
            .args(arguments)
            .env_clear()
            .envs(inherited)
            .envs(&self.environment)
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Answer {
        let output = in_time("the command ends", self.command(arguments).output())
            .await
            .expect("it starts");
        Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Starts a command that goes on.
    pub(crate) fn start(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Running {
        let mut child = self.command(arguments).spawn().expect("it starts");
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        Running {
            child,
            stdout: BufReader::new(stdout).lines(),
            stderr: BufReader::new(stderr).lines(),
        }
    }

    /// Waits until nothing is left: none of these processes, none other that was started in this
    /// world, and no file.
    pub(crate) async fn is_left_clean(&self, processes: &BTreeSet<Process>) {
        let marker = format!("TMPDIR={}", self.folder.path().display());
        let mut left = String::new();
        let clean = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                ticks.tick().await;
                let alive: Vec<_> = Process::all()
                    .into_iter()
                    .filter(|process| processes.contains(process) || process.has(&marker))
                    .collect();
                let files: Vec<_> = fs::read_dir(self.folder.path())
                    .expect("the folder")
                    .flatten()
                    .collect();
                if alive.is_empty() && files.is_empty() {
                    return;
                }
                let commands: Vec<_> = alive.iter().map(Process::command).collect();
                left = format!("{commands:?}, {files:?}");
            }
        };
        let waited = tokio::time::timeout(PATIENCE, clean).await;
        assert!(waited.is_ok(), "left behind: {left}");
    }
}

/// A command that runs; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Running {
    /// The next line of standard output; none at its end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        in_time("a line of output", self.stdout.next_line())
            .await
            .expect("UTF-8")
    }

    /// Waits for a line of standard error that begins so.
    pub(crate) async fn says(&mut self, beginning: &str) {
        let said = async {
            let mut before = Vec::new();
            while let Some(line) = self.stderr.next_line().await.expect("UTF-8") {
                if line.starts_with(beginning) {
                    return;
                }
                before.push(line);
            }
            panic!("{beginning:?} was never said: {before:?}");
        };
        in_time(beginning, said).await;
    }

    /// The command and everything that it started and that still runs.
    pub(crate) fn family(&self) -> BTreeSet<Process> {
        let all = Process::all();
        let own = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .expect("it runs");
        let mut family: BTreeSet<_> = all
            .iter()
            .filter(|process| process.id == own)
            .copied()
            .collect();
        loop {
            let known: BTreeSet<_> = family.iter().map(|process| process.id).collect();
            let before = family.len();
            family.extend(all.iter().filter(|process| known.contains(&process.parent)));
            if family.len() == before {
                return family;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .expect("it runs");
        kill(Pid::from_raw(id), signal).expect("it can be signalled");
    }

    /// Waits for its end: its exit code, and what was left of its output.
    pub(crate) async fn ended(mut self) -> Answer {
        let rest = async {
            let (mut stdout, mut stderr) = (String::new(), String::new());
            while let Some(line) = self.stdout.next_line().await.expect("UTF-8") {
                stdout.push_str(&line);
                stdout.push('\n');
            }
            while let Some(line) = self.stderr.next_line().await.expect("UTF-8") {
                stderr.push_str(&line);
                stderr.push('\n');
            }
            let status = self.child.wait().await.expect("it is watched");
            Answer {
                code: status.code(),
                stdout,
                stderr,
            }
        };
        in_time("the command ends", rest).await
    }
}

/// A process, told from a later one of the same number by when it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    id: i32,
    started: u64,
    parent: i32,
}

impl Process {
    /// Every process that runs. One that has ended and that nobody has asked after is none.
    fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        entries
            .filter_map(|entry| Self::read(entry.file_name().to_str()?.parse().ok()?))
            .collect()
    }

    fn read(id: i32) -> Option<Self> {
        let stat = fs::read_to_string(Self::place(id).join("stat")).ok()?;
        // The name comes first, in brackets, and may have anything in it.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        Some(Self {
            id,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    fn place(id: i32) -> PathBuf {
        Path::new("/proc").join(id.to_string())
    }

    /// Whether it was started with this variable.
    fn has(&self, variable: &str) -> bool {
        let environment = fs::read(Self::place(self.id).join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable.as_bytes())
    }

    /// Its command line, for messages.
    fn command(&self) -> String {
        let command = fs::read(Self::place(self.id).join("cmdline")).unwrap_or_default();
        let text = String::from_utf8_lossy(&command).replace('\0', " ");
        format!("{} {}", self.id, text.chars().take(200).collect::<String>())
    }
}

/// The result of `work`, which must come within [`PATIENCE`].
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
