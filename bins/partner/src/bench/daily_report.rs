//! What a report of many orders costs.

use std::collections::BTreeMap;

use anyhow::bail;
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

const WORKFLOW: &str = "dailyReportWorkflow";

/// A report of the sales.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// All of them in the report's period and the one before.
    orders: u32,
    /// How long the activities took: `generateReport` renders the PDF.
    seconds: BTreeMap<String, f64>,
    events: usize,
    billable_actions: usize,
    /// The most that the worker ever held; absent where the system does not tell.
    peak_rss_mb: Option<f64>,
}

/// Places so many orders, and lets a report of them be made and sent to three readers.
pub(crate) async fn measure(
    running: &Running,
    orders: u32,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let client = running.client().await?;
    let shop = Shop::connect(&running.platform.database_url).await?;
    let step = progress.step(format!("placing {orders} orders"));
    shop.add_many_paid_orders(orders.into()).await?;
    step.done();
    let step = progress.step("reporting the sales");
    let readers = ["ana@example.com", "ben@example.com", "eve@example.com"];
    let input = json!({ "reportType": "sales", "recipients": readers });
    let process = client.start(WORKFLOW, "daily-report-bench", &input).await?;
    let ended = process.ended().await?;
    step.done();
    if !matches!(ended, Ended::Completed(_)) {
        bail!("the report ended as {ended:?}");
    }
    let cost = process.cost().await?;
    let seconds = steps::seconds(&process).await?.into_iter();
    Ok(Report {
        orders,
        seconds: seconds
            .map(|(name, seconds)| (name, round(seconds)))
            .collect(),
        events: cost.events,
        billable_actions: cost.actions,
        peak_rss_mb: Usage::of(running.worker.ready.pid)?.peak_rss_mb.map(round),
    })
}

impl Report {
    /// The report for a person.
    pub(crate) fn text(&self) -> String {
        let of = |name: &str| {
            let seconds = self.seconds.get(name);
            seconds.map_or_else(|| "?".to_owned(), ToString::to_string)
        };
        let rss = self.peak_rss_mb;
        let header = [
            "ORDERS",
            "GATHER S",
            "PDF S",
            "STORE S",
            "EVENTS",
            "PEAK RSS MB",
        ];
        let row = [
            self.orders.to_string(),
            of("gatherAnalytics"),
            of("generateReport"),
            of("storeReport"),
            self.events.to_string(),
            rss.map_or_else(|| "?".to_owned(), |rss| rss.to_string()),
        ];
        output::table(header, [row])
    }
}
