//! What a backup consists of.

use chrono::{DateTime, Utc};
use partner_core::ports::object_store::{ObjectStore, ObjectStoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::CleanupType;
use super::files;
use super::segment::{SegmentReader, sha256_hex};
use crate::error::AnalyticsError;
use crate::repository::cleanup::Run;

/// What reads a backup must know how to.
const FORMAT: &str = "partner-cleanup-backup/1";

/// That of some hundred thousand segments.
const MOST_BYTES: u64 = 64 << 20;

/// What a backup consists of. Files are named relative to the manifest, so that a backup can be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of all this.
    pub format: String,
    /// The run that made it.
    pub run_id: String,
    /// What was backed up.
    pub cleanup_type: CleanupType,
    /// The table whose rows these are.
    pub table: String,
    /// Rows from before this moment.
    pub cutoff: DateTime<Utc>,
    /// How many.
    pub rows: u64,
    /// The key of the first one, in the order of the age.
    pub first_key: Option<i64>,
    /// The key of the last one.
    pub last_key: Option<i64>,
    /// The segments, in the order of the rows.
    pub segments: Vec<SegmentEntry>,
}

/// One segment of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentEntry {
    /// The file's name.
    pub name: String,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The key of the first one.
    pub first_key: i64,
    /// The key of the last one.
    pub last_key: i64,
}

/// The folder of a backup, within the object storage.
#[derive(Debug, Clone)]
pub(super) struct Folder(String);

impl Folder {
    /// The folder of a run.
    pub(super) fn of(run: &Run) -> Self {
        let hash = sha256_hex(run.id.as_bytes());
        // People look for a day; the hash tells runs of a day apart, whatever their ids are.
        let day = run.begun.date_naive();
        Self(format!(
            "backups/{}/{day}-{}",
            run.cleanup_type,
            &hash[..16]
        ))
    }

    /// The name of a file in it.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

/// A backup whose manifest was read and is what was stored.
pub(super) struct StoredBackup<'a> {
    objects: &'a dyn ObjectStore,
    folder: Folder,
    pub(super) reference: &'a str,
    pub(super) manifest: Manifest,
}

impl Manifest {
    pub(super) fn new(run: &Run, segments: Vec<SegmentEntry>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            run_id: run.id.clone(),
            cleanup_type: run.cleanup_type,
            table: run.cleanup_type.table().to_owned(),
            cutoff: run.cutoff,
            rows: segments.iter().map(|segment| segment.rows).sum(),
            first_key: segments.first().map(|segment| segment.first_key),
            last_key: segments.last().map(|segment| segment.last_key),
            segments,
        }
    }

    /// The manifest as a file: its name, and its content.
    pub(super) fn file(&self) -> Result<(String, Vec<u8>), AnalyticsError> {
        let json = serde_json::to_vec_pretty(self).map_err(|error| {
            AnalyticsError::Invalid(format!("the manifest cannot be written: {error}"))
        })?;
        Ok((format!("manifest-{}.json", sha256_hex(&json)), json))
    }
}

impl<'a> StoredBackup<'a> {
    /// Reads a backup's manifest, and checks that it is the one that its name says.
    pub(super) async fn open(
        objects: &'a dyn ObjectStore,
        reference: &'a str,
    ) -> Result<Self, AnalyticsError> {
        let name = objects.name(reference)?;
        let named = name.rsplit_once("/manifest-").and_then(|(folder, file)| {
            let sha256 = file.strip_suffix(".json")?;
            Some((folder.to_owned(), sha256.to_owned()))
        });
        let Some((folder, sha256)) = named else {
            return Err(AnalyticsError::Invalid(format!(
                "{reference:?} is no backup, expected .../manifest-<hash>.json"
            )));
        };
        let json = read(objects, reference, MOST_BYTES).await?;
        if sha256_hex(&json) != sha256 {
            return Err(corrupt(reference, "its checksum is another"));
        }
        let manifest: Manifest =
            serde_json::from_slice(&json).map_err(|error| corrupt(reference, error))?;
        if manifest.format != FORMAT {
            let what = format!("its format is {:?}, expected {FORMAT:?}", manifest.format);
            return Err(corrupt(reference, what));
        }
        Ok(Self {
            objects,
            folder: Folder(folder),
            reference,
            manifest,
        })
    }

    /// A segment's content, which is what was stored.
    pub(super) async fn segment(&self, segment: &SegmentEntry) -> Result<Vec<u8>, AnalyticsError> {
        read_segment(self.objects, &self.folder, segment).await
    }

    /// Checks that a segment, and the files of its rows, are what was stored.
    pub(super) async fn verify(&self, segment: &SegmentEntry) -> Result<(), AnalyticsError> {
        let content = self.segment(segment).await?;
        if self.manifest.cleanup_type == CleanupType::TempFiles {
            verify_files(self.objects, &self.folder, segment, &content).await?;
        }
        Ok(())
    }

