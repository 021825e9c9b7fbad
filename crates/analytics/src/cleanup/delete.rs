//! Deleting what a backup has.

use std::num::NonZeroU32;
use std::time::Duration;

use futures::try_join;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::manifest::{SegmentEntry, StoredBackup};
use super::segment::SegmentKeys;
use super::{Cleanup, CleanupType, Report};
use crate::error::AnalyticsError;
use crate::repository::cleanup::{Run, RunState};

/// How fast, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many rows one statement deletes.
    pub batch_rows: NonZeroU32,
    /// How long the database has for others between two statements.
    pub pause: Duration,
    /// After how many statements to stop; without it, when all is done.
    pub most_batches: Option<NonZeroU32>,
}

/// What a run deleted so far, in all its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// How many rows are gone.
    pub deleted: u64,
    /// How many were left because they were under hold by then.
    pub held: u64,
    /// How many were left because they were not what they are in the backup.
    pub changed: u64,
    /// Whether the run is through.
    pub done: bool,
}

/// How far a deletion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletionCursor {
    /// How many segments of the backup were checked: all of them are before the first row goes.
    pub verified_segments: usize,
    /// How many rows of the backup were gone through. The database has this as well, written by the
    /// same statement that deletes.
    pub position: u64,
    /// How many rows are gone.
    pub deleted: u64,
}

impl Cleanup {
    /// Deletes the rows that are in a run's backup, as long as they are what they are there.
    ///
    /// # Errors
    /// [`AnalyticsError::Invalid`] if there is no backup, [`AnalyticsError::Corrupt`] if it is not
    /// what was stored; then nothing was deleted.
    pub async fn delete(
        &self,
        run_id: &str,
        cleanup_type: CleanupType,
        pace: Pace,
        from: Option<DeletionCursor>,
        report: Report<'_, DeletionCursor>,
    ) -> Result<Deletion, AnalyticsError> {
        let run = self.planned_run(run_id, cleanup_type).await?;
        let Some(reference) = run.backup.as_ref().map(|backup| backup.reference.clone()) else {
            return Err(AnalyticsError::Invalid(format!(
                "items: the cleanup {run_id:?} has no backup, nothing is deleted without one"
            )));
        };
        let mut run = run;
        if run.state != RunState::Deleted {
            let backup = StoredBackup::open(self.objects()?, &reference).await?;
            // Once a row is gone, all of the backup was checked before.
            if run.progress.position == 0 {
                let verified = from.map_or(0, |cursor| cursor.verified_segments);
                verify(&backup, verified, report).await?;
            }
            run = self.delete_rows(run, &backup, pace, report).await?;
        }
        if cleanup_type == CleanupType::TempFiles {
            self.delete_files().await?;
        }
        Ok(run.into())
    }

    async fn delete_rows(
        &self,
        mut run: Run,
        backup: &StoredBackup<'_>,
        pace: Pace,
        report: Report<'_, DeletionCursor>,
    ) -> Result<Run, AnalyticsError> {
        let mut batches_left = pace.most_batches.map(NonZeroU32::get);
        // Where this attempt is, which another one at the same moment may be ahead of: only what an
        // attempt went through itself, after what had been gone through when it began, counts.
        let mut reached = run.progress.position;
        let mut segments = left_segments(backup, reached);
        let mut read = read_next(backup, segments.next()).await?;
        while let Some((before, keys)) = read {
            let deletion = async {
                let batch_rows = pace.batch_rows.get() as usize;
                for batch in keys.batches(reached - before, batch_rows) {
                    if batches_left == Some(0) {
                        return Ok(false);
                    }
                    reached += batch.keys.len() as u64;
                    run.progress = self.repository.delete_batch(&run, batch, reached).await?;
                    report(DeletionCursor {
                        verified_segments: backup.manifest.segments.len(),
                        position: run.progress.position,
                        deleted: run.progress.deleted,
                    });
                    batches_left = batches_left.map(|left| left - 1);
                    if reached < backup.manifest.rows {
                        pause(pace.pause).await;
                    }
                }
                Ok::<_, AnalyticsError>(true)
            };
            // While the rows of one segment are deleted, the next one is read.
            let (goes_on, next) = try_join!(deletion, read_next(backup, segments.next()))?;
            if !goes_on {
                return Ok(run);
            }
            read = next;
        }
        self.repository.finish_deletion(&run.id).await
    }
}

/// The segments that have rows after this position, each with the position at which it begins.
fn left_segments<'a>(
    backup: &'a StoredBackup<'_>,
    position: u64,
) -> impl Iterator<Item = (u64, &'a SegmentEntry)> {
    let with_start = backup.manifest.segments.iter().scan(0, |next, segment| {
        let before = *next;
        *next += segment.rows;
        Some((before, segment))
    });
    with_start.filter(move |(before, segment)| before + segment.rows > position)
}

/// The keys of a segment, with the position at which it begins.
async fn read_next(
    backup: &StoredBackup<'_>,
    segment: Option<(u64, &SegmentEntry)>,
) -> Result<Option<(u64, SegmentKeys)>, AnalyticsError> {
    let Some((before, segment)) = segment else {
        return Ok(None);
    };
    let content = backup.segment(segment).await?;
    let keys = spawn_blocking(move || SegmentKeys::read(&content)).await?;
    let keys = keys.map_err(|error| backup.corrupt(segment, error))?;
    if keys.len() == segment.rows {
        return Ok(Some((before, keys)));
    }
    let reason = format!("it has {} rows instead of {}", keys.len(), segment.rows);
    Err(backup.corrupt(segment, reason))
}

/// Checks all of a backup.
async fn verify(
    backup: &StoredBackup<'_>,
    verified: usize,
    report: Report<'_, DeletionCursor>,
) -> Result<(), AnalyticsError> {
    for (index, segment) in backup.manifest.segments.iter().enumerate().skip(verified) {
        backup.verify(segment).await?;
        report(DeletionCursor {
            verified_segments: index + 1,
            position: 0,
            deleted: 0,
        });
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the database's rest, in an activity: a workflow's timer would be an event a batch"
)]
async fn pause(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

impl From<Run> for Deletion {
    fn from(run: Run) -> Self {
        Self {
            deleted: run.progress.deleted,
            held: run.progress.held,
            changed: run.progress.changed,
            done: run.state == RunState::Deleted,
        }
    }
}
