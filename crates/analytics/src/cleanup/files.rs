//! The contents of temporary files: copied into the backup, deleted after their rows, put back.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use partner_core::error::chain;
use partner_core::ports::object_store::{ObjectStore, ObjectStoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Cleanup;
use super::manifest::{Folder, corrupt};
use super::segment::sha256_hex;
use crate::error::AnalyticsError;
use crate::repository::cleanup::StoredRow;

/// How many files are deleted at once.
const AT_ONCE: usize = 8;

/// How many deletions are taken on at a time.
const CLAIM: i64 = 100;

/// The copy of a file's content in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileCopy {
    /// Its name in the backup.
    pub(super) name: String,
    /// How many bytes it has.
    pub(super) bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub(super) sha256: String,
}

/// What became of the copying.
pub(super) enum Copied {
    /// Here it is.
    File(FileCopy),
    /// There is no such file any more: the row is all that there is to back up.
    Missing,
    /// It cannot be copied, or could not be put back: the row stays.
    Impossible(ObjectStoreError),
}

/// The part of a row that says where its file is.
#[derive(Debug, Deserialize)]
struct OfFile {
    object_reference: String,
}

/// Where the file of a row of `temp_files` is.
pub(super) fn reference_of(row: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<OfFile>(row).map(|row| row.object_reference)
}

/// The names of the copies that will be made of the files of these rows.
pub(super) fn copy_names(rows: &[StoredRow]) -> Vec<String> {
    let names = rows.iter().filter_map(|row| {
        let reference = reference_of(&row.text).ok()?;
        Some(copy_name(row.id, &reference))
    });
    names.collect()
}

/// The row may be given another file before the next attempt: each has a name of its own.
fn copy_name(row_id: i64, reference: &str) -> String {
    let hash = sha256_hex(reference.as_bytes());
    format!("files/{row_id}-{}", &hash[..16])
}

/// Copies the file of a row into the backup.
pub(super) async fn copy(
    objects: &dyn ObjectStore,
    folder: &Folder,
    row: &StoredRow,
) -> Result<Copied, AnalyticsError> {
    let reference = reference_of(&row.text)
        .map_err(|error| AnalyticsError::Invalid(format!("temp_files {}: {error}", row.id)))?;
    // A restore gives the file this name again.
    if let Err(error) = objects.name(&reference) {
        return Ok(Copied::Impossible(error));
    }
    let file = match objects.open(&reference).await {
        Ok(file) => file,
        Err(ObjectStoreError::NotFound(_)) => return Ok(Copied::Missing),
        Err(error) => return Err(error.into()),
    };
    let name = copy_name(row.id, &reference);
    match objects.create(&folder.file(&name), file.content).await {
        Ok(stored) => Ok(Copied::File(FileCopy {
            name,
            bytes: stored.bytes,
            sha256: stored.sha256,
        })),
        // It went while it was copied.
        Err(ObjectStoreError::NotFound(_)) => Ok(Copied::Missing),
        Err(error @ (ObjectStoreError::TooLarge { .. } | ObjectStoreError::AlreadyExists(_))) => {
            Ok(Copied::Impossible(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads a copy back, and checks it.
pub(super) async fn verify(
    objects: &dyn ObjectStore,
    folder: &Folder,
    copy: &FileCopy,
) -> Result<(), AnalyticsError> {
    let reference = objects.reference(&folder.file(&copy.name))?;
    let mut file = match objects.open(&reference).await {
        Err(error @ ObjectStoreError::NotFound(_)) => return Err(corrupt(&reference, error)),
        opened => opened?,
    };
    let mut sha256 = Sha256::new();
    while let Some(piece) = file.content.try_next().await? {
        sha256.update(&piece);
    }
    if hex::encode(sha256.finalize()) == copy.sha256 {
        Ok(())
    } else {
        Err(corrupt(&reference, "its checksum is another"))
    }
}

/// Puts a file back to where it was. One that is there already must be the same.
pub(super) async fn put_back(
    objects: &dyn ObjectStore,
    folder: &Folder,
    copy: &FileCopy,
    reference: &str,
) -> Result<(), AnalyticsError> {
    let source = objects.reference(&folder.file(&copy.name))?;
    let file = objects.open(&source).await?;
    let name = objects.name(reference)?;
    let stored = objects.create(&name, file.content).await?;
    if stored.sha256 == copy.sha256 {
        return Ok(());
    }
    // It was checked before, and yet: a wrong file is worse than none.
    objects.delete(reference).await?;
    Err(corrupt(&source, "its checksum is another"))
}

impl Cleanup {
    /// Deletes the files whose rows were deleted, of this run and of all others that left some.
    ///
    /// # Errors
    /// The first that there was; the files concerned stay on record, and the next call tries again.
    pub(super) async fn delete_files(&self) -> Result<(), AnalyticsError> {
        let objects = self.objects()?;
        self.repository.forget_used_files().await?;
        let mut after = String::new();
        let mut failed = None;
        loop {
            let claimed = self.repository.claim_files(&after, CLAIM).await?;
            let Some(last) = claimed.last().cloned() else {
                return failed.map_or(Ok(()), Err);
            };
            let mut deletions = stream::iter(claimed)
                .map(|reference| self.delete_file(objects, reference))
                .buffer_unordered(AT_ONCE);
            while let Some(deleted) = deletions.next().await {
                if let Err(error) = deleted {
                    failed.get_or_insert(error);
                }
            }
            drop(deletions);
            after = last;
        }
    }

    async fn delete_file(
        &self,
        objects: &dyn ObjectStore,
        reference: String,
    ) -> Result<(), AnalyticsError> {
        match objects.delete(&reference).await {
            Ok(()) => self.repository.forget_file(&reference).await,
            Err(error) => {
                tracing::warn!(
                    object.reference = reference,
                    error = %chain(&error),
                    "a temporary file could not be deleted, it will be tried again"
                );
                self.repository
                    .record_file_failure(&reference, &error.to_string())
                    .await?;
                Err(error.into())
            }
        }
    }
}
