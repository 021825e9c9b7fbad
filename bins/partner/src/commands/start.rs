//! `partner start`.

use std::process::ExitCode;

use chrono::{NaiveDate, Utc};
use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::Kind;
use partner_core::client::Ended;
use partner_core::workflow_id;
use serde_json::{Value, json};

use super::Usage;
use super::client::{connect, read_input};
use crate::cli::StartArgs;
use crate::output;

/// Starts a workflow, or joins the one of the same id.
pub(crate) async fn run(args: StartArgs) -> anyhow::Result<ExitCode> {
    let input = read_input(&args.input)?;
    let known = partner_worker::catalog(&ActivityPolicies::default()).names(Kind::Workflow);
    if !known.contains(&args.workflow.as_str()) {
        return Err(Usage(format!(
            "no workflow {:?}, there are: {}",
            args.workflow,
            known.join(", ")
        ))
        .into());
    }
    let id = args
        .id
        .or_else(|| workflow_id::default_for(&args.workflow, &input, today()))
        .ok_or_else(|| {
            Usage(format!(
                "{} has no default id for this input, give one with --id: the same id is the same process",
                args.workflow
            ))
        })?;
    let client = connect(args.config).await?;
    let process = client.start(&args.workflow, &id, &input).await?;
    if !args.wait {
        let what = if process.joined { "joined" } else { "started" };
        if args.json {
            output::json(&json!({ "workflowId": id, "joined": process.joined }))?;
        } else {
            output::line(format!("{what} {id}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    report(&id, process.ended().await?, args.json)
}

fn report(id: &str, ended: Ended, as_json: bool) -> anyhow::Result<ExitCode> {
    let (status, detail, code) = match ended {
        Ended::Completed(result) => ("completed", result, ExitCode::SUCCESS),
        Ended::Failed { code, message } => (
            "failed",
            json!({ "code": code, "message": message }),
            ExitCode::FAILURE,
        ),
        Ended::Cancelled => ("cancelled", Value::Null, ExitCode::FAILURE),
        Ended::Terminated => ("terminated", Value::Null, ExitCode::FAILURE),
        Ended::TimedOut => ("timed_out", Value::Null, ExitCode::FAILURE),
    };
    if as_json {
        output::json(&json!({ "workflowId": id, "status": status, "result": detail }))?;
    } else {
        output::line(format!("{id} {status}\n{detail:#}"));
    }
    Ok(code)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the day on which somebody starts a process is part of its default id"
)]
fn today() -> NaiveDate {
    Utc::now().date_naive()
}
