//! What can go wrong in the analytics domain, and whether trying again can help.

use std::time::Duration;

use partner_core::database::DatabaseError;
use partner_core::error::{ErrorCode, Failure};
use partner_core::ports::object_store::ObjectStoreError;

use crate::model::ReportFormat;
use crate::ports::workflow_statistics::WorkflowStatisticsError;

/// An error of the analytics domain.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// The input breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// The rendered report has more bytes than it may.
    #[error("the report as {format} has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// As what it was rendered.
        format: ReportFormat,
        /// How many bytes it has.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// The library that writes the format refused; always a defect of ours.
    #[error("cannot render the report as {format}: {reason}")]
    Rendering {
        /// As what it was to be rendered.
        format: ReportFormat,
        /// The library's words.
        reason: String,
    },
    /// The engine's statistics could not be had.
    #[error(transparent)]
    Statistics(#[from] WorkflowStatisticsError),
    /// There is nowhere to keep files.
    #[error("there is no object storage, set storage.url")]
    NoStorage,
    /// A backup is not what was stored. Nothing is deleted by it, and nothing restored.
    #[error("the backup {reference:?} cannot be relied upon: {reason}")]
    Corrupt {
        /// The file.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another attempt at the same operation did it at the same moment.
    #[error("the cleanup was changed at the same moment by another attempt")]
    ConcurrentChange,
    /// Work on a thread of its own did not come to its end.
    #[error("the work was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    /// A file that shall be put back may just be being deleted.
    #[error("{0:?} is being deleted, it can be restored some minutes later")]
    FileBusy(String),
    /// Object storage's error.
    #[error(transparent)]
    Objects(#[from] ObjectStoreError),
    /// PostgreSQL's error.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for AnalyticsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for AnalyticsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) | Self::TooLarge { .. } | Self::NoStorage => {
                ErrorCode::ValidationError
            }
            Self::Rendering { .. } | Self::Interrupted(_) => ErrorCode::Unknown,
            Self::Statistics(error) => error.code(),
            Self::Corrupt { .. } | Self::FileBusy(_) => ErrorCode::ExternalServiceError,
            Self::ConcurrentChange => ErrorCode::DatabaseError,
            Self::Objects(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::TooLarge { .. }
            | Self::Rendering { .. }
            | Self::NoStorage
            | Self::Corrupt { .. } => false,
            Self::ConcurrentChange | Self::Interrupted(_) | Self::FileBusy(_) => true,
            Self::Statistics(error) => error.is_retryable(),
            Self::Objects(error) => error.is_retryable(),
            Self::Database(error) => error.is_retryable(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Statistics(error) => error.retry_after(),
            Self::Objects(error) => error.retry_after(),
            _ => None,
        }
    }
}
