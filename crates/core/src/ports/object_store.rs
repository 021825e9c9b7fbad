//! Object storage: files that are too large for the database and for a workflow's history.
//!
//! A file is named by its *reference*: the whole address under the configured store, such as
//! `s3://bucket/reports/2026-11-22.pdf`. Addresses outside the store are refused and never fetched.

use async_trait::async_trait;

use crate::error::{ErrorCode, Failure};

/// Reads files.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// The file's bytes, read as a stream that stops as soon as there are more than `limit`.
    async fn read(&self, reference: &str, limit: u64) -> Result<Vec<u8>, ObjectStoreError>;
}

/// Why a file cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObjectStoreError {
    /// The address is none of this store's.
    #[error("{reference:?} is not in the object storage {store}")]
    Foreign {
        /// What was asked for.
        reference: String,
        /// The store's own address.
        store: String,
    },
    /// There is no such file.
    #[error("{0:?} does not exist in the object storage")]
    NotFound(String),
    /// The file is larger than it may be.
    #[error("{reference:?} has more than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        reference: String,
        /// What was allowed.
        limit: u64,
    },
    /// The store refused the credentials.
    #[error("object storage refused the access: {0}")]
    Denied(String),
    /// The store could not be used now.
    #[error("object storage cannot be used: {0}")]
    Unavailable(String),
}

impl Failure for ObjectStoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Foreign { .. } | Self::NotFound(_) | Self::TooLarge { .. } => {
                ErrorCode::ValidationError
            }
            Self::Denied(_) | Self::Unavailable(_) => ErrorCode::ExternalServiceError,
        }
    }

    fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
