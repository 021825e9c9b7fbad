//! What the benchmark prints.

use serde::Serialize;

use super::load::{Measured, round};
use crate::cli::BenchArgs;
use crate::output;

/// A workflow's figures, the floor's, and how they compare.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    workflow: String,
    count: u32,
    concurrency: u32,
    result: Measured,
    floor: Measured,
    /// How many times the floor's median latency.
    p50_to_floor: f64,
    /// Which part of the floor's throughput.
    throughput_to_floor: f64,
}

impl Report {
    pub(crate) fn new(args: &BenchArgs, result: Measured, floor: Measured) -> Self {
        Self {
            workflow: args.workflow.clone(),
            count: args.count,
            concurrency: args.concurrency,
            p50_to_floor: round(result.p50_ms / floor.p50_ms),
            throughput_to_floor: round(result.throughput_per_second / floor.throughput_per_second),
            result,
            floor,
        }
    }

    /// The report for a person.
    pub(crate) fn text(&self) -> String {
        let header = [
            "",
            "PER SECOND",
            "P50 MS",
            "P90 MS",
            "P99 MS",
            "CPU MS",
            "PEAK RSS MB",
            "EVENTS",
            "ACTIONS",
        ];
        let optional =
            |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
        let row = |name: &str, measured: &Measured| {
            [
                name.to_owned(),
                measured.throughput_per_second.to_string(),
                measured.p50_ms.to_string(),
                measured.p90_ms.to_string(),
                measured.p99_ms.to_string(),
                optional(measured.worker_cpu_ms_per_workflow),
                optional(measured.worker_peak_rss_mb),
                measured.history_events.to_string(),
                measured.billable_actions.to_string(),
            ]
        };
        let table = output::table(
            header,
            [row(&self.workflow, &self.result), row("floor", &self.floor)],
        );
        format!(
            "{} workflows, {} at once\n{table}\np50 is {} x the floor's, throughput {} x",
            self.count, self.concurrency, self.p50_to_floor, self.throughput_to_floor
        )
    }
}
