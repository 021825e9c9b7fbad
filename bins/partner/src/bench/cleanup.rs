//! What a cleanup costs beside the same deletes in plain SQL, which keep nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, ensure};
use partner_core::client::Ended;
use partner_local::progress::Progress;
use partner_local::shop::Shop;
use serde::Serialize;
use serde_json::json;

use super::load::round;
use super::process::Usage;
use super::steps;
use crate::output;
use crate::platform::Running;

const WORKFLOW: &str = "dataCleanupWorkflow";

/// A cleanup, beside plain deletes by ranges of keys.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    rows: u32,
    batch: u32,
    /// The same deletes without a backup.
    plain_rows_per_second: f64,
    /// From the start of the workflow to its end: counted, backed up, verified, deleted, on record.
    cleanup_rows_per_second: f64,
    /// The latter by the former.
    ratio: f64,
    /// Of the deletion alone.
    deletion_ratio: Option<f64>,
    /// How long the activities took.
    seconds: BTreeMap<String, f64>,
    events: usize,
    billable_actions: usize,
    /// The most that the worker ever held; absent where the system does not tell.
    peak_rss_mb: Option<f64>,
}

/// Deletes so many rows in plain SQL, and then as many by a cleanup without rests.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) async fn measure(
    running: &Running,
    rows: u32,
    batch: u32,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let client = running.client().await?;
    let shop = Shop::connect(&running.platform.database_url).await?;
    let step = progress.step(format!(
        "deleting {rows} rows in plain SQL, {batch} at once"
    ));
    shop.add_many_old_logs(rows.into()).await?;
    let begun = Instant::now();
    delete_plainly(&shop, rows, batch).await?;
    let plain = begun.elapsed().as_secs_f64();
    step.done();
    let step = progress.step(format!("cleaning up {rows} rows, {batch} at once"));
    shop.add_many_old_logs(rows.into()).await?;
    let input = json!({
        "cleanupType": "logs", "retentionDays": 30, "batchSize": batch, "pauseMs": 0,
    });
    let begun = Instant::now();
    let process = client.start(WORKFLOW, "cleanup-bench", &input).await?;
    let ended = process.ended().await?;
    let whole = begun.elapsed().as_secs_f64();
    step.done();
    let Ended::Completed(result) = ended else {
        anyhow::bail!("the cleanup ended as {ended:?}");
    };
    ensure!(
        result["itemsDeleted"] == rows,
        "the cleanup came to {result}"
    );
    let seconds = steps::seconds(&process).await?;
    let cost = process.cost().await?;
    let deletion = seconds.get("deleteItems").map(|&deletion| plain / deletion);
    Ok(Report {
        rows,
        batch,
        plain_rows_per_second: round(f64::from(rows) / plain),
        cleanup_rows_per_second: round(f64::from(rows) / whole),
        ratio: round(plain / whole),
        deletion_ratio: deletion.map(round),
        seconds: seconds
            .into_iter()
            .map(|(name, seconds)| (name, round(seconds)))
            .collect(),
        events: cost.events,
        billable_actions: cost.actions,
        peak_rss_mb: Usage::of(running.worker.ready.pid)?.peak_rss_mb.map(round),
    })
}

async fn delete_plainly(shop: &Shop, rows: u32, batch: u32) -> anyhow::Result<()> {
    let (mut first, last) = shop.log_keys().await?.context("there are rows")?;
    let mut deleted = 0;
    while first <= last {
        let next = first + i64::from(batch);
        deleted += shop.delete_old_logs(first, next - 1).await?;
        first = next;
    }
    ensure!(
        deleted == u64::from(rows),
        "{deleted} of {rows} rows were deleted"
    );
    Ok(())
}

impl Report {
    /// The report for a person.
    pub(crate) fn text(&self) -> String {
        let optional =
            |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
        let header = [
            "ROWS",
            "BATCH",
            "PLAIN ROWS/S",
            "CLEANUP ROWS/S",
            "RATIO",
            "DELETION ALONE",
            "EVENTS",
            "PEAK RSS MB",
        ];
        let row = [
            self.rows.to_string(),
            self.batch.to_string(),
            self.plain_rows_per_second.to_string(),
            self.cleanup_rows_per_second.to_string(),
            self.ratio.to_string(),
            optional(self.deletion_ratio),
            self.events.to_string(),
            optional(self.peak_rss_mb),
        ];
        output::table(header, [row])
    }
}
