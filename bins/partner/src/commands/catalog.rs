//! `partner catalog`.

use std::process::ExitCode;

use partner_core::activity_options::{ActivityPolicies, ActivityPolicy};
use partner_core::catalog::{Catalog, CatalogEntry, Kind};

use crate::cli::CatalogArgs;
use crate::output;

/// Prints every wire name with its task queue, timeouts and retry policy.
pub(crate) fn run(args: &CatalogArgs) -> anyhow::Result<ExitCode> {
    let catalog = partner_worker::catalog(&ActivityPolicies::default());
    if args.json {
        output::json(&catalog)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.markdown {
        output::line(markdown(&catalog).trim_end());
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

/// The catalogue as a page: what is in it, a test compares with the file.
fn markdown(catalog: &Catalog) -> String {
    let workflows = catalog.names(Kind::Workflow).into_iter().map(|name| {
        let on = |kind| named(catalog, kind, name);
        format!(
            "| `{name}` | {} | {} | {} |\n",
            on(Kind::Signal),
            on(Kind::Query),
            on(Kind::Update)
        )
    });
    let activities = catalog
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::Activity);
    let activities = activities.map(|entry| format!("| `{}` | {} |\n", entry.name, policy(entry)));
    format!(
        "# Catalogue\n\nWritten by `partner catalog --markdown`; a test compares it with the code. Timeouts and retries are \
         those of the default\nconfiguration.\n\n## Workflows\n\n| workflow | signals | queries | updates |\n|---|---|---|---|\n{}\n\
         ## Activities\n\n| activity | how it is run, timeout of an attempt, attempts, time between them |\n|---|---|\n{}",
        workflows.collect::<String>(),
        activities.collect::<String>()
    )
}

/// What of a kind a workflow understands.
fn named(catalog: &Catalog, kind: Kind, workflow: &str) -> String {
    let entries = catalog.entries.iter();
    let names = entries.filter(|entry| entry.kind == kind && entry.on == Some(workflow));
    let names: Vec<_> = names.map(|entry| format!("`{}`", entry.name)).collect();
    names.join(", ")
}
