//! Taking away what is old: plan, back up, delete, and put back.
//!
//! A *run* is one cleanup of one type. Its cutoff is fixed when it begins. Its backup is a folder in
//! object storage: *segments* of some thousand rows as compressed lines of JSON, the contents of
//! temporary files, and a *manifest* that lists the segments. Each file's name has its SHA-256, the
//! manifest has those of the segments, a segment's lines have those of the files: whoever holds the
//! manifest's reference can tell whether anything of the backup is not what was stored.
//!
//! Many small segments rather than one large file: a killed worker goes on with the next one, none
//! is too large to be written conditionally in one call, and one is small enough to be held in
//! memory, so that what was checked is what is used.
//!
//! Nothing is deleted that is not in the backup. Before a segment's rows are read, its *mark* is taken:
//! every transaction before that was over. PostgreSQL keeps which transaction wrote a row, and the
//! statement that deletes compares it: what was not written since the mark is what it is in the segment.
//! A row that was written since is compared by the SHA-256 of its text. One that was changed, or put
//! under hold, stays.
//!
//! Speed comes from doing two things at a time, never from leaving one out: the next page is read
//! while one is compressed, two segments are made while two are read back, the keys of one are read
//! while the rows of another are deleted, and those of two are if there is no rest in between.
//!
//! The contents of temporary files are copied into the backup, because the point of cleaning them up
//! is that the originals go: a backup that only pointed at them would keep them for ever. The
//! original goes after its row, by an entry that the row's own deletion leaves behind; a deletion
//! that fails is tried again by the next call, whichever cleanup that is.
//!
//! Every function here can be stopped anywhere and called again. Each takes the cursor that the last
//! attempt reported, and reports its own as it gets on.

mod audit;
mod backup;
mod delete;
mod files;
mod manifest;
mod model;
mod plan;
mod restore;
mod segment;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use partner_core::ports::object_store::ObjectStore;

use crate::error::AnalyticsError;
use crate::repository::cleanup::CleanupRepository;

pub use backup::{Backup, BackupCursor};
pub use delete::{Deletion, DeletionCursor, Pace};
pub use manifest::{Manifest, SegmentEntry};
pub use model::{CleanupType, Position};
pub(crate) use plan::check_retention;
pub use plan::{Plan, PlanCursor, PlanRequest};
pub use restore::{Restoration, RestorationCursor};

/// Where a function reports how far it is. Temporal's heartbeats carry it to the next attempt.
pub type Report<'a, C> = &'a (dyn Fn(C) + Send + Sync);

/// How cleanups go about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupSettings {
    /// How many rows one statement deletes.
    pub batch_rows: NonZeroU32,
    /// How long the database has for others between two such statements.
    pub pause: Duration,
    /// How many rows a segment of the backup has at most.
    pub segment_rows: NonZeroU32,
    /// How many bytes a segment has at most, give or take a row: it is held in memory.
    pub segment_bytes: usize,
}

impl Default for CleanupSettings {
    fn default() -> Self {
        Self {
            batch_rows: NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN),
            pause: Duration::from_secs(1),
            segment_rows: NonZeroU32::new(10_000).unwrap_or(NonZeroU32::MIN),
            segment_bytes: 4 << 20,
        }
    }
}

/// Cleanups of one database, with their backups in one object storage.
#[derive(Clone)]
pub struct Cleanup {
    repository: CleanupRepository,
    objects: Option<Arc<dyn ObjectStore>>,
    settings: CleanupSettings,
}

impl Cleanup {
    /// Without object storage, a cleanup can be planned and no more.
    pub const fn new(
        repository: CleanupRepository,
        objects: Option<Arc<dyn ObjectStore>>,
        settings: CleanupSettings,
    ) -> Self {
        Self {
            repository,
            objects,
            settings,
        }
    }

    /// How cleanups go about it if nobody says otherwise.
    pub const fn settings(&self) -> &CleanupSettings {
        &self.settings
    }

    fn objects(&self) -> Result<&dyn ObjectStore, AnalyticsError> {
        self.objects.as_deref().ok_or(AnalyticsError::NoStorage)
    }
}
