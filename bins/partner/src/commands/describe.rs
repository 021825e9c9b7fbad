//! `partner describe`.

use std::process::ExitCode;

use partner_core::client::{Description, PendingActivity};

use super::client::{connect, find};
use super::list::time;
use crate::cli::TargetArgs;
use crate::output;

/// Shows how a workflow stands, and what it waits for.
pub(crate) async fn run(args: TargetArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let (_, description) = find(&client, &args.id).await?;
    if args.client.json {
        output::json(&description)?;
    } else {
        output::line(text(&description));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(description: &Description) -> String {
    let summary = &description.summary;
    let mut lines = vec![
        format!("workflow    {}", summary.workflow_id),
        format!("run         {}", summary.run_id),
        format!("type        {}", summary.workflow_type),
        format!("status      {}", summary.status),
        format!("started     {}", time(summary.started_at)),
    ];
    if summary.closed_at.is_some() {
        lines.push(format!("ended       {}", time(summary.closed_at)));
    }
    if let Some(parent) = &description.parent_id {
        lines.push(format!("parent      {parent}"));
    }
    lines.push(format!("task queue  {}", description.task_queue));
    lines.push(format!("events      {}", description.events));
    if !description.pending_activities.is_empty() {
        let header = [
            "WAITS FOR",
            "STATE",
            "ATTEMPT",
            "NEXT ATTEMPT",
            "LAST FAILURE",
        ];
        let rows = description.pending_activities.iter().map(row);
        lines.push(format!("\n{}", output::table(header, rows)));
    }
    lines.join("\n")
}

fn row(pending: &PendingActivity) -> [String; 5] {
    let state = if pending.running {
        "running"
    } else {
        "waiting"
    };
    let attempt = match pending.most_attempts {
        Some(most) => format!("{} of {most}", pending.attempt),
        None => pending.attempt.to_string(),
    };
    [
        pending.name.clone(),
        state.to_owned(),
        attempt,
        time(pending.next_attempt_at),
        pending.last_failure.clone().unwrap_or_default(),
    ]
}
