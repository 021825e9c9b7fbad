//! Runs a command with `DATABASE_URL` pointing at a fresh, migrated database, and passes its exit
//! code on: `cargo run -p partner-local --example with_database -- <command> [argument...]`.

use std::process::ExitCode;

use partner_local::error::LocalError;
use partner_local::platform::migrate;
use partner_local::postgres::{PostgresOptions, PostgresServer};
use partner_local::progress::Progress;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        return fail("usage: with_database <command> [argument...]");
    };
    match run(program, words).await {
        Ok(code) => code,
        Err(error) => fail(&error.to_string()),
    }
}

async fn run(
    program: std::ffi::OsString,
    arguments: impl Iterator<Item = std::ffi::OsString>,
) -> Result<ExitCode, LocalError> {
    let server = PostgresServer::start(PostgresOptions::default(), &Progress::stderr()).await?;
    server.create_database("scratch").await?;
    let url = server.url("scratch");
    migrate(&url).await?;
    let status = tokio::process::Command::new(&program)
        .args(arguments)
        .env("DATABASE_URL", url)
        .status()
        .await;
    server.stop().await?;
    let status = status.map_err(|source| LocalError::Spawn {
        program: program.to_string_lossy().into_owned(),
        source,
    })?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stderr, reason = "a command line's error")]
fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
