//! What all commands for workflows do: reach Temporal, read what is to be sent, say what is not there.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::Kind;
use partner_core::client::{Description, Process, ProcessClient, Status};
use partner_core::config::{Config, ConfigSources, Purpose, load};
use partner_core::temporal;
use serde_json::Value;

use super::Usage;

/// Connects as the configuration says.
pub(super) async fn connect(config: Option<PathBuf>) -> anyhow::Result<ProcessClient> {
    Ok(connect_configured(config).await?.0)
}

/// The same, with the configuration.
pub(super) async fn connect_configured(
    config: Option<PathBuf>,
) -> anyhow::Result<(ProcessClient, Config)> {
    let sources = ConfigSources::from_process(config, "production");
    let config = load(&sources, Purpose::Client)?.config;
    let client = temporal::connect(&config.temporal, "partner", None).await?;
    let client = ProcessClient::new(client, config.temporal.task_queue.clone());
    Ok((client, config))
}

/// A workflow that there is, and how it stands.
pub(super) async fn find(
    client: &ProcessClient,
    id: &str,
) -> anyhow::Result<(Process, Description)> {
    let process = client.process(id);
    match process.describe().await {
        Ok(description) => Ok((process, description)),
        Err(error) if error.is_not_found() => Err(anyhow!(
            "there is no workflow {id:?} in the namespace {:?}: `partner list` shows those that there are",
            client.temporal().options().namespace
        )),
        Err(error) => Err(error.into()),
    }
}

/// A workflow that can still be told something.
pub(super) async fn find_open(
    client: &ProcessClient,
    id: &str,
) -> anyhow::Result<(Process, Description)> {
    let (process, description) = find(client, id).await?;
    match description.summary.status {
        Status::Running | Status::Paused | Status::Unknown => Ok((process, description)),
        status => bail!("{id:?} has ended, it is {status}"),
    }
}

/// Refuses what the workflow would not understand: a signal of an unknown name would be lost silently.
pub(super) fn check_name(kind: Kind, name: &str, workflow: &str) -> anyhow::Result<()> {
    let catalog = partner_worker::catalog(&ActivityPolicies::default());
    let entries = catalog.entries.iter();
    let of_workflow = entries.filter(|entry| entry.kind == kind && entry.on == Some(workflow));
    let known: Vec<_> = of_workflow.map(|entry| entry.name).collect();
    if known.contains(&name) {
        return Ok(());
    }
    let what = match kind {
        Kind::Query => "query",
        Kind::Update => "update",
        Kind::Workflow | Kind::Signal | Kind::Activity => "signal",
    };
    let offer = if known.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has: {}", known.join(", "))
    };
    Err(Usage(format!("{workflow} has no {what} {name:?}, {offer}")).into())
}

/// The value of `--input`: JSON, or a file that holds it.
pub(super) fn read_input(text: &str) -> anyhow::Result<Value> {
    let json = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Usage(format!("--input: cannot read {path}: {error}")))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&json)
        .map_err(|error| Usage(format!("--input is not JSON: {error}")).into())
}

/// The same where it may be left out.
pub(super) fn read_optional_input(text: Option<&str>) -> anyhow::Result<Value> {
    text.map_or(Ok(Value::Null), read_input)
}
