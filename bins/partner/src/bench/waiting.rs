//! What it costs the worker that many reviews wait for their decision.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use partner_core::client::ProcessClient;
use partner_local::progress::Progress;
use partner_local::shop::Shop;
use serde::Serialize;
use serde_json::{Value, json};

use super::load::round;
use super::process::Usage;
use crate::output;
use crate::platform::Running;

const WORKFLOW: &str = "listingApprovalWorkflow";

/// How many are started at once, at the least.
const AT_ONCE: u32 = 20;

/// How often the database is asked how many wait.
const GLANCE: Duration = Duration::from_millis(500);

/// How long one review may take to come to its wait, on a machine that is busy with thousands.
const PATIENCE: Duration = Duration::from_mins(30);

/// The reviews that wait, and the worker's memory with them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    waiting: u32,
    started_per_second: f64,
    /// The most that the worker held before the first of them; absent where the system does not tell.
    peak_rss_mb_before: Option<f64>,
    /// The most that it ever held.
    peak_rss_mb: Option<f64>,
    /// The worker's CPU time for each, until it waits.
    cpu_ms_each: Option<f64>,
}

/// Submits so many listings, lets all of them wait, and looks at the worker.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) async fn measure(
    running: &Running,
    count: u32,
    concurrency: u32,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let client = running.client().await?;
    let shop = Shop::connect(&running.platform.database_url).await?;
    shop.add_user("bench-user", "bench@example.com", "Bench")
        .await?;
    let pid = running.worker.ready.pid;
    let before = Usage::of(pid)?;
    let step = progress.step(format!("submitting {count} listings"));
    let begun = Instant::now();
    stream::iter(0..count)
        .map(|number| submit(&client, number))
        .buffer_unordered(concurrency.max(AT_ONCE) as usize)
        .try_collect::<()>()
        .await?;
    tokio::time::timeout(PATIENCE, all_wait(&shop, count))
        .await
        .context("not all of them came to their wait")??;
    let seconds = begun.elapsed().as_secs_f64();
    step.done();
    let after = Usage::of(pid)?;
    let cpu = before.cpu.zip(after.cpu);
    let cpu = cpu.map(|(before, after)| after.saturating_sub(before).as_secs_f64() * 1_000.0);
    Ok(Report {
        waiting: count,
        started_per_second: round(f64::from(count) / seconds),
        peak_rss_mb_before: before.peak_rss_mb.map(round),
        peak_rss_mb: after.peak_rss_mb.map(round),
        cpu_ms_each: cpu.map(|cpu| round(cpu / f64::from(count))),
    })
}

async fn submit(client: &ProcessClient, number: u32) -> anyhow::Result<()> {
    let id = format!("listing-approval-bench-{number}");
    client.start(WORKFLOW, &id, &input(number)).await?;
    Ok(())
}

fn input(number: u32) -> Value {
    json!({
        "listingId": format!("bench-{number}"),
        "userId": "bench-user",
        "propertyData": {
            "title": format!("Flat number {number} by the lake"),
            "description": "A quiet flat with a view over the lake. ".repeat(6),
            "price": 450_000,
            "location": { "address": "Seestrasse 1", "city": "Zug", "state": "ZG" },
            "images": ["https://cdn.example.com/1.jpg"],
        },
    })
}

async fn all_wait(shop: &Shop, count: u32) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(GLANCE);
    loop {
        ticks.tick().await;
        if shop.listings_of_status("pending_review").await? >= i64::from(count) {
            return Ok(());
        }
    }
}

impl Report {
    /// The report for a person.
    pub(crate) fn text(&self) -> String {
        let optional =
            |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
        let header = [
            "WAITING",
            "PER SECOND",
            "CPU MS EACH",
            "PEAK RSS MB BEFORE",
            "PEAK RSS MB",
        ];
        let row = [
            self.waiting.to_string(),
            self.started_per_second.to_string(),
            optional(self.cpu_ms_each),
            optional(self.peak_rss_mb_before),
            optional(self.peak_rss_mb),
        ];
        output::table(header, [row])
    }
}
