//! A sweep over many subscriptions that are due: how fast it begins their payments, how long its
//! histories grow, and what the worker holds meanwhile.

use std::time::{Duration, Instant};

use anyhow::Context;
use partner_core::client::Ended;
use partner_local::progress::Progress;
use partner_local::shop::Shop;
use serde::Serialize;
use serde_json::json;

use super::load::round;
use super::process::Usage;
use crate::output;
use crate::platform::Running;

const WORKFLOW: &str = "dueSubscriptionsWorkflow";

/// The payments only wait here: no worker serves it, so that the sweep alone is measured.
const UNSERVED: &str = partner_core::task_queue::BACKGROUND;

/// How long the sweep may take, on a machine that is busy with hundreds of thousands.
const PATIENCE: Duration = Duration::from_hours(1);

/// The sweep, and the worker with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    subscriptions: u32,
    started: u64,
    seconds: f64,
    started_per_second: f64,
    /// The events of its first run, which is as long as a run gets.
    events: usize,
    /// The billable actions of that run, without those of the payments that it starts.
    billable_actions: usize,
    /// The events of its last run.
    last_run_events: usize,
    /// The most that the worker ever held; absent where the system does not tell.
    peak_rss_mb: Option<f64>,
}

/// Lets so many subscriptions be due, and sweeps.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) async fn measure(
    running: &Running,
    count: u32,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let client = running.client().await?;
    let shop = Shop::connect(&running.platform.database_url).await?;
    let step = progress.step(format!("making {count} subscriptions"));
    shop.add_user("bench-user", "bench@example.com", "Bench")
        .await?;
    shop.add_due_subscriptions("bench-user", count).await?;
    step.done();
    let step = progress.step(format!("sweeping {count} subscriptions"));
    let begun = Instant::now();
    let input = json!({ "taskQueue": UNSERVED });
    let process = client.start(WORKFLOW, "bench-due", &input).await?;
    let ended = tokio::time::timeout(PATIENCE, process.ended())
        .await
        .context("the sweep did not end")??;
    let seconds = begun.elapsed().as_secs_f64();
    step.done();
    let result = match ended {
        Ended::Completed(result) => result,
        other => anyhow::bail!("the sweep ended with {other:?}"),
    };
    let started = result["counts"]["started"].as_u64().unwrap_or_default();
    anyhow::ensure!(
        started == u64::from(count),
        "it started {started}: {result}"
    );
    let cost = process.cost().await?;
    let last = client.process("bench-due").cost().await?;
    Ok(Report {
        subscriptions: count,
        started,
        seconds: round(seconds),
        started_per_second: round(f64::from(count) / seconds),
        events: cost.events,
        billable_actions: cost.actions,
        last_run_events: last.events,
        peak_rss_mb: Usage::of(running.worker.ready.pid)?.peak_rss_mb.map(round),
    })
}

impl Report {
    /// The report for a person.
    pub(crate) fn text(&self) -> String {
        let header = [
            "SUBSCRIPTIONS",
            "SECONDS",
            "PER SECOND",
            "EVENTS A RUN",
            "ACTIONS A RUN",
            "PEAK RSS MB",
        ];
        let rss = self.peak_rss_mb.map(|rss| rss.to_string());
        let row = [
            self.subscriptions.to_string(),
            self.seconds.to_string(),
            self.started_per_second.to_string(),
            self.events.to_string(),
            self.billable_actions.to_string(),
            rss.unwrap_or_else(|| "?".to_owned()),
        ];
        output::table(header, [row])
    }
}
