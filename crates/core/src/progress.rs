//! What the queries `getStatus` and `getProgress` answer, the same on every workflow.

use serde::{Deserialize, Serialize};

/// How a process stands, as the contract spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Under way.
    InProgress,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended because someone asked for it.
    Cancelled,
    /// Ended because time ran out.
    TimedOut,
}

/// The answer of `getStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// How the process stands.
    pub status: ProcessStatus,
    /// The step that it is at.
    pub step: String,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The answer of `getProgress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressAnswer {
    /// Steps that are done.
    pub completed: u32,
    /// Steps in all.
    pub total: u32,
    /// The same in per cent, rounded down.
    pub percent: u32,
    /// What is being done, for a person.
    pub message: String,
}

impl ProgressAnswer {
    /// So many of so many steps.
    pub fn new(completed: u32, total: u32, message: impl Into<String>) -> Self {
        Self {
            completed,
            total,
            percent: (completed * 100).checked_div(total).unwrap_or(100),
            message: message.into(),
        }
    }
}
