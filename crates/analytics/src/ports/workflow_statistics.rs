//! What the workflow engine knows about its own work: outcomes, latencies, queues.

use async_trait::async_trait;
use partner_core::error::{ErrorCode, Failure};

use crate::metrics::Latency;
use crate::model::Window;

/// Counts workflows and looks at task queues.
#[async_trait]
pub trait WorkflowStatistics: Send + Sync {
    /// What became of workflows in a window, one entry a type, in no particular order.
    ///
    /// A start counts by the time of the start, an end by the time of the end.
    async fn outcomes(
        &self,
        window: Window,
    ) -> Result<Vec<WorkflowOutcomes>, WorkflowStatisticsError>;

    /// How much waits now, one entry a task queue, in no particular order.
    async fn backlogs(&self) -> Result<Vec<QueueBacklog>, WorkflowStatisticsError>;
}

/// What became of the workflows of one type in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowOutcomes {
    /// The type's name on the wire.
    pub workflow_type: String,
    /// How many were started.
    pub started: u64,
    /// How many completed.
    pub completed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many closed because somebody asked for it.
    pub cancelled: u64,
    /// How many took longer than they may.
    pub timed_out: u64,
    /// How many were ended by force.
    pub terminated: u64,
    /// From start to end, of those that closed; none if none did.
    pub latency: Option<Latency>,
    /// Why they failed: the failures' types with counts.
    pub failures: Vec<(String, u64)>,
}

/// How much waits in a task queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueBacklog {
    /// The queue's name.
    pub task_queue: String,
    /// Tasks that no worker has taken yet, of workflows and activities together.
    pub tasks: u64,
    /// How long the oldest of them has waited, in milliseconds; none if there is none.
    pub oldest_millis: Option<u64>,
}

/// Why the engine's statistics cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorkflowStatisticsError {
    /// The engine refused the question for good: its version or its settings do not allow it.
    #[error("the workflow engine refused: {0}")]
    Refused(String),
    /// The engine could not be asked now.
    #[error("the workflow engine cannot be asked: {0}")]
    Unavailable(String),
}

impl Failure for WorkflowStatisticsError {
    fn code(&self) -> ErrorCode {
        ErrorCode::ExternalServiceError
    }

    fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
