//! What the queries `getStatus` and `getProgress` answer, the same on every workflow.

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;
use crate::problem::Problem;

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
        let percent = u64::from(completed) * 100;
        let percent = percent.checked_div(total.into()).unwrap_or(100);
        Self {
            completed,
            total,
            percent: u32::try_from(percent).unwrap_or(u32::MAX),
            message: message.into(),
        }
    }
}

/// The steps that a workflow goes through, in its own words.
pub trait Step: Copy {
    /// How many there are on the way to the end.
    const TOTAL: u32;

    /// The name in `getStatus`.
    fn name(self) -> &'static str;

    /// How many lie behind.
    fn completed(self) -> u32;
}

/// Where a workflow is: what its queries answer from.
#[derive(Debug, Clone)]
pub struct Course<S> {
    status: ProcessStatus,
    step: S,
    error: Option<String>,
}

impl<S: Step> Course<S> {
    /// A workflow that has not begun; `first` is what it begins with.
    pub const fn new(first: S) -> Self {
        Self {
            status: ProcessStatus::Pending,
            step: first,
            error: None,
        }
    }

    /// The step that it is at.
    pub const fn step(&self) -> S {
        self.step
    }

    /// It is at this step now.
    pub fn enter(&mut self, step: S) {
        self.status = ProcessStatus::InProgress;
        self.step = step;
    }

    /// It ended well; `last` is the step after all others.
    pub fn complete(&mut self, last: S) {
        self.status = ProcessStatus::Completed;
        self.step = last;
    }

    /// It ended at the step where it is, because of this.
    pub fn fail(&mut self, problem: &Problem) {
        self.status = match problem.code {
            ErrorCode::Cancelled => ProcessStatus::Cancelled,
            ErrorCode::Timeout => ProcessStatus::TimedOut,
            _ => ProcessStatus::Failed,
        };
        self.error = Some(problem.to_string());
    }

    /// The answer of `getStatus`.
    pub fn status(&self) -> StatusAnswer {
        StatusAnswer {
            status: self.status,
            step: self.step.name().to_owned(),
            error: self.error.clone(),
        }
    }

    /// The answer of `getProgress`.
    pub fn progress(&self) -> ProgressAnswer {
        ProgressAnswer::new(self.step.completed(), S::TOTAL, self.step.name())
    }
}
