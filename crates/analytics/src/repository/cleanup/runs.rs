//! The runs, and the segments of their backups.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgQueryResult;

use super::{CleanupRepository, Mark, Progress, Run, RunState, count, number};
use crate::cleanup::{Backup, CleanupType, Plan, Position, SegmentEntry};
use crate::error::AnalyticsError;

/// A run to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// Its id.
    pub id: &'a str,
    /// What is cleaned up.
    pub cleanup_type: CleanupType,
    /// How many days rows are kept.
    pub retention_days: i32,
    /// Whether it only counts.
    pub dry_run: bool,
}

/// A segment, and where the next one begins.
#[derive(Debug, Clone)]
pub struct StoredSegment {
    /// The segment.
    pub entry: SegmentEntry,
    /// The last row that was looked at for it.
    pub until: Position,
}

/// How far the deletion of a segment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentProgress {
    /// The segment's number.
    pub number: i32,
    /// The name of its file.
    pub name: String,
    /// How far it is.
    pub progress: Progress,
}

/// A row of `cleanup_runs`, with its progress.
struct RunRow {
    id: String,
    cleanup_type: String,
    retention_days: i32,
    dry_run: bool,
    cutoff: DateTime<Utc>,
    state: String,
    planned_rows: i64,
    planned_held: i64,
    oldest: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    backup_reference: Option<String>,
    backup_rows: Option<i64>,
    position: i64,
    deleted_rows: i64,
    held_rows: i64,
    changed_rows: i64,
}

impl CleanupRepository {
    /// Begins a run, or finds the one of this id.
    pub async fn begin(&self, new: &NewRun<'_>) -> Result<Run, AnalyticsError> {
        sqlx::query!(
            "INSERT INTO cleanup_runs (id, cleanup_type, retention_days, dry_run, cutoff)
             VALUES ($1, $2, $3, $4, now() - make_interval(days => $3))
             ON CONFLICT (id) DO NOTHING",
            new.id,
            new.cleanup_type.as_str(),
            new.retention_days,
            new.dry_run
        )
        .execute(&self.pool)
        .await?;
        self.run(new.id)
            .await?
            .ok_or(AnalyticsError::ConcurrentChange)
    }

    /// The run of this id.
    pub async fn run(&self, id: &str) -> Result<Option<Run>, AnalyticsError> {
        let row = sqlx::query_as!(
            RunRow,
            "SELECT run.id, cleanup_type, retention_days, dry_run, cutoff, state, planned_rows,
                    planned_held, oldest, newest, created_at, backup_reference, backup_rows,
                    progress.position AS \"position!\", progress.deleted_rows AS \"deleted_rows!\",
                    progress.held_rows AS \"held_rows!\", progress.changed_rows AS \"changed_rows!\"
             FROM cleanup_runs AS run
             JOIN cleanup_progress AS progress ON progress.run_id = run.id
             WHERE run.id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Run::try_from).transpose()
    }

    /// Writes down what was counted.
    pub async fn finish_plan(&self, plan: &Plan) -> Result<(), AnalyticsError> {
        sqlx::query!(
            "UPDATE cleanup_runs
             SET state = 'planned', planned_rows = $2, planned_held = $3, oldest = $4, newest = $5,
                 updated_at = now()
             WHERE id = $1 AND state = 'planning'",
            plan.run_id,
            number(plan.rows),
            number(plan.held),
            plan.oldest,
            plan.newest
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The segments of a run that were stored and read back, in their order.
    pub async fn verified_segments(
        &self,
        run_id: &str,
    ) -> Result<Vec<StoredSegment>, AnalyticsError> {
        let rows = sqlx::query!(
            "SELECT name, sha256, bytes, rows, first_key, last_key, until_at, until_id
             FROM cleanup_segments
             WHERE run_id = $1 AND verified
             ORDER BY number",
            run_id
        )
        .fetch_all(&self.pool)
        .await?;
        let segments = rows.into_iter().map(|row| StoredSegment {
            entry: SegmentEntry {
                name: row.name,
                sha256: row.sha256,
                bytes: count(row.bytes),
                rows: count(row.rows),
                first_key: row.first_key,
                last_key: row.last_key,
            },
            until: Position {
                at: row.until_at,
                id: row.until_id,
            },
        });
        Ok(segments.collect())
    }

    /// How far the deletion of each segment of a run's backup is, in their order.
    pub async fn segments_progress(
        &self,
        run_id: &str,
    ) -> Result<Vec<SegmentProgress>, AnalyticsError> {
        let rows = sqlx::query!(
            "SELECT number, name, position, deleted_rows, held_rows, changed_rows
             FROM cleanup_segments
             WHERE run_id = $1 AND verified
             ORDER BY number",
            run_id
        )
        .fetch_all(&self.pool)
        .await?;
        let segments = rows.into_iter().map(|row| SegmentProgress {
            number: row.number,
            name: row.name,
            progress: Progress {
                position: count(row.position),
                deleted: count(row.deleted_rows),
                held: count(row.held_rows),
                changed: count(row.changed_rows),
            },
        });
        Ok(segments.collect())
    }

    /// Writes down that a segment will be stored, before it is.
    pub async fn begin_segment(
        &self,
        run_id: &str,
        number_of_it: i32,
        segment: &StoredSegment,
        mark: Mark,
    ) -> Result<(), AnalyticsError> {
        let StoredSegment { entry, until } = segment;
        let begun = sqlx::query!(
            "INSERT INTO cleanup_segments (run_id, number, name, sha256, bytes, rows, first_key,
                                           last_key, until_at, until_id, horizon, generation)
             SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
             FROM cleanup_runs
             WHERE id = $1 AND state = 'planned'
             ON CONFLICT (run_id, number) DO UPDATE
             SET name = excluded.name, sha256 = excluded.sha256, bytes = excluded.bytes,
                 rows = excluded.rows, first_key = excluded.first_key,
                 last_key = excluded.last_key, until_at = excluded.until_at,
                 until_id = excluded.until_id, horizon = excluded.horizon,
                 generation = excluded.generation
             WHERE NOT cleanup_segments.verified",
            run_id,
            number_of_it,
            entry.name,
            entry.sha256,
            number(entry.bytes),
            number(entry.rows),
            entry.first_key,
            entry.last_key,
            until.at,
            until.id,
            mark.horizon,
            mark.generation
        )
        .execute(&self.pool)
        .await?;
        // No row: another attempt has got further.
        ensure_one(&begun)
    }

    /// Writes down that a segment was stored and read back, with the copies of files of its rows.
    pub async fn finish_segment(
        &self,
        run_id: &str,
        number_of_it: i32,
        entry: &SegmentEntry,
        copies: &[String],
    ) -> Result<(), AnalyticsError> {
        let finished = sqlx::query!(
            "WITH finished AS (
                 UPDATE cleanup_segments
                 SET verified = true
                 WHERE run_id = $1 AND number = $2 AND name = $3
                 RETURNING run_id, name
             )
             UPDATE cleanup_files AS file
             SET kept = true
             FROM finished
             WHERE file.run_id = finished.run_id
               AND (file.name = finished.name OR file.name = ANY($4))",
            run_id,
            number_of_it,
            entry.name,
            copies
        )
        .execute(&self.pool)
        .await?;
        // The segment's own file, and its copies: fewer were never announced.
        if finished.rows_affected() == 1 + copies.len() as u64 {
            Ok(())
        } else {
            Err(AnalyticsError::ConcurrentChange)
        }
    }

