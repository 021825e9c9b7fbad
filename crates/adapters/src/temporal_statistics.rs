//! What Temporal knows about its own work, from its visibility and its task queues.
//!
//! Counts are exact, as far as visibility has caught up, which takes it moments. How long workflows
//! took, and why they failed, is looked up for the latest of each type only: see
//! [`MOST_DURATIONS`] and [`MOST_FAILURES`].

mod questions;

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use partner_analytics::metrics::Latency;
use partner_analytics::model::Window;
use partner_analytics::ports::workflow_statistics::{
    QueueBacklog, WorkflowOutcomes, WorkflowStatistics, WorkflowStatisticsError,
};
use partner_core::config::TemporalConfig;
use partner_core::temporal;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use tokio::sync::OnceCell;

use self::questions::Questions;

/// Of how many workflows of a type that closed in a window the durations are looked at: the latest.
pub const MOST_DURATIONS: usize = 2_000;

/// Of how many workflows of a type that failed in a window the reasons are looked at: the latest.
pub const MOST_FAILURES: usize = 100;

/// How many questions are under way at once.
const AT_ONCE: usize = 4;

/// The statistics of one namespace.
pub struct TemporalStatistics {
    config: TemporalConfig,
    /// Connected when somebody asks: whoever makes no report needs no connection.
    client: OnceCell<Client>,
    workflow_types: Vec<String>,
}

impl TemporalStatistics {
    /// The statistics of the workflows of these types, and of the configured task queue.
    pub fn new(config: TemporalConfig, workflow_types: Vec<String>) -> Self {
        Self {
            config,
            client: OnceCell::new(),
            workflow_types,
        }
    }

    async fn questions(&self) -> Result<Questions<'_>, WorkflowStatisticsError> {
        let connected = self
            .client
            .get_or_try_init(|| temporal::connect(&self.config, "partner-statistics", None));
        let client = connected
            .await
            .map_err(|error| WorkflowStatisticsError::Unavailable(error.to_string()))?;
        Ok(Questions { client })
    }
}

#[async_trait]
impl WorkflowStatistics for TemporalStatistics {
    async fn outcomes(
        &self,
        window: Window,
    ) -> Result<Vec<WorkflowOutcomes>, WorkflowStatisticsError> {
        let questions = self.questions().await?;
        let outcomes: Vec<_> = self
            .workflow_types
            .iter()
            .map(|workflow_type| of_type(questions, workflow_type, window))
            .collect();
        let outcomes = stream::iter(outcomes).buffered(AT_ONCE);
        outcomes
            .try_filter(|outcome| std::future::ready(!is_idle(outcome)))
            .try_collect()
            .await
    }

    async fn backlogs(&self) -> Result<Vec<QueueBacklog>, WorkflowStatisticsError> {
        let questions = self.questions().await?;
        Ok(vec![questions.backlog(&self.config.task_queue).await?])
    }
}

async fn of_type(
    questions: Questions<'_>,
    workflow_type: &str,
    window: Window,
) -> Result<WorkflowOutcomes, WorkflowStatisticsError> {
    let started = questions.started(workflow_type, window).await?;
    let closed = questions.closed(workflow_type, window).await?;
    let count = |status: WorkflowExecutionStatus| {
        closed
            .get(status.as_str_name())
            .copied()
            .unwrap_or_default()
    };
    let failed = count(WorkflowExecutionStatus::Failed);
    let latency = if closed.is_empty() {
        None
    } else {
        latency(questions.durations(workflow_type, window).await?)
    };
    let failures = if failed == 0 {
        BTreeMap::new()
    } else {
        failures(questions, workflow_type, window).await?
    };
    Ok(WorkflowOutcomes {
        workflow_type: workflow_type.to_owned(),
        started,
        completed: count(WorkflowExecutionStatus::Completed),
        failed,
        cancelled: count(WorkflowExecutionStatus::Canceled),
        timed_out: count(WorkflowExecutionStatus::TimedOut),
        terminated: count(WorkflowExecutionStatus::Terminated),
        latency,
        failures: failures.into_iter().collect(),
    })
}

async fn failures(
    questions: Questions<'_>,
    workflow_type: &str,
    window: Window,
) -> Result<BTreeMap<String, u64>, WorkflowStatisticsError> {
    let failed = questions.failed(workflow_type, window).await?;
    let reasons: Vec<_> = failed
        .into_iter()
        .map(|execution| questions.failure_type(execution))
        .collect();
    let mut reasons = stream::iter(reasons).buffer_unordered(AT_ONCE);
    let mut counts = BTreeMap::new();
    while let Some(reason) = reasons.try_next().await? {
        *counts.entry(reason).or_default() += 1;
    }
    Ok(counts)
}

fn is_idle(outcomes: &WorkflowOutcomes) -> bool {
    let WorkflowOutcomes {
        started,
        completed,
        failed,
        cancelled,
        timed_out,
        terminated,
        ..
    } = outcomes;
    started + completed + failed + cancelled + timed_out + terminated == 0
}

/// The median and the ninth decile: the least duration that half, or nine tenths, do not exceed.
fn latency(mut millis: Vec<u64>) -> Option<Latency> {
    millis.sort_unstable();
    let at_most = |tenths: usize| {
        let rank = (millis.len() * tenths).div_ceil(10).max(1);
        millis.get(rank - 1).copied()
    };
    Some(Latency {
        p50_millis: at_most(5)?,
        p90_millis: at_most(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_take_the_median_at_most_and_nine_of_ten_the_ninth_decile() {
        let of = |millis: &[u64]| {
            latency(millis.to_vec()).map(|latency| (latency.p50_millis, latency.p90_millis))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7)));
        assert_eq!(of(&[9, 1]), Some((1, 9)));
        assert_eq!(of(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), Some((5, 9)));
    }
}