    pub(super) const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The error that this is not the backup that it should be.
    pub(super) fn unlike(&self, reason: &str) -> AnalyticsError {
        corrupt(self.reference, reason)
    }

    pub(super) fn corrupt(
        &self,
        segment: &SegmentEntry,
        reason: impl std::fmt::Display,
    ) -> AnalyticsError {
        corrupt(&self.folder.file(&segment.name), reason)
    }
}

/// Reads a segment back, and checks it.
pub(super) async fn read_segment(
    objects: &dyn ObjectStore,
    folder: &Folder,
    segment: &SegmentEntry,
) -> Result<Vec<u8>, AnalyticsError> {
    let reference = objects.reference(&folder.file(&segment.name))?;
    let content = read(objects, &reference, segment.bytes).await?;
    if sha256_hex(&content) == segment.sha256 {
        Ok(content)
    } else {
        Err(corrupt(&reference, "its checksum is another"))
    }
}

/// Checks each line of a segment: that it is JSON, the table, how many there are; and that all of them
/// together are what was written.
pub(super) fn verify_lines(
    cleanup_type: CleanupType,
    segment: &SegmentEntry,
    lines_sha256: &str,
    content: &[u8],
) -> Result<(), AnalyticsError> {
    let failed = |reason: String| corrupt(&segment.name, reason);
    let mut reader = SegmentReader::new(content);
    let mut sha256 = Sha256::new();
    let mut rows = 0;
    while let Some(line) = reader
        .next_line_into(&mut sha256)
        .map_err(|error| failed(error.to_string()))?
    {
        if line.table != cleanup_type.table() {
            return Err(failed(format!("it has a row of {}", line.table)));
        }
        rows += 1;
    }
    if rows != segment.rows {
        let expected = segment.rows;
        return Err(failed(format!("it has {rows} rows instead of {expected}")));
    }
    if hex::encode(sha256.finalize()) == lines_sha256 {
        Ok(())
    } else {
        Err(failed("its lines are not what was written".to_owned()))
    }
}

/// Checks the copies of the files that a segment's rows stand for.
pub(super) async fn verify_files(
    objects: &dyn ObjectStore,
    folder: &Folder,
    segment: &SegmentEntry,
    content: &[u8],
) -> Result<(), AnalyticsError> {
    let mut reader = SegmentReader::new(content);
    loop {
        let line = reader.next_line();
        let line = line.map_err(|error| corrupt(&segment.name, error))?;
        let Some(line) = line else {
            return Ok(());
        };
        if let Some(file) = line.file {
            files::verify(objects, folder, &file).await?;
        }
    }
}

/// Reads a file of a backup. One that is missing or has grown is not what was stored either.
async fn read(
    objects: &dyn ObjectStore,
    reference: &str,
    limit: u64,
) -> Result<Vec<u8>, AnalyticsError> {
    match objects.read(reference, limit).await {
        Ok(content) => Ok(content),
        Err(error @ (ObjectStoreError::NotFound(_) | ObjectStoreError::TooLarge { .. })) => {
            Err(corrupt(reference, error))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn corrupt(reference: &str, reason: impl std::fmt::Display) -> AnalyticsError {
    AnalyticsError::Corrupt {
        reference: reference.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::SegmentWriter;
    use super::*;
    use crate::repository::cleanup::StoredRow;

    #[test]
    fn lines_that_are_not_what_was_written_are_no_backup() {
        let segment = |text: &str| {
            let mut writer = SegmentWriter::new(CleanupType::Logs);
            let row = StoredRow {
                id: 1,
                at: DateTime::UNIX_EPOCH,
                text: text.to_owned(),
            };
            writer.push(&row, None).unwrap();
            writer.finish().unwrap().unwrap()
        };
        let (written, other) = (segment(r#"{"id":1}"#), segment(r#"{"id":2}"#));
        let entry = |rows| SegmentEntry {
            name: "segment".to_owned(),
            sha256: written.sha256.clone(),
            bytes: 0,
            rows,
            first_key: 1,
            last_key: 1,
        };
        let verify = |kind, rows, content: &[u8]| {
            verify_lines(kind, &entry(rows), &written.lines_sha256, content)
        };
        verify(CleanupType::Logs, 1, &written.content).unwrap();
        for (refused, reason) in [
            (
                verify(CleanupType::Logs, 1, &other.content),
                "not what was written",
            ),
            (
                verify(CleanupType::Logs, 2, &written.content),
                "instead of 2",
            ),
            (
                verify(CleanupType::Sessions, 1, &written.content),
                "a row of",
            ),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
