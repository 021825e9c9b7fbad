//! Runs many workflows, so many at once, and takes their times.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use partner_core::client::{Ended, ProcessClient};
use partner_core::cost::Cost;
use serde::Serialize;
use serde_json::Value;

use super::process::Usage;

/// What to run.
pub(crate) struct Load<'a> {
    pub(crate) client: &'a ProcessClient,
    pub(crate) workflow: &'a str,
    pub(crate) input: fn(u32) -> Value,
}

/// The times of a run.
pub(crate) struct Timed {
    latencies: Vec<Duration>,
    total: Duration,
}

/// What was measured of one workflow type.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    pub(crate) throughput_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    /// The worker's CPU time; absent where the system does not tell.
    pub(crate) worker_cpu_ms_per_workflow: Option<f64>,
    /// The most memory that the worker ever held so far.
    pub(crate) worker_peak_rss_mb: Option<f64>,
    pub(crate) history_events: usize,
    pub(crate) billable_actions: usize,
}

impl Load<'_> {
    /// Runs the workflows of these numbers.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) async fn run(&self, numbers: Range<u32>, concurrency: u32) -> anyhow::Result<Timed> {
        let begun = Instant::now();
        let latencies = stream::iter(numbers)
            .map(|number| self.one(number))
            .buffer_unordered(concurrency as usize)
            .try_collect()
            .await?;
        Ok(Timed {
            latencies,
            total: begun.elapsed(),
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    async fn one(&self, number: u32) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let id = self.id(number);
        let ended = self
            .client
            .start(self.workflow, &id, &(self.input)(number))
            .await?
            .ended()
            .await?;
        anyhow::ensure!(
            matches!(ended, Ended::Completed(_)),
            "{id} ended as {ended:?}"
        );
        Ok(begun.elapsed())
    }

    /// The highest cost among the workflows of these numbers.
    pub(crate) async fn cost(&self, numbers: Range<u32>) -> anyhow::Result<Cost> {
        let mut highest = Cost::default();
        for number in numbers {
            let cost = self.client.process(&self.id(number)).cost().await?;
            highest.events = highest.events.max(cost.events);
            highest.actions = highest.actions.max(cost.actions);
        }
        Ok(highest)
    }

    fn id(&self, number: u32) -> String {
        format!("{}-{number}", self.workflow)
    }
}

impl Measured {
    /// Reckons the figures of a run.
    pub(crate) fn new(timed: Timed, before: Usage, after: Usage, cost: Cost) -> Self {
        let Timed {
            mut latencies,
            total,
        } = timed;
        latencies.sort_unstable();
        let count = latencies.len();
        let percentile = |percent: usize| {
            let index = (count * percent).div_ceil(100).saturating_sub(1);
            latencies
                .get(index)
                .map_or(f64::NAN, |latency| milliseconds(*latency))
        };
        #[expect(clippy::cast_precision_loss, reason = "counts of workflows are small")]
        let count = count as f64;
        let cpu = before
            .cpu
            .zip(after.cpu)
            .map(|(before, after)| after.saturating_sub(before));
        Self {
            throughput_per_second: round(count / total.as_secs_f64()),
            p50_ms: percentile(50),
            p90_ms: percentile(90),
            p99_ms: percentile(99),
            worker_cpu_ms_per_workflow: cpu.map(|cpu| round(milliseconds(cpu) / count)),
            worker_peak_rss_mb: after.peak_rss_mb.map(round),
            history_events: cost.events,
            billable_actions: cost.actions,
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1_000.0)
}

/// Two decimals are more than a measurement of this kind is good for.
pub(crate) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
