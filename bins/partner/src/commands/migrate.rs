//! `partner migrate`.

use std::process::ExitCode;

use partner_core::config::{ConfigSources, Purpose, load};
use partner_core::database::{self, MIGRATOR};

use crate::cli::ConfigFileArgs;
use crate::output;

/// Applies the migrations that the database does not have yet.
pub(crate) async fn run(args: ConfigFileArgs) -> anyhow::Result<ExitCode> {
    let sources = ConfigSources::from_process(args.config, "production");
    let config = load(&sources, Purpose::Database)?.config;
    let pool = database::connect(&config.database).await?;
    MIGRATOR.run(&pool).await?;
    database::check_schema(&pool).await?;
    let version = MIGRATOR.iter().map(|migration| migration.version).max();
    if args.json {
        output::json(
            &serde_json::json!({ "version": version, "migrations": MIGRATOR.iter().count() }),
        )?;
    } else {
        output::line(format!("the schema is at {}", version.unwrap_or_default()));
    }
    Ok(ExitCode::SUCCESS)
}
