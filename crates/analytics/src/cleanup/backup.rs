//! Writing a backup, segment by segment, and reading it back.

use std::io;

use futures::try_join;
use partner_core::ports::object_store::{ObjectStore, content};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::files::{self, Copied, FileCopy};
use super::manifest::{self, Folder, Manifest, SegmentEntry, StoredBackup};
use super::segment::{Segment, SegmentWriter};
use super::{Cleanup, CleanupType, Position, Report};
use crate::error::AnalyticsError;
use crate::repository::cleanup::{Mark, Run, RunState, Session, StoredRow, StoredSegment};

/// How many rows are read at once, and how many bytes of them: all of them are held in memory.
const PAGE_ROWS: i64 = 1_000;
const PAGE_BYTES: usize = 4 << 20;

/// A segment that is to be stored.
struct Made {
    segment: Segment,
    /// The last row that was looked at for it.
    until: Position,
    /// From before its rows were read.
    mark: Mark,
}

/// Segments that are to be stored in this order.
struct Next {
    segments: Vec<Made>,
    /// Whether those after them can be made two at a time.
    in_pairs: bool,
}

/// A backup that was written and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The manifest's reference.
    pub reference: String,
    /// How many rows it has.
    pub rows: u64,
}

/// How far a backup is. The database knows as well; this is for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupCursor {
    /// How many segments were stored and read back.
    pub segments: u64,
    /// How many rows are in them.
    pub rows: u64,
}

impl Cleanup {
    /// Backs up a run's rows, and reads all of it back. A run has one backup, however often this is
    /// called.
    ///
    /// # Errors
    /// [`AnalyticsError::Invalid`] if the run was not planned, or is a dry run.
    pub async fn back_up(
        &self,
        run_id: &str,
        cleanup_type: CleanupType,
        report: Report<'_, BackupCursor>,
    ) -> Result<Backup, AnalyticsError> {
        let objects = self.objects()?;
        let run = self.planned_run(run_id, cleanup_type).await?;
        if let Some(backup) = run.backup {
            return Ok(backup);
        }
        let folder = Folder::of(&run);
        let mut stored = self.repository.verified_segments(run_id).await?;
        let until = stored.last().map(|segment| segment.until);
        let until = until.unwrap_or(Position::START);
        report_stored(report, &stored);
        let mut next = self.next_segments(&run, &folder, until, true).await?;
        while let Some(last) = next.segments.last() {
            let (until, in_pairs) = (last.until, next.in_pairs);
            // While some are stored and read back, the next ones are made.
            let ((), following) = try_join!(
                self.store_all(&run, &folder, &mut stored, next.segments, report),
                self.next_segments(&run, &folder, until, in_pairs)
            )?;
            next = following;
        }
        let entries = stored.into_iter().map(|segment| segment.entry).collect();
        let reference = self.close(&run, &folder, entries).await?;
        // It was read back if it can be opened; the segments were, each by itself.
        let rows = StoredBackup::open(objects, &reference).await?.manifest.rows;
        let backup = Backup { reference, rows };
        self.repository.finish_backup(run_id, &backup).await?;
        tracing::info!(
            cleanup.run = run_id,
            cleanup.backup = backup.reference,
            rows,
            "backup written and read back"
        );
        Ok(backup)
    }

    /// Stores the manifest, and deletes what killed attempts have written and the backup does not need.
    async fn close(
        &self,
        run: &Run,
        folder: &Folder,
        entries: Vec<SegmentEntry>,
    ) -> Result<String, AnalyticsError> {
        let objects = self.objects()?;
        let (name, json) = Manifest::new(run, entries).file()?;
        let names = std::slice::from_ref(&name);
        let mut session = self.repository.session().await?;
        session.announce_files(&run.id, names).await?;
        drop(session);
        let stored = objects.create(&folder.file(&name), content(json)).await?;
        for unneeded in self.repository.unneeded_files(&run.id, &name).await? {
            let reference = objects.reference(&folder.file(&unneeded))?;
            objects.delete(&reference).await?;
        }
        Ok(stored.reference)
    }

