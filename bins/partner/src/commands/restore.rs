//! `partner restore`.

use std::process::ExitCode;
use std::sync::Mutex;

use partner_analytics::cleanup::{Cleanup, CleanupSettings, Restoration, RestorationCursor};
use partner_analytics::repository::cleanup::CleanupRepository;
use partner_core::config::{ConfigSources, Purpose, load};
use partner_core::database;
use partner_local::progress::Progress;

use crate::cli::RestoreArgs;
use crate::output;

/// Puts the rows of a cleanup's backup back, and the files that they stand for.
///
/// A row in whose place there is another one is left alone and named: then not all of the backup is
/// back, and the exit code says so.
pub(crate) async fn run(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let sources = ConfigSources::from_process(args.config, "production");
    let config = load(&sources, Purpose::Database)?.config;
    let pool = database::connect(&config.database).await?;
    database::check_schema(&pool).await?;
    let cleanup = Cleanup::new(
        CleanupRepository::new(pool),
        partner_worker::objects(&config.storage)?,
        CleanupSettings::default(),
    );
    let step = Mutex::new(Progress::stderr().step("checking the backup"));
    let report = |cursor: RestorationCursor| {
        if let Ok(mut step) = step.lock() {
            step.update(message(&cursor));
        }
    };
    let restoration = cleanup.restore(&args.backup, None, &report).await?;
    if let Ok(step) = step.into_inner() {
        step.done();
    }
    if args.json {
        output::json(&restoration)?;
    } else {
        output::line(text(&restoration));
    }
    Ok(if restoration.conflicting == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn message(cursor: &RestorationCursor) -> String {
    match cursor.segments {
        0 => format!("checking the backup: {} segments", cursor.verified_segments),
        segments => format!(
            "restoring: {segments} of {} segments, {} rows",
            cursor.verified_segments, cursor.so_far.restored
        ),
    }
}

fn text(restoration: &Restoration) -> String {
    let text = format!(
        "{} rows restored, {} were there already",
        restoration.restored, restoration.already_there
    );
    if restoration.conflicting == 0 {
        return text;
    }
    let keys = restoration.conflicting_keys.iter();
    let keys: Vec<_> = keys.map(ToString::to_string).collect();
    format!(
        "{text}\n{} were not restored, because another row has their key: {}",
        restoration.conflicting,
        keys.join(", ")
    )
}
