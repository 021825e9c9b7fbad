//! What cleanups know and do in the database: the runs, the rows that go, the files that follow.

mod audit;
mod backup_files;
mod file_deletions;
mod rows;
mod runs;

use chrono::{DateTime, Utc};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use crate::cleanup::{Backup, CleanupType, Position};
use crate::error::AnalyticsError;

pub use audit::AuditEntry;
pub use rows::{Batch, BatchPlace, Mark, Rest, RestoredRows, StoredRow};
pub use runs::{NewRun, SegmentProgress, StoredSegment};

/// Cleanups of a database.
#[derive(Debug, Clone)]
pub struct CleanupRepository {
    pool: PgPool,
}

impl CleanupRepository {
    /// Cleanups of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// A connection for many statements.
    pub async fn session(&self) -> Result<Session, AnalyticsError> {
        Ok(Session(self.pool.acquire().await?))
    }

    /// The same, if there is one that nobody waits for.
    pub fn spare_session(&self) -> Option<Session> {
        self.pool.try_acquire().map(Session)
    }
}

/// A connection that is kept from one statement to the next: the pool gives out another one each time, and
/// each of them would have to plan the statements and to fill its caches by itself. Whoever has one asks the
/// pool for nothing else meanwhile.
#[derive(Debug)]
pub struct Session(PoolConnection<Postgres>);

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Its rows are being counted.
    Planning,
    /// They were counted.
    Planned,
    /// They are in the backup, which was read back.
    BackedUp,
    /// The backup's rows were gone through.
    Deleted,
}

impl RunState {
    fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "planning" => Self::Planning,
            "planned" => Self::Planned,
            "backed_up" => Self::BackedUp,
            "deleted" => Self::Deleted,
            _ => return None,
        })
    }
}

/// One cleanup.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// What is cleaned up.
    pub cleanup_type: CleanupType,
    /// How many days rows are kept.
    pub retention_days: i32,
    /// Whether it only counts.
    pub dry_run: bool,
    /// Rows from before this moment.
    pub cutoff: DateTime<Utc>,
    /// How it stands.
    pub state: RunState,
    /// How many rows were counted, without those under hold.
    pub planned_rows: u64,
    /// How many under hold were.
    pub planned_held: u64,
    /// From when the oldest of them was.
    pub oldest: Option<DateTime<Utc>>,
    /// From when the newest of them was.
    pub newest: Option<DateTime<Utc>>,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    /// Its backup, once that was read back.
    pub backup: Option<Backup>,
    /// How far the deletion is.
    pub progress: Progress,
}

/// How far the deletion of a run, or of a segment of its backup, is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many rows of it were gone through.
    pub position: u64,
    /// How many of them were deleted.
    pub deleted: u64,
    /// How many were left because they were under hold.
    pub held: u64,
    /// How many were left because they were not what they are in the backup.
    pub changed: u64,
}

impl Progress {
    /// Counts what was done between two moments of a part of this.
    pub fn advance(&mut self, before: Self, after: Self) {
        self.position += after.position.saturating_sub(before.position);
        self.deleted += after.deleted.saturating_sub(before.deleted);
        self.held += after.held.saturating_sub(before.held);
        self.changed += after.changed.saturating_sub(before.changed);
    }
}

impl StoredRow {
    /// The row's place in the order.
    pub const fn position(&self) -> Position {
        Position {
            at: self.at,
            id: self.id,
        }
    }
}

/// A count of the database's: never negative, by its CHECK constraints.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A count, as the database takes it.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
