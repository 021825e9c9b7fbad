//! What the lanes of a deletion share: what is left, and how far they are together.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec;

use super::super::manifest::{SegmentEntry, StoredBackup};
use super::DeletionCursor;
use crate::error::AnalyticsError;
use crate::repository::cleanup::{Progress, SegmentProgress};

/// A segment of which something is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The segment's number.
    pub(super) number: i32,
    pub(super) segment: &'a SegmentEntry,
    /// How far it was when the attempt began.
    pub(super) progress: Progress,
}

/// The way through a backup.
pub(super) struct Course<'a> {
    segments: usize,
    rows: u64,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    left: vec::IntoIter<Part<'a>>,
    batches_left: Option<u32>,
    progress: Progress,
}

impl<'a> Course<'a> {
    /// The way from where the segments are.
    ///
    /// # Errors
    /// [`AnalyticsError::Corrupt`] if they are not those of the backup.
    pub(super) fn of(
        backup: &'a StoredBackup<'_>,
        segments: Vec<SegmentProgress>,
        most_batches: Option<NonZeroU32>,
    ) -> Result<Self, AnalyticsError> {
        let entries = &backup.manifest.segments;
        let names = segments.iter().map(|segment| &segment.name);
        if !names.eq(entries.iter().map(|entry| &entry.name)) {
            return Err(backup.unlike("its segments are not those of its run"));
        }
        let mut progress = Progress::default();
        let mut left = Vec::new();
        for (at, segment) in segments.into_iter().zip(entries) {
            progress.advance(Progress::default(), at.progress);
            if at.progress.position < segment.rows {
                left.push(Part {
                    number: at.number,
                    segment,
                    progress: at.progress,
                });
            }
        }
        Ok(Self {
            segments: entries.len(),
            rows: backup.manifest.rows,
            state: Mutex::new(State {
                left: left.into_iter(),
                batches_left: most_batches.map(NonZeroU32::get),
                progress,
            }),
        })
    }

    /// The next segment, for one lane.
    pub(super) fn next(&self) -> Option<Part<'a>> {
        self.lock().left.next()
    }

    /// Whether one more batch may be deleted; then that is one of them.
    pub(super) fn may_delete(&self) -> bool {
        let left = &mut self.lock().batches_left;
        match left {
            None => true,
            Some(0) => false,
            Some(batches) => {
                *batches -= 1;
                true
            }
        }
    }

    /// Counts what was done to a segment; how far all of them are.
    pub(super) fn advance(&self, before: Progress, after: Progress) -> DeletionCursor {
        let mut state = self.lock();
        state.progress.advance(before, after);
        DeletionCursor {
            verified_segments: self.segments,
            position: state.progress.position,
            deleted: state.progress.deleted,
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_through(&self) -> bool {
        self.lock().progress.position == self.rows
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
