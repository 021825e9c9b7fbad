//! `partner catalog`.

use std::process::ExitCode;

use partner_core::activity_options::{ActivityPolicies, ActivityPolicy};
use partner_core::catalog::CatalogEntry;

use crate::cli::JsonArgs;
use crate::output;

/// Prints every wire name with its task queue, timeouts and retry policy.
pub(crate) fn run(args: &JsonArgs) -> anyhow::Result<ExitCode> {
    let catalog = partner_worker::catalog(&ActivityPolicies::default());
    if args.json {
        output::json(&catalog)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = catalog.entries.iter().map(|entry| {
        [
            lower(entry.kind),
            entry.name.to_owned(),
            entry.on.unwrap_or_default().to_owned(),
            entry.task_queue.to_owned(),
            policy(entry),
        ]
    });
    output::line(output::table(
        ["KIND", "NAME", "ON", "TASK QUEUE", "TIMEOUT AND RETRIES"],
        rows,
    ));
    Ok(ExitCode::SUCCESS)
}

fn lower(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn policy(entry: &CatalogEntry) -> String {
    let Some(ActivityPolicy {
        start_to_close_timeout,
        retry,
        ..
    }) = entry.policy
    else {
        return String::new();
    };
    let attempts = match retry.attempts {
        0 => "without bound".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    format!(
        "{}, {:?} an attempt, {attempts}, {:?} to {:?} x{}",
        entry.execution.map(lower).unwrap_or_default(),
        start_to_close_timeout,
        retry.initial_interval,
        retry.maximum_interval,
        retry.coefficient
    )
}
