//! What stopped a workflow: a code and words, taken from whatever an activity failed with.

use std::fmt;

use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_sdk::{ActivityExecutionError, ApplicationFailure};

use crate::error::{self, ErrorCode, workflow_failure};
use crate::saga::UndoFailure;

/// Why a workflow does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The contract's code: the failure `type` that callers match on.
    pub code: ErrorCode,
    /// What happened, for a person.
    pub message: String,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The failure that ends the workflow.
    pub fn into_workflow_failure(self) -> ApplicationFailure {
        workflow_failure(self.code, self.message)
    }

    /// The same problem, saying also what could not be undone.
    #[must_use]
    pub fn with_undo_failures(mut self, failures: &[UndoFailure]) -> Self {
        self.message.extend(
            failures
                .iter()
                .map(|UndoFailure { name, reason }| format!("; undo step {name} failed: {reason}")),
        );
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<F: error::Failure> From<F> for Problem {
    fn from(failure: F) -> Self {
        Self::new(failure.code(), error::chain(&failure))
    }
}

impl From<ActivityExecutionError> for Problem {
    fn from(error: ActivityExecutionError) -> Self {
        let root = error.failure().map(root_cause);
        match root.and_then(|failure| failure.failure_info.as_ref().map(|info| (failure, info))) {
            Some((failure, FailureInfo::ApplicationFailureInfo(info))) => {
                Self::new(ErrorCode::from_wire(&info.r#type), failure.message.clone())
            }
            Some((_, FailureInfo::TimeoutFailureInfo(_))) => {
                Self::new(ErrorCode::Timeout, "a step took too long")
            }
            Some((_, FailureInfo::CanceledFailureInfo(_))) => {
                Self::new(ErrorCode::Cancelled, "a step was cancelled")
            }
            _ => Self::new(ErrorCode::Unknown, error.to_string()),
        }
    }
}

/// What the activity itself failed with: a remote one comes wrapped, a local one as it is.
fn root_cause(failure: &Failure) -> &Failure {
    match (&failure.failure_info, &failure.cause) {
        (Some(FailureInfo::ActivityFailureInfo(_)), Some(cause)) => cause,
        _ => failure,
    }
}