    /// A run that may be backed up or deleted.
    pub(super) async fn planned_run(
        &self,
        run_id: &str,
        cleanup_type: CleanupType,
    ) -> Result<Run, AnalyticsError> {
        let run = self.repository.run(run_id).await?;
        let run = run.filter(|run| run.cleanup_type == cleanup_type);
        let run = run.ok_or_else(|| {
            AnalyticsError::Invalid(format!(
                "items: there is no cleanup of {cleanup_type} {run_id:?}, ask identifyCleanupItems"
            ))
        })?;
        if run.dry_run {
            return Err(AnalyticsError::Invalid(format!(
                "items: the cleanup {run_id:?} is a dry run: nothing is backed up or deleted"
            )));
        }
        if run.state == RunState::Planning {
            return Err(AnalyticsError::Invalid(format!(
                "items: the cleanup {run_id:?} is still being planned"
            )));
        }
        Ok(run)
    }

    /// The next segments after this position; none if there are no more rows. Two are made at a time,
    /// the second of them from where the first one should end.
    async fn next_segments(
        &self,
        run: &Run,
        folder: &Folder,
        until: Position,
        in_pairs: bool,
    ) -> Result<Next, AnalyticsError> {
        let rows = i64::from(self.settings.segment_rows.get());
        let middle = if in_pairs {
            let repository = &self.repository;
            repository
                .nth_after(run.cleanup_type, run.cutoff, until, rows)
                .await?
        } else {
            None
        };
        let segment = |until, last| Box::pin(self.segment(run, folder, until, last));
        let Some(middle) = middle else {
            return Ok(Next {
                segments: segment(until, None).await?.into_iter().collect(),
                in_pairs,
            });
        };
        let (first, second) = try_join!(segment(until, Some(middle)), segment(middle, None))?;
        // One that ends before the second begins has too many bytes, or rows have come in between: what
        // is left there comes before the second. Rows that are so large are made one by one.
        let in_pairs = first.as_ref().is_none_or(|first| first.until == middle);
        let second = second.filter(|_| in_pairs);
        Ok(Next {
            segments: first.into_iter().chain(second).collect(),
            in_pairs,
        })
    }

    /// Writes the rows after this position, and up to the last one, into a segment; `None` if there are
    /// no more.
    async fn segment(
        &self,
        run: &Run,
        folder: &Folder,
        mut until: Position,
        last: Option<Position>,
    ) -> Result<Option<Made>, AnalyticsError> {
        let most_rows = u64::from(self.settings.segment_rows.get());
        let mut writer = SegmentWriter::new(run.cleanup_type);
        let mut session = self.repository.session().await?;
        let mark = session.mark(run.cleanup_type).await?;
        let mut page = page_after(&mut session, run, (until, last), most_rows).await?;
        let mut is_full = false;
        while let Some(row) = page.last().filter(|_| !is_full) {
            until = row.position();
            let rows = self.with_files(&mut session, run, folder, page).await?;
            let room = most_rows - writer.rows() - rows.len() as u64;
            // While one page is written, the next one is read.
            let next = page_after(&mut session, run, (until, last), room);
            (writer, page) = try_join!(write(writer, rows), next)?;
            // A segment has a row at least, or there would be no next one.
            let is_large = writer.rows() > 0 && writer.bytes() >= self.settings.segment_bytes;
            is_full = is_large || room == 0;
        }
        if !is_full {
            // Nothing is left before it.
            until = last.unwrap_or(until);
        }
        let segment = writer.finish().map_err(|error| unwritable(&error))?;
        Ok(segment.map(|segment| Made {
            segment,
            until,
            mark,
        }))
    }

    /// The rows that can be backed up, each with the copy of the file that it stands for.
    async fn with_files(
        &self,
        session: &mut Session,
        run: &Run,
        folder: &Folder,
        page: Vec<StoredRow>,
    ) -> Result<Vec<(StoredRow, Option<FileCopy>)>, AnalyticsError> {
        match run.cleanup_type {
            CleanupType::Logs | CleanupType::Sessions => {
                return Ok(page.into_iter().map(|row| (row, None)).collect());
            }
            CleanupType::TempFiles => {}
        }
        let names = files::copy_names(&page);
        session.announce_files(&run.id, &names).await?;
        let mut rows = Vec::with_capacity(page.len());
        for row in page {
            if let Some(file) = self.copied(folder, &row).await? {
                rows.push((row, file));
            }
        }
        Ok(rows)
    }

    /// The copy of a row's file, `Some(None)` if there is none any more; `None` if the row must stay
    /// because of it.
    async fn copied(
        &self,
        folder: &Folder,
        row: &StoredRow,
    ) -> Result<Option<Option<FileCopy>>, AnalyticsError> {
        match files::copy(self.objects()?, folder, row).await? {
            Copied::File(file) => Ok(Some(Some(file))),
            Copied::Missing => Ok(Some(None)),
            Copied::Impossible(error) => {
                tracing::warn!(
                    temp_file.id = row.id,
                    error = %error,
                    "a temporary file cannot be backed up, it is kept"
                );
                Ok(None)
            }
        }
    }

