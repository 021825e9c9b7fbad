//! What can go wrong while a report is made, and whether trying again can help.

use std::time::Duration;

use partner_core::database::DatabaseError;
use partner_core::error::{ErrorCode, Failure};

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
            Self::Invalid(_) | Self::TooLarge { .. } => ErrorCode::ValidationError,
            Self::Rendering { .. } => ErrorCode::Unknown,
            Self::Statistics(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::TooLarge { .. } | Self::Rendering { .. } => false,
            Self::Statistics(error) => error.is_retryable(),
            Self::Database(error) => error.is_retryable(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Statistics(error) => error.retry_after(),
            _ => None,
        }
    }
}
