//! Deleting what a backup has.

mod course;

use std::num::NonZeroU32;
use std::time::Duration;

use futures::try_join;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::manifest::StoredBackup;
use super::segment::SegmentKeys;
use super::{Cleanup, CleanupType, Report};
use crate::error::AnalyticsError;
use crate::repository::cleanup::{BatchPlace, Run, RunState, Session};
use course::{Course, Part};

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

/// What a lane goes by: it deletes one segment after the other.
#[derive(Clone, Copy)]
struct Work<'a> {
    run: &'a Run,
    backup: &'a StoredBackup<'a>,
    course: &'a Course<'a>,
    pace: Pace,
    report: Report<'a, DeletionCursor>,
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
        run: Run,
        backup: &StoredBackup<'_>,
        pace: Pace,
        report: Report<'_, DeletionCursor>,
    ) -> Result<Run, AnalyticsError> {
        let progress = self.repository.segments_progress(&run.id).await?;
        let course = Course::of(backup, progress, pace.most_batches)?;
        let work = Work {
            run: &run,
            backup,
            course: &course,
            pace,
            report,
        };
        let session = self.repository.session().await?;
        // PostgreSQL works at one segment on one core. But a rest is one for the database only if nothing
        // else is deleted meanwhile; and a second lane takes no connection that somebody waits for.
        let has_lanes = pace.pause.is_zero() && pace.most_batches != Some(NonZeroU32::MIN);
        let spare = has_lanes.then(|| self.repository.spare_session());
        let lane = |session| Box::pin(self.lane(work, session));
        match spare.flatten() {
            Some(spare) => {
                try_join!(lane(session), lane(spare))?;
            }
            None => lane(session).await?,
        }
        if course.is_through() {
            return self.repository.finish_deletion(&run.id).await;
        }
        let run = self.repository.run(&run.id).await?;
        run.ok_or(AnalyticsError::ConcurrentChange)
    }

    /// Deletes one segment after the other, of those that no other lane has taken.
    async fn lane(&self, work: Work<'_>, session: Session) -> Result<(), AnalyticsError> {
        let mut session = Some(session);
        let mut read = read_next(work.backup, work.course.next()).await?;
        while let Some(part) = read {
            // While the rows of one segment are deleted, the next one is read.
            let (goes_on, next) = try_join!(
                self.delete_part(work, &mut session, part),
                read_next(work.backup, work.course.next())
            )?;
            if !goes_on {
                break;
            }
            read = next;
        }
        Ok(())
    }

    /// Deletes what is left of a segment; `false` if there may be no more batches before that is done.
    async fn delete_part(
        &self,
        work: Work<'_>,
        session: &mut Option<Session>,
        (part, keys): (Part<'_>, SegmentKeys),
    ) -> Result<bool, AnalyticsError> {
        // Where this attempt is, which another one at the same moment may be ahead of: only what an
        // attempt went through itself, after what had been gone through when it began, counts.
        let mut reached = part.progress.position;
        let mut progress = part.progress;
        for batch in keys.batches(reached, work.pace.batch_rows.get() as usize) {
            if !work.course.may_delete() {
                return Ok(false);
            }
            reached += batch.keys.len() as u64;
            let place = BatchPlace {
                run: work.run,
                segment: part.number,
                reached,
            };
            let connection = match session {
                Some(connection) => connection,
                None => session.insert(self.repository.session().await?),
            };
            let before = progress;
            progress = connection.delete_batch(place, batch).await?;
            (work.report)(work.course.advance(before, progress));
            if !work.pace.pause.is_zero() && !work.course.is_through() {
                // The rest is for the others: they may need the connection.
                *session = None;
                pause(work.pace.pause).await;
            }
        }
        Ok(true)
    }
}

/// The keys of a part's segment.
async fn read_next<'a>(
    backup: &StoredBackup<'_>,
    part: Option<Part<'a>>,
) -> Result<Option<(Part<'a>, SegmentKeys)>, AnalyticsError> {
    let Some(part) = part else {
        return Ok(None);
    };
    let segment = part.segment;
    let content = backup.segment(segment).await?;
    let keys = spawn_blocking(move || SegmentKeys::read(&content)).await?;
    let keys = keys.map_err(|error| backup.corrupt(segment, error))?;
    if keys.len() == segment.rows {
        return Ok(Some((part, keys)));
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
    tokio::time::sleep(pause).await;
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