    /// Writes down that a run's backup is whole.
    pub async fn finish_backup(&self, run_id: &str, backup: &Backup) -> Result<(), AnalyticsError> {
        let finished = sqlx::query!(
            "WITH forgotten AS (DELETE FROM cleanup_files WHERE run_id = $1)
             UPDATE cleanup_runs
             SET state = 'backed_up', backup_reference = $2, backup_rows = $3, updated_at = now()
             WHERE id = $1 AND (state = 'planned' OR backup_reference = $2)
               AND state <> 'deleted'",
            run_id,
            backup.reference,
            number(backup.rows)
        )
        .execute(&self.pool)
        .await?;
        ensure_one(&finished)
    }

    /// Writes down that all of a run's backup was gone through.
    pub async fn finish_deletion(&self, run_id: &str) -> Result<Run, AnalyticsError> {
        let finished = sqlx::query!(
            "UPDATE cleanup_runs AS run
             SET state = 'deleted', position = progress.position,
                 deleted_rows = progress.deleted_rows, held_rows = progress.held_rows,
                 changed_rows = progress.changed_rows, updated_at = now()
             FROM cleanup_progress AS progress
             WHERE run.id = $1 AND progress.run_id = run.id
               AND run.state IN ('backed_up', 'deleted') AND progress.position = run.backup_rows",
            run_id
        )
        .execute(&self.pool)
        .await?;
        ensure_one(&finished)?;
        self.run(run_id)
            .await?
            .ok_or(AnalyticsError::ConcurrentChange)
    }
}

impl TryFrom<RunRow> for Run {
    type Error = AnalyticsError;

    fn try_from(row: RunRow) -> Result<Self, AnalyticsError> {
        let unknown = |text: &str| {
            AnalyticsError::Invalid(format!(
                "{text:?} in cleanup_runs is not known to this build"
            ))
        };
        Ok(Self {
            cleanup_type: CleanupType::from_text(&row.cleanup_type)
                .ok_or_else(|| unknown(&row.cleanup_type))?,
            state: RunState::from_text(&row.state).ok_or_else(|| unknown(&row.state))?,
            id: row.id,
            retention_days: row.retention_days,
            dry_run: row.dry_run,
            cutoff: row.cutoff,
            planned_rows: count(row.planned_rows),
            planned_held: count(row.planned_held),
            oldest: row.oldest,
            newest: row.newest,
            begun: row.created_at,
            backup: row
                .backup_reference
                .zip(row.backup_rows)
                .map(|(reference, rows)| Backup {
                    reference,
                    rows: count(rows),
                }),
            progress: Progress {
                position: count(row.position),
                deleted: count(row.deleted_rows),
                held: count(row.held_rows),
                changed: count(row.changed_rows),
            },
        })
    }
}

fn ensure_one(result: &PgQueryResult) -> Result<(), AnalyticsError> {
    if result.rows_affected() == 1 {
        Ok(())
    } else {
        Err(AnalyticsError::ConcurrentChange)
    }
}
