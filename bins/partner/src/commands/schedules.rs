//! `partner schedules`.

use std::process::ExitCode;

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use partner_core::client::{Applied, ClientError, Schedule, ScheduleOverview};
use partner_worker::schedules::{PREFIX, planned};
use serde_json::{Value, json};

use super::Usage;
use super::client::{connect, connect_configured};
use super::list::time;
use crate::cli::{BackfillArgs, ClientArgs, ScheduleArgs, ScheduleNoteArgs, SchedulesApplyArgs};
use crate::output;

/// Makes the Temporal service have the schedules that the configuration asks for.
pub(crate) async fn apply(args: SchedulesApplyArgs) -> anyhow::Result<ExitCode> {
    let (client, config) = connect_configured(args.client.config).await?;
    let wanted = planned(&config);
    let mut applied = Vec::new();
    for schedule in &wanted {
        let done = client.apply_schedule(schedule).await?;
        applied.push((schedule, done));
    }
    let there = client.schedules().await?.into_iter();
    let extra = there
        .map(|schedule| schedule.schedule_id)
        .filter(|id| id.starts_with(PREFIX) && wanted.iter().all(|schedule| schedule.id != *id));
    let extra: Vec<_> = extra.collect();
    if args.prune {
        for id in &extra {
            client.delete_schedule(id).await?;
        }
    }
    if args.client.json {
        let applied = applied
            .iter()
            .map(|(schedule, done)| document(schedule, *done));
        output::json(&json!({
            "schedules": applied.collect::<Vec<_>>(), "notConfigured": extra, "pruned": args.prune,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["SCHEDULE", "WORKFLOW", "CRON", "TIME ZONE", "APPLIED"];
    let rows = applied.iter().map(|(schedule, done)| {
        [
            schedule.id.clone(),
            schedule.workflow.to_owned(),
            schedule.cron.clone(),
            schedule.time_zone.clone(),
            match done {
                Applied::Created => "created",
                Applied::Updated => "updated",
            }
            .to_owned(),
        ]
    });
    output::line(output::table(header, rows));
    let outcome = if args.prune {
        "deleted, the configuration does not have it"
    } else {
        "not in the configuration, --prune deletes it"
    };
    for id in extra {
        output::line(format!("{id}: {outcome}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn document(schedule: &Schedule, applied: Applied) -> Value {
    json!({
        "scheduleId": schedule.id,
        "workflowType": schedule.workflow,
        "input": schedule.input,
        "cron": schedule.cron,
        "timeZone": schedule.time_zone,
        "jitterSeconds": schedule.jitter.as_secs(),
        "catchUpSeconds": schedule.catch_up.as_secs(),
        "applied": applied,
    })
}

/// Lists the schedules that there are.
pub(crate) async fn list(args: ClientArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.config).await?;
    let schedules = client.schedules().await?;
    if args.json {
        output::json(&json!({ "schedules": schedules }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["SCHEDULE", "WORKFLOW", "STATE", "NEXT", "LAST", "NOTE"];
    output::line(output::table(header, schedules.into_iter().map(row)));
    Ok(ExitCode::SUCCESS)
}

fn row(schedule: ScheduleOverview) -> [String; 6] {
    [
        schedule.schedule_id,
        schedule.workflow_type.unwrap_or_default(),
        if schedule.paused { "paused" } else { "active" }.to_owned(),
        time(schedule.next_at),
        time(schedule.last_at),
        schedule.note.unwrap_or_default(),
    ]
}

/// Lets a schedule start nothing for now.
pub(crate) async fn pause(args: ScheduleNoteArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let paused = client.pause_schedule(&args.id, &args.reason).await;
    done("paused", &args.id, paused, args.client.json)
}

/// Lets a paused schedule go on.
pub(crate) async fn resume(args: ScheduleNoteArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let resumed = client.resume_schedule(&args.id, &args.reason).await;
    done("resumed", &args.id, resumed, args.client.json)
}

/// Starts now what a schedule starts.
pub(crate) async fn trigger(args: ScheduleArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let triggered = client.trigger_schedule(&args.id).await;
    done("triggered", &args.id, triggered, args.client.json)
}

/// Deletes a schedule.
pub(crate) async fn delete(args: ScheduleArgs) -> anyhow::Result<ExitCode> {
    let client = connect(args.client.config).await?;
    let deleted = client.delete_schedule(&args.id).await;
    done("deleted", &args.id, deleted, args.client.json)
}

/// Makes up for the times between two moments.
pub(crate) async fn backfill(args: BackfillArgs) -> anyhow::Result<ExitCode> {
    let (from, to) = (moment("--from", &args.from)?, moment("--to", &args.to)?);
    if from >= to {
        return Err(Usage("--from: must be before --to".to_owned()).into());
    }
    let client = connect(args.client.config).await?;
    let backfilled = client.backfill_schedule(&args.id, from, to).await;
    done("backfilled", &args.id, backfilled, args.client.json)
}

fn moment(flag: &str, text: &str) -> anyhow::Result<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    parsed.map_err(|error| {
        Usage(format!(
            "{flag}: {error}, expected such as 2026-11-28T08:00:00Z"
        ))
        .into()
    })
}

fn done(
    what: &str,
    id: &str,
    result: Result<(), ClientError>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    match result {
        Ok(()) if as_json => output::json(&json!({ "scheduleId": id }))?,
        Ok(()) => output::line(format!("{what} {id}")),
        Err(error) if error.is_not_found() => {
            return Err(anyhow!(
                "there is no schedule {id:?}: `partner schedules list` shows those that there are"
            ));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}
