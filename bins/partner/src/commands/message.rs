//! `partner signal`, `partner query` and `partner update`.

use std::process::ExitCode;

use partner_core::catalog::Kind;
use partner_core::client::Updated;
use serde_json::{Value, json};

use super::client::{check_name, connect, find, find_open, read_optional_input};
use crate::cli::{QueryArgs, SignalArgs, UpdateArgs};
use crate::output;

/// Sends a signal.
pub(crate) async fn signal(args: SignalArgs) -> anyhow::Result<ExitCode> {
    let payload = read_optional_input(args.input.as_deref())?;
    let client = connect(args.client.config).await?;
    let (process, description) = find_open(&client, &args.id).await?;
    check_name(
        Kind::Signal,
        &args.signal,
        &description.summary.workflow_type,
    )?;
    process.signal(&args.signal, &payload).await?;
    if args.client.json {
        output::json(&json!({ "workflowId": args.id, "signal": args.signal }))?;
    } else {
        output::line(format!("sent {} to {}", args.signal, args.id));
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks a query, and prints the answer.
pub(crate) async fn query(args: QueryArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let (process, description) = find(&client, &args.id).await?;
    check_name(Kind::Query, &args.query, &description.summary.workflow_type)?;
    let answer = process.query(&args.query).await?;
    if args.client.json {
        output::json(&json!({ "workflowId": args.id, "answer": answer }))?;
    } else {
        output::line(format!("{answer:#}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes an update, and prints the answer.
pub(crate) async fn update(args: UpdateArgs) -> anyhow::Result<ExitCode> {
    let payload = read_optional_input(args.input.as_deref())?;
    let client = connect(args.client.config).await?;
    let (process, description) = find_open(&client, &args.id).await?;
    check_name(
        Kind::Update,
        &args.update,
        &description.summary.workflow_type,
    )?;
    let updated = process
        .update(&args.update, &payload, args.update_id)
        .await?;
    answered(&args.id, updated, args.client.json, |answer| {
        format!("{answer:#}")
    })
}

/// Says what came of an update; a refusal exits 1.
pub(super) fn answered(
    id: &str,
    updated: Updated,
    as_json: bool,
    text: impl FnOnce(&Value) -> String,
) -> anyhow::Result<ExitCode> {
    match updated {
        Updated::Accepted(answer) => {
            if as_json {
                output::json(&json!({ "workflowId": id, "accepted": true, "answer": answer }))?;
            } else {
                output::line(text(&answer));
            }
            Ok(ExitCode::SUCCESS)
        }
        Updated::Rejected { code, message } => {
            if as_json {
                output::json(&json!({
                    "workflowId": id, "accepted": false, "code": code, "message": message,
                }))?;
            } else {
                output::note(format!("refused: {} {message}", code.as_str()));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
