//! `partner list`.

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use partner_core::client::{Filter, Status, Summary};
use serde_json::json;

use super::client::connect;
use crate::cli::ListArgs;
use crate::output;

/// Lists workflows, the latest first.
pub(crate) async fn run(args: ListArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let wanted = args.status.as_deref();
    let filter = Filter {
        workflow_type: args.workflow_type,
        status: Status::ALL
            .into_iter()
            .find(|status| Some(status.as_str()) == wanted),
        id_prefix: args.id,
        query: args.query,
        ..Filter::default()
    };
    let limit = args.limit as usize;
    // One more than wanted tells whether there are more.
    let mut runs = client.list(&filter, limit + 1).await?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    if args.client.json {
        output::json(&json!({ "workflows": runs, "more": more }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["WORKFLOW ID", "TYPE", "STATUS", "STARTED", "ENDED"];
    output::line(output::table(header, runs.into_iter().map(row)));
    if more {
        output::note(format!("there are more than {limit}, see --limit"));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(run: Summary) -> [String; 5] {
    [
        run.workflow_id,
        run.workflow_type,
        run.status.to_string(),
        time(run.started_at),
        time(run.closed_at),
    ]
}

/// A moment, to the second.
pub(super) fn time(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default()
}
