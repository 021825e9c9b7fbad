//! `dataCleanupWorkflow`: what went, and where it can be restored from.

use std::fs;

use partner_core::error::ErrorCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "dataCleanupWorkflow";

/// How many rows of each type are old.
const OLD: usize = 25;

/// What is left, and what is on record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cleaned {
    /// How many rows were there before.
    before: usize,
    /// How many are left.
    left: usize,
    /// How many files of temporary files are left.
    files_left: usize,
    /// How many were deleted, as the audit has it.
    on_record: Option<i64>,
    /// Whether the backup's manifest is in the object storage.
    backed_up: bool,
}

/// One cleanup and what must come of it. They run one after the other: each takes all that is old.
struct Scenario {
    name: &'static str,
    cleanup_type: &'static str,
    /// What is in the input beside the type and the retention.
    more: Value,
    outcome: &'static str,
    cleaned: Cleaned,
}

fn scenarios() -> Vec<Scenario> {
    let all_gone = |held: usize| Cleaned {
        before: OLD,
        left: held,
        on_record: i64::try_from(OLD - held).ok(),
        backed_up: true,
        ..Cleaned::default()
    };
    vec![
        Scenario {
            name: "logs, only counted",
            cleanup_type: "logs",
            more: json!({ "dryRun": true }),
            outcome: "0 deleted",
            cleaned: Cleaned {
                before: OLD,
                left: OLD,
                ..Cleaned::default()
            },
        },
        Scenario {
            name: "logs, one under legal hold",
            cleanup_type: "logs",
            more: json!({}),
            outcome: "24 deleted",
            cleaned: all_gone(1),
        },
        Scenario {
            name: "logs, again: nothing is old",
            cleanup_type: "logs",
            more: json!({}),
            outcome: "0 deleted",
            cleaned: Cleaned {
                before: 1,
                left: 1,
                ..Cleaned::default()
            },
        },
        Scenario {
            name: "sessions",
            cleanup_type: "sessions",
            more: json!({ "batchSize": 10, "pauseMs": 20 }),
            outcome: "25 deleted",
            cleaned: all_gone(0),
        },
        Scenario {
            name: "temporary files, with their contents",
            cleanup_type: "temp_files",
            more: json!({}),
            outcome: "25 deleted",
            cleaned: all_gone(0),
        },
        Scenario {
            name: "of what nobody knows",
            cleanup_type: "users",
            more: json!({}),
            outcome: ErrorCode::ValidationError.as_str(),
            cleaned: Cleaned::default(),
        },
    ]
}

/// Cleans up, one after the other.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Cleaned>>> {
    prepare(stage).await?;
    let mut rows = Vec::new();
    for (index, scenario) in scenarios().into_iter().enumerate() {
        rows.push(play(stage, scenario, index + 1).await?);
    }
    Ok(rows)
}

async fn prepare(stage: &Stage<'_>) -> anyhow::Result<()> {
    let names = |kind: &str| (1..=OLD).map(|n| format!("{kind}-{n}")).collect::<Vec<_>>();
    let shop = &stage.shop;
    shop.add_old_rows("logs", &names("request")).await?;
    shop.hold_oldest_log().await?;
    shop.add_old_rows("sessions", &names("token")).await?;
    let folder = stage.platform.files.join("uploads");
    fs::create_dir_all(&folder)?;
    let mut references = Vec::new();
    for name in names("upload") {
        fs::write(folder.join(&name), format!("the content of {name}"))?;
        references.push(format!("{}uploads/{name}", stage.platform.storage_url()));
    }
    shop.add_old_rows("temp_files", &references).await?;
    Ok(())
}

async fn play(
    stage: &Stage<'_>,
    scenario: Scenario,
    number: usize,
) -> anyhow::Result<Row<Cleaned>> {
    let cleanup_type = scenario.cleanup_type;
    let mut input = json!({ "cleanupType": cleanup_type, "retentionDays": 30, "pauseMs": 0 });
    for (name, value) in scenario.more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    let before = stage.shop.cleanable_rows(cleanup_type).await?.len();
    let id = format!("cleanup-{number:02}");
    let started = stage.start((WORKFLOW, &id), &input, Start::Once);
    let word = |result: &Value| format!("{} deleted", result["itemsDeleted"]);
    let (run, result) = stage.watch((scenario.name, &input), started, word).await?;
    let files = fs::read_dir(stage.platform.files.join("uploads"))?.count();
    let seen = Cleaned {
        before,
        left: stage.shop.cleanable_rows(cleanup_type).await?.len(),
        files_left: if cleanup_type == "temp_files" {
            files
        } else {
            0
        },
        on_record: stage.shop.audited_cleanups(&id).await?.pop(),
        backed_up: is_stored(stage, &result),
    };
    Ok(Row::compare(
        run,
        seen,
        scenario.outcome,
        &scenario.cleaned,
    )?)
}

/// Whether the backup of a result is in the object storage, which is a folder here.
fn is_stored(stage: &Stage<'_>, result: &Value) -> bool {
    let name = result["backupUrl"]
        .as_str()
        .and_then(|url| url.strip_prefix(stage.platform.storage_url().as_str()));
    name.is_some_and(|name| stage.platform.files.join(name).is_file())
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Cleaned>]) -> String {
    let header = [
        "",
        "CLEANUP",
        "OUTCOME",
        "ROWS",
        "ON RECORD",
        "BACKED UP",
        "MS",
        "EVENTS",
    ];
    let cells = rows.iter().map(|row| {
        let seen = &row.found;
        let on_record = seen.on_record.map(|rows| rows.to_string());
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            format!("{} -> {}", seen.before, seen.left),
            on_record.unwrap_or_else(|| "-".to_owned()),
            if seen.backed_up { "yes" } else { "-" }.to_owned(),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