    /// Stores segments one after the other, and reads each of them back.
    async fn store_all(
        &self,
        run: &Run,
        folder: &Folder,
        stored: &mut Vec<StoredSegment>,
        segments: Vec<Made>,
        report: Report<'_, BackupCursor>,
    ) -> Result<(), AnalyticsError> {
        for segment in segments {
            let number = i32::try_from(stored.len()).unwrap_or(i32::MAX);
            stored.push(self.store(run, folder, number, segment).await?);
            report_stored(report, stored);
        }
        Ok(())
    }

    /// Stores a segment, and reads it back.
    async fn store(
        &self,
        run: &Run,
        folder: &Folder,
        number: i32,
        made: Made,
    ) -> Result<StoredSegment, AnalyticsError> {
        let objects = self.objects()?;
        let segment = made.segment;
        let stored = StoredSegment {
            entry: SegmentEntry {
                name: format!("segment-{number:06}-{}.jsonl.gz", segment.sha256),
                bytes: segment.content.len() as u64,
                sha256: segment.sha256,
                rows: segment.rows,
                first_key: segment.first_key,
                last_key: segment.last_key,
            },
            until: made.until,
        };
        let names = std::slice::from_ref(&stored.entry.name);
        let mut session = self.repository.session().await?;
        session.announce_files(&run.id, names).await?;
        drop(session);
        self.repository
            .begin_segment(&run.id, number, &stored, made.mark)
            .await?;
        let name = folder.file(&stored.entry.name);
        objects.create(&name, content(segment.content)).await?;
        read_back(
            objects,
            folder,
            run.cleanup_type,
            &stored.entry,
            segment.lines_sha256,
        )
        .await?;
        self.repository
            .finish_segment(&run.id, number, &stored.entry, &segment.copies)
            .await?;
        Ok(stored)
    }
}

/// The rows after this position and up to the last one, so many at most.
async fn page_after(
    session: &mut Session,
    run: &Run,
    (until, last): (Position, Option<Position>),
    room: u64,
) -> Result<Vec<StoredRow>, AnalyticsError> {
    let rows = PAGE_ROWS.min(i64::try_from(room).unwrap_or(i64::MAX));
    if rows == 0 {
        return Ok(Vec::new());
    }
    let mut page = session
        .page_after(run.cleanup_type, run.cutoff, until, rows, PAGE_BYTES)
        .await?;
    if let Some(last) = last {
        page.retain(|row| row.position() <= last);
    }
    Ok(page)
}

/// Reads a segment back as it is in the store, and checks every line of it.
async fn read_back(
    objects: &dyn ObjectStore,
    folder: &Folder,
    cleanup_type: CleanupType,
    entry: &SegmentEntry,
    lines_sha256: String,
) -> Result<(), AnalyticsError> {
    let content = manifest::read_segment(objects, folder, entry).await?;
    let checked = entry.clone();
    let content = spawn_blocking(move || {
        manifest::verify_lines(cleanup_type, &checked, &lines_sha256, &content)?;
        Ok::<_, AnalyticsError>(content)
    })
    .await??;
    if cleanup_type == CleanupType::TempFiles {
        manifest::verify_files(objects, folder, entry, &content).await?;
    }
    Ok(())
}

/// Adds rows to a segment.
async fn write(
    mut writer: SegmentWriter,
    rows: Vec<(StoredRow, Option<FileCopy>)>,
) -> Result<SegmentWriter, AnalyticsError> {
    let written = spawn_blocking(move || {
        for (row, file) in rows {
            writer.push(&row, file)?;
        }
        Ok(writer)
    });
    written
        .await?
        .map_err(|error: io::Error| unwritable(&error))
}

fn report_stored(report: Report<'_, BackupCursor>, stored: &[StoredSegment]) {
    report(BackupCursor {
        segments: stored.len() as u64,
        rows: stored.iter().map(|segment| segment.entry.rows).sum(),
    });
}

/// Memory takes everything: what cannot be written is not JSON, which PostgreSQL does not make.
fn unwritable(error: &io::Error) -> AnalyticsError {
    AnalyticsError::Invalid(format!("a row cannot be backed up: {error}"))
}
