//! The figures of a performance report, and how they are put together from the engine's statistics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Compared, Latency};
use crate::error::AnalyticsError;
use crate::model::Period;
use crate::ports::workflow_statistics::{QueueBacklog, WorkflowOutcomes, WorkflowStatistics};

/// What became of the workflows, and how long they took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerformanceMetrics {
    /// By type, in alphabetical order.
    pub workflows: Vec<WorkflowMetrics>,
    /// Why workflows failed, the most frequent first.
    pub failures: Vec<FailureCount>,
    /// What waits in the task queues at the moment of the report, in alphabetical order.
    pub queues: Vec<QueueMetrics>,
}

/// What became of the workflows of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowMetrics {
    /// The type's name on the wire.
    pub workflow_type: String,
    /// How many were started.
    pub started: Compared<u64>,
    /// How many completed.
    pub completed: Compared<u64>,
    /// How many failed.
    pub failed: Compared<u64>,
    /// How many closed because somebody asked for it.
    pub cancelled: Compared<u64>,
    /// How many took longer than they may.
    pub timed_out: Compared<u64>,
    /// How many were ended by force.
    pub terminated: Compared<u64>,
    /// From start to end, of those that closed; none if none did.
    pub latency: Compared<Option<Latency>>,
}

/// How often workflows of one type failed in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureCount {
    /// The workflow's type.
    pub workflow_type: String,
    /// The failure's type: the contract's code where the failure is ours.
    pub failure_type: String,
    /// How often.
    pub count: Compared<u64>,
}

/// What waits in a task queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueMetrics {
    /// The queue's name.
    pub task_queue: String,
    /// Tasks that no worker has taken yet.
    pub tasks: u64,
    /// How long the oldest of them has waited, in milliseconds; none if there is none.
    pub oldest_millis: Option<u64>,
}

impl PerformanceMetrics {
    /// Asks the engine for the figures of a period and of the one before.
    ///
    /// # Errors
    /// [`AnalyticsError::Statistics`] if the engine does not answer.
    pub async fn gather(
        statistics: &dyn WorkflowStatistics,
        period: &Period,
    ) -> Result<Self, AnalyticsError> {
        let outcomes = Compared {
            current: statistics.outcomes(period.window()).await?,
            previous: statistics.outcomes(period.window_before()).await?,
        };
        Ok(Self::compare(&outcomes, statistics.backlogs().await?))
    }

    /// Puts two periods side by side: what is in one of them only has zeros in the other.
    pub fn compare(
        outcomes: &Compared<Vec<WorkflowOutcomes>>,
        backlogs: Vec<QueueBacklog>,
    ) -> Self {
        let current = by_type(&outcomes.current);
        let previous = by_type(&outcomes.previous);
        let mut types: Vec<_> = current.keys().chain(previous.keys()).copied().collect();
        types.sort_unstable();
        types.dedup();
        let sides = types.into_iter().map(|name| {
            let sides = Compared::new(current.get(name).copied(), previous.get(name).copied());
            (name, sides)
        });
        let (workflows, failures): (Vec<_>, Vec<_>) = sides
            .map(|(name, sides)| (workflow(name, sides), failures(name, sides)))
            .unzip();
        let mut failures: Vec<_> = failures.into_iter().flatten().collect();
        // The sort is stable: what is equally frequent stays in alphabetical order.
        failures.sort_by_key(|failure| {
            std::cmp::Reverse((failure.count.current, failure.count.previous))
        });
        Self {
            workflows,
            failures,
            queues: queues(backlogs),
        }
    }
}

type Side<'a> = Compared<Option<&'a WorkflowOutcomes>>;

fn by_type(outcomes: &[WorkflowOutcomes]) -> BTreeMap<&str, &WorkflowOutcomes> {
    outcomes
        .iter()
        .map(|outcome| (outcome.workflow_type.as_str(), outcome))
        .collect()
}

fn workflow(name: &str, sides: Side<'_>) -> WorkflowMetrics {
    let count = |count: fn(&WorkflowOutcomes) -> u64| sides.map(|side| side.map_or(0, count));
    WorkflowMetrics {
        workflow_type: name.to_owned(),
        started: count(|side| side.started),
        completed: count(|side| side.completed),
        failed: count(|side| side.failed),
        cancelled: count(|side| side.cancelled),
        timed_out: count(|side| side.timed_out),
        terminated: count(|side| side.terminated),
        latency: sides.map(|side| side.and_then(|side| side.latency)),
    }
}

fn failures(name: &str, sides: Side<'_>) -> Vec<FailureCount> {
    let mut counts = BTreeMap::<&str, Compared<u64>>::new();
    for (failure_type, count) in sides.current.into_iter().flat_map(|side| &side.failures) {
        counts.entry(failure_type).or_default().current += count;
    }
    for (failure_type, count) in sides.previous.into_iter().flat_map(|side| &side.failures) {
        counts.entry(failure_type).or_default().previous += count;
    }
    counts
        .into_iter()
        .map(|(failure_type, count)| FailureCount {
            workflow_type: name.to_owned(),
            failure_type: failure_type.to_owned(),
            count,
        })
        .collect()
}

fn queues(backlogs: Vec<QueueBacklog>) -> Vec<QueueMetrics> {
    let mut queues: Vec<_> = backlogs
        .into_iter()
        .map(|backlog| QueueMetrics {
            task_queue: backlog.task_queue,
            tasks: backlog.tasks,
            oldest_millis: backlog.oldest_millis,
        })
        .collect();
    queues.sort_by(|a, b| a.task_queue.cmp(&b.task_queue));
    queues
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(name: &str, completed: u64, failures: &[(&str, u64)]) -> WorkflowOutcomes {
        WorkflowOutcomes {
            workflow_type: name.to_owned(),
            started: completed,
            completed,
            failed: failures.iter().map(|(_, count)| count).sum(),
            cancelled: 0,
            timed_out: 0,
            terminated: 0,
            latency: Some(Latency {
                p50_millis: 10,
                p90_millis: 20,
            }),
            failures: failures
                .iter()
                .map(|&(name, count)| (name.to_owned(), count))
                .collect(),
        }
    }

    #[test]
    fn what_is_in_one_period_only_is_zero_in_the_other() {
        let sides = Compared {
            current: vec![outcomes("b", 3, &[("TIMEOUT", 1)]), outcomes("a", 1, &[])],
            previous: vec![
                outcomes("c", 7, &[]),
                outcomes("b", 4, &[("TIMEOUT", 2), ("X", 9)]),
            ],
        };
        let metrics = PerformanceMetrics::compare(&sides, Vec::new());
        let completed: Vec<_> = metrics
            .workflows
            .iter()
            .map(|workflow| (workflow.workflow_type.as_str(), workflow.completed))
            .collect();
        assert_eq!(
            completed,
            [
                ("a", Compared::new(1, 0)),
                ("b", Compared::new(3, 4)),
                ("c", Compared::new(0, 7))
            ]
        );
        assert_eq!(metrics.workflows[2].latency.current, None);
        let failures: Vec<_> = metrics
            .failures
            .iter()
            .map(|failure| (failure.failure_type.as_str(), failure.count))
            .collect();
        assert_eq!(
            failures,
            [("TIMEOUT", Compared::new(1, 2)), ("X", Compared::new(0, 9))]
        );
    }
}
