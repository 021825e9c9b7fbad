//! Putting a backup's rows back.

use std::io;

use serde::{Deserialize, Serialize};

use super::files::{self, FileCopy};
use super::manifest::{SegmentEntry, StoredBackup};
use super::segment::SegmentReader;
use super::{Cleanup, CleanupType, Report};
use crate::error::AnalyticsError;
use crate::repository::cleanup::RestoredRows;

/// How many rows one statement puts back, and how many bytes of them.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// How many conflicting keys a report names.
const MOST_NAMED: usize = 100;

/// What became of a backup's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restoration {
    /// How many were put back.
    pub restored: u64,
    /// How many were there, and are the same.
    pub already_there: u64,
    /// How many could not be put back, because there is another row in their place. Those stay.
    pub conflicting: u64,
    /// The keys of the first of the conflicting ones.
    pub conflicting_keys: Vec<i64>,
}

/// How far a restore is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorationCursor {
    /// How many segments were checked: all of them are before the first row comes back.
    pub verified_segments: usize,
    /// How many segments' rows were put back.
    pub segments: usize,
    /// What became of them.
    pub so_far: Restoration,
}

impl Cleanup {
    /// Puts the rows of a backup back, and the files that they stand for. What is there already, is
    /// not touched: this can be repeated.
    ///
    /// # Errors
    /// [`AnalyticsError::Corrupt`] if the backup is not what was stored; then nothing was restored.
    /// [`AnalyticsError::FileBusy`] if a file may just be being deleted.
    pub async fn restore(
        &self,
        reference: &str,
        from: Option<RestorationCursor>,
        report: Report<'_, RestorationCursor>,
    ) -> Result<Restoration, AnalyticsError> {
        let backup = StoredBackup::open(self.objects()?, reference).await?;
        let segments = &backup.manifest.segments;
        let mut cursor = from.unwrap_or_default();
        for segment in segments.iter().skip(cursor.verified_segments) {
            backup.verify(segment).await?;
            cursor.verified_segments += 1;
            report(cursor.clone());
        }
        for segment in segments.iter().skip(cursor.segments) {
            let restored = self.restore_segment(&backup, segment).await?;
            cursor.so_far.add(restored);
            cursor.segments += 1;
            report(cursor.clone());
        }
        let restoration = cursor.so_far;
        self.repository
            .record_restore(&backup.manifest, backup.reference, restoration.restored)
            .await?;
        Ok(restoration)
    }

    async fn restore_segment(
        &self,
        backup: &StoredBackup<'_>,
        segment: &SegmentEntry,
    ) -> Result<Restoration, AnalyticsError> {
        let content = backup.segment(segment).await?;
        let mut reader = SegmentReader::new(&content);
        let mut restoration = Restoration::default();
        loop {
            let rows = next_rows(&mut reader).map_err(|error| backup.corrupt(segment, error))?;
            if rows.keys.is_empty() {
                return Ok(restoration);
            }
            if backup.manifest.cleanup_type == CleanupType::TempFiles {
                self.restore_files(backup, segment, &rows).await?;
            }
            let cleanup_type = backup.manifest.cleanup_type;
            let restored = self
                .repository
                .restore_batch(cleanup_type, &rows.keys, &rows.texts)
                .await?;
            restoration.add(Restoration::of(rows.keys.len(), restored));
        }
    }

    /// The files come before the rows: nobody shall see a row without its file.
    async fn restore_files(
        &self,
        backup: &StoredBackup<'_>,
        segment: &SegmentEntry,
        rows: &Rows,
    ) -> Result<(), AnalyticsError> {
        let objects = self.objects()?;
        let missing = self.repository.missing_files(&rows.keys).await?;
        for (key, (text, file)) in rows.keys.iter().zip(rows.texts.iter().zip(&rows.files)) {
            let Some(file) = file.as_ref().filter(|_| missing.contains(key)) else {
                continue;
            };
            let reference =
                files::reference_of(text).map_err(|error| backup.corrupt(segment, error))?;
            self.repository.keep_file(&reference).await?;
            files::put_back(objects, backup.folder(), file, &reference).await?;
        }
        Ok(())
    }
}

/// Rows of a backup.
#[derive(Default)]
struct Rows {
    keys: Vec<i64>,
    texts: Vec<String>,
    files: Vec<Option<FileCopy>>,
}

fn next_rows(reader: &mut SegmentReader<'_>) -> io::Result<Rows> {
    let mut rows = Rows::default();
    let mut bytes = 0;
    while rows.keys.len() < BATCH_ROWS && bytes < BATCH_BYTES {
        let Some(line) = reader.next_line()? else {
            break;
        };
        bytes += line.row.get().len();
        rows.keys.push(line.key);
        rows.texts.push(line.row.get().to_owned());
        rows.files.push(line.file);
    }
    Ok(rows)
}

impl Restoration {
    fn of(rows: usize, restored: RestoredRows) -> Self {
        let conflicting = restored.conflicting.len() as u64;
        Self {
            restored: restored.restored,
            already_there: (rows as u64).saturating_sub(restored.restored + conflicting),
            conflicting,
            conflicting_keys: restored.conflicting,
        }
    }

    fn add(&mut self, other: Self) {
        self.restored += other.restored;
        self.already_there += other.already_there;
        self.conflicting += other.conflicting;
        let room = MOST_NAMED.saturating_sub(self.conflicting_keys.len());
        let named = other.conflicting_keys.into_iter().take(room);
        self.conflicting_keys.extend(named);
    }
}
