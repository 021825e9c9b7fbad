//! One PostgreSQL for all tests of the binary, one database for each of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use partner_core::database::MIGRATOR;
use partner_local::postgres::{PostgresOptions, PostgresServer};
use partner_local::progress::Progress;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// More than this at once only queue: 50 tasks that want a connection shall meet in the database.
const CONNECTIONS: u32 = 12;

/// The server of this test binary; it ends with the process, whose leash it is on.
static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();

static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// A database of its own, with the platform's schema.
pub(crate) async fn fresh_database() -> Result<PgPool> {
    let server = SERVER.get_or_try_init(start).await?;
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect(&server.url(&name))
        .await?;
    MIGRATOR.run(&pool).await?;
    Ok(pool)
}

async fn start() -> Result<PostgresServer> {
    // The server outlives the test that starts it, and so must the runtime that watches it.
    // Leaked, because a runtime must not be dropped inside another.
    let runtime: &'static Runtime = Box::leak(Box::new(Runtime::new()?));
    let started = runtime.spawn(async {
        PostgresServer::start(PostgresOptions::default(), &Progress::silent()).await
    });
    Ok(started.await??)
}
