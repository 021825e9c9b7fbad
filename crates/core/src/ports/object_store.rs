//! Object storage: files that are too large for the database and for a workflow's history.
//!
//! A file is named by its *reference*: the whole address under the configured store, such as
//! `s3://bucket/reports/2026-11-22.pdf`. Addresses outside the store are refused and never fetched.
//!
//! A file is written once and never changes: whoever holds a reference holds the content. So a
//! retry can do no harm, and two runs that choose the same name find out.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use url::Url;

use crate::error::{ErrorCode, Failure};

/// A file's content, piece by piece. A failure of whoever makes it ends it.
pub type Content<'a> = BoxStream<'a, Result<Bytes, ObjectStoreError>>;

/// The longest name of a file in bytes: every store takes as much, also below a prefix.
pub const MAX_NAME_LENGTH: usize = 512;

/// The most bytes that a file may have: what S3 copies in one call.
pub const MAX_BYTES: u64 = 5 << 30;

/// Reads, writes and deletes files.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// The reference that a file of this name has, whether there is one or not.
    ///
    /// A name is a path of plain parts, such as `reports/2026-11-22.pdf`: letters, digits, `.`,
    /// `_`, `-`, `+`, `=` and `@` of ASCII, no part empty or beginning with a dot.
    fn reference(&self, name: &str) -> Result<String, ObjectStoreError>;

    /// The name of the file that a reference names: what [`ObjectStore::create`] would write it by.
    fn name(&self, reference: &str) -> Result<String, ObjectStoreError>;

    /// Writes a file, unless there is one of this name: then it is success if that has the same
    /// content, and [`ObjectStoreError::AlreadyExists`] if it has another.
    ///
    /// The content is never held whole, and nobody sees a part of it: the file is there once all of
    /// it is. What was uploaded before a failure is removed.
    async fn create(
        &self,
        name: &str,
        content: Content<'_>,
    ) -> Result<StoredObject, ObjectStoreError>;

    /// The file's content as a stream that can be read as slowly as one likes.
    async fn open(&self, reference: &str) -> Result<OpenObject, ObjectStoreError>;

    /// The file's bytes, read as a stream that stops as soon as there are more than `limit`.
    async fn read(&self, reference: &str, limit: u64) -> Result<Vec<u8>, ObjectStoreError>;

    /// Deletes a file. One that does not exist is deleted already.
    async fn delete(&self, reference: &str) -> Result<(), ObjectStoreError>;

    /// An address at which anyone can fetch the file until it expires, if the store gives such
    /// addresses. A folder does not: then a link must go through a service of our own.
    async fn link(
        &self,
        reference: &str,
        expires_in: Duration,
    ) -> Result<Option<Url>, ObjectStoreError>;
}

/// A file that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its address.
    pub reference: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// A file that is being read.
pub struct OpenObject {
    /// How many bytes it has.
    pub bytes: u64,
    /// Its content.
    pub content: Content<'static>,
}

/// A content that is in memory already.
pub fn content(bytes: impl Into<Bytes>) -> Content<'static> {
    stream::iter([Ok(bytes.into())]).boxed()
}

/// Why a file cannot be had, or not be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectStoreError {
    /// The address is none of this store's.
    #[error("{reference:?} is not in the object storage {store}")]
    Foreign {
        /// What was asked for.
        reference: String,
        /// The store's own address.
        store: String,
    },
    /// No file can have this name.
    #[error(
        "{0:?} is no name for a file: use letters, digits and . _ - + = @ in parts that do not \
         begin with a dot, with a slash between them"
    )]
    InvalidName(String),
    /// There is no such file.
    #[error("{0:?} does not exist in the object storage")]
    NotFound(String),
    /// There is a file of this name with another content.
    #[error("{0:?} exists in the object storage with another content")]
    AlreadyExists(String),
    /// The file is larger than it may be.
    #[error("{reference:?} has more than {limit} bytes")]
    TooLarge {
        /// Which file.
        reference: String,
        /// What is allowed.
        limit: u64,
    },
    /// The store refused the credentials.
    #[error("object storage refused the access: {0}")]
    Denied(String),
    /// The store refused the request, and will refuse it again.
    #[error("object storage refused the request: {0}")]
    Refused(String),
    /// The store could not be used now.
    #[error("object storage cannot be used: {0}")]
    Unavailable(String),
}

impl Failure for ObjectStoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Foreign { .. }
            | Self::InvalidName(_)
            | Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::TooLarge { .. } => ErrorCode::ValidationError,
            Self::Denied(_) | Self::Refused(_) | Self::Unavailable(_) => {
                ErrorCode::ExternalServiceError
            }
        }
    }

    fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Whether a file can have this name.
pub fn is_valid_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+=@".contains(c);
    name.len() <= MAX_NAME_LENGTH
        && name.split('/').all(|part| {
            !part.is_empty()
                && part.len() <= 200
                && !part.starts_with('.')
                && part.chars().all(is_plain)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_of_plain_parts() {
        for name in ["a", "reports/2026-11-22.pdf", "a/b/c_d+e=f@g", "-", "a..b"] {
            assert!(is_valid_name(name), "{name}");
        }
        let long = "a".repeat(201);
        let deep = "a/".repeat(300) + "a";
        for name in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            ".a",
            "a/.b",
            "a b",
            "a\\b",
            "ä",
            "a#1",
            "a%2e",
            "a?b",
            "a:b",
            "a\0",
            "a\nb",
            "~a",
            long.as_str(),
            deep.as_str(),
        ] {
            assert!(!is_valid_name(name), "{name:?}");
        }
    }
}
