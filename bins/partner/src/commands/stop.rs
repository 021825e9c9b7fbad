//! `partner cancel` and `partner terminate`.

use std::process::ExitCode;

use serde_json::json;

use super::Usage;
use super::client::{connect, find_open};
use crate::cli::{CancelArgs, TerminateArgs};
use crate::output;

/// Asks a workflow to stop.
pub(crate) async fn cancel(args: CancelArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let (process, _) = find_open(&client, &args.id).await?;
    process.cancel_because(&args.reason).await?;
    say("cancellation requested of", &args.id, args.client.json)
}

/// Ends a workflow at once.
pub(crate) async fn terminate(args: TerminateArgs) -> anyhow::Result<ExitCode> {
    if args.reason.trim().is_empty() {
        return Err(Usage("--reason: say why, the history keeps it".to_owned()).into());
    }
    let client = connect(args.client.config).await?;
    let (process, _) = find_open(&client, &args.id).await?;
    process.terminate(&args.reason).await?;
    say("terminated", &args.id, args.client.json)
}

fn say(what: &str, id: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        output::json(&json!({ "workflowId": id }))?;
    } else {
        output::line(format!("{what} {id}"));
    }
    Ok(ExitCode::SUCCESS)
}
