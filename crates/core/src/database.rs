//! PostgreSQL: the pool, the schema's version, and what its errors mean.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use crate::config::DatabaseConfig;
use crate::error::{ErrorCode, Failure};

/// Every migration of the platform, in order; run by `partner migrate`, never by a worker.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Why PostgreSQL could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The driver's or the server's error.
    #[error("database error")]
    Sqlx(#[from] sqlx::Error),
    /// A migration failed.
    #[error("cannot migrate the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The URL cannot be read.
    #[error(
        "database.url is not a PostgreSQL URL, expected postgres://user:password@host/database"
    )]
    InvalidUrl,
    /// The schema is not the one that this build was made for.
    #[error("the database schema does not match this build ({0}): run `partner migrate`")]
    SchemaMismatch(String),
}

impl Failure for DatabaseError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DatabaseError
    }

    fn is_retryable(&self) -> bool {
        match self {
            // Data (22), constraints (23) and syntax or access (42) do not mend themselves.
            Self::Sqlx(sqlx::Error::Database(error)) => {
                let class = error
                    .code()
                    .map(|code| code.chars().take(2).collect::<String>());
                !matches!(class.as_deref(), Some("22" | "23" | "42"))
            }
            Self::Sqlx(sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound)
            | Self::Migrate(_)
            | Self::InvalidUrl => false,
            Self::Sqlx(_) | Self::SchemaMismatch(_) => true,
        }
    }
}

/// A connection that was idle for longer is asked whether it is alive before it is used.
const PING_AFTER: Duration = Duration::from_secs(1);

/// Opens the pool and proves that the server answers.
///
/// # Errors
/// [`DatabaseError`] if the URL is malformed or the server does not answer in time.
pub async fn connect(config: &DatabaseConfig) -> Result<PgPool, DatabaseError> {
    let options: PgConnectOptions = config
        .url
        .expose_secret()
        .parse()
        .map_err(|_| DatabaseError::InvalidUrl)?;
    let timeout = format!("{}ms", config.statement_timeout.as_millis());
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections.get())
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(Duration::from_mins(10))
        // A connection that was used just now is alive; asking each time would cost every
        // statement a second round trip. One that was idle may have died with its server.
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move {
                if usage.idle_for > PING_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options.options([("statement_timeout", timeout)]))
        .await?;
    Ok(pool)
}

/// Checks that exactly this build's migrations were applied.
///
/// # Errors
/// [`DatabaseError::SchemaMismatch`] names the first difference and the remedy.
pub async fn check_schema(pool: &PgPool) -> Result<(), DatabaseError> {
    let mut connection = pool.acquire().await?;
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    let mut applied = if exists {
        connection
            .list_applied_migrations(&MIGRATOR.table_name)
            .await?
    } else {
        Vec::new()
    };
    applied.sort_by_key(|migration| migration.version);
    for migration in MIGRATOR.iter() {
        match applied
            .iter()
            .find(|applied| applied.version == migration.version)
        {
            None => return Err(mismatch(migration.version, "is not applied")),
            Some(applied) if applied.checksum != migration.checksum => {
                return Err(mismatch(
                    migration.version,
                    "was applied with another content",
                ));
            }
            Some(_) => {}
        }
    }
    applied
        .iter()
        .find(|applied| !MIGRATOR.version_exists(applied.version))
        .map_or(Ok(()), |newer| {
            Err(mismatch(newer.version, "is newer than this build"))
        })
}

fn mismatch(version: i64, what: &str) -> DatabaseError {
    DatabaseError::SchemaMismatch(format!("migration {version} {what}"))
}
