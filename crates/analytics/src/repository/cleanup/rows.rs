//! The rows that are cleaned up. They are found by a view that has all tables in one shape; what changes
//! a table is written once, and checked against each of them.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use super::{CleanupRepository, Progress, Run, count, number};
use crate::cleanup::{CleanupType, Position};
use crate::error::AnalyticsError;

/// A row as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// Its key.
    pub id: i64,
    /// From when it is.
    pub at: DateTime<Utc>,
    /// A hash of all its columns: another one once any of them has changed.
    pub fingerprint: i64,
    /// The whole of it as JSON.
    pub text: String,
}

/// The rows that are left of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// How many.
    pub rows: u64,
    /// From when the newest of them is.
    pub newest: Option<DateTime<Utc>>,
}

/// Rows to delete, as long as they are what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch<'a> {
    /// Their keys.
    pub keys: &'a [i64],
    /// The fingerprint of each.
    pub fingerprints: &'a [i64],
}

/// What became of rows that were put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredRows {
    /// How many were.
    pub restored: u64,
    /// The keys of those in whose place there is another row.
    pub conflicting: Vec<i64>,
}

/// A run's progress, as PostgreSQL has it.
struct Gone {
    position: i64,
    deleted_rows: i64,
    held_rows: i64,
    changed_rows: i64,
}

/// Runs a statement on the table of a type, given its name, what is needed of a deleted row, and what
/// follows from its deletion. A
/// macro, because only a literal can be checked at compile time.
macro_rules! on_table {
    ($cleanup_type:expr, $statement:ident, $($argument:expr),* $(,)?) => {
        match $cleanup_type {
            CleanupType::Logs => $statement!("application_logs", "id", "", $($argument),*),
            CleanupType::Sessions => $statement!("sessions", "id", "", $($argument),*),
            CleanupType::TempFiles => $statement!(
                "temp_files",
                "id, cleaned.object_reference",
                ", left_files AS (
                     INSERT INTO temp_file_deletions (object_reference, run_id)
                     SELECT object_reference, $3 FROM deleted
                     ON CONFLICT (object_reference) DO NOTHING
                 )",
                $($argument),*
            ),
        }
    };
}

// A row that somebody changes meanwhile is waited for and looked at again. The run's own row is part of
// the condition and of the statement, so that nothing goes without a backup or without being counted.
// Those that stay are looked for only if there are any, and under a lock: without one, a row would
// count as staying that another attempt has deleted since the statement began.
#[rustfmt::skip]
macro_rules! delete_batch {
    ($table:literal, $returned:literal, $then:literal, $pool:expr, $run:expr, $batch:expr, $position:expr) => {
        sqlx::query_as!(
            Gone,
            "WITH batch AS (
                 SELECT batch.id, batch.fingerprint
                 FROM unnest($1::bigint[], $2::bigint[]) AS batch (id, fingerprint)
                 WHERE EXISTS (
                     SELECT FROM cleanup_runs
                     WHERE id = $3 AND cleanup_type = $4 AND state = 'backed_up' AND NOT dry_run
                 )
             ), deleted AS (
                 DELETE FROM " + $table + " AS cleaned
                 USING batch
                 WHERE cleaned.id = batch.id
                   AND NOT cleaned.legal_hold
                   AND cleanup_fingerprint(cleaned) = batch.fingerprint
                 RETURNING cleaned." + $returned + "
             ), there AS (
                 SELECT cleaned.legal_hold
                 FROM " + $table + " AS cleaned
                 JOIN batch USING (id)
                 WHERE (SELECT count(*) FROM deleted) < cardinality($1)
                   AND cleaned.id NOT IN (SELECT id FROM deleted)
                 FOR KEY SHARE OF cleaned
             ), kept AS (
                 SELECT count(*) FILTER (WHERE legal_hold) AS held,
                        count(*) FILTER (WHERE NOT legal_hold) AS changed
                 FROM there
             )" + $then + "
             UPDATE cleanup_runs AS run
             SET deleted_rows = run.deleted_rows + (SELECT count(*) FROM deleted),
                 held_rows = run.held_rows
                     + CASE WHEN run.position < $5 THEN (SELECT held FROM kept) ELSE 0 END,
                 changed_rows = run.changed_rows
                     + CASE WHEN run.position < $5 THEN (SELECT changed FROM kept) ELSE 0 END,
                 position = GREATEST(run.position, $5),
                 updated_at = now()
             WHERE run.id = $3 AND run.state = 'backed_up'
             RETURNING run.position, run.deleted_rows, run.held_rows, run.changed_rows",
            $batch.keys,
            $batch.fingerprints,
            $run.id,
            $run.cleanup_type.as_str(),
            $position
        )
        .fetch_optional($pool)
        .await
    };
}

#[rustfmt::skip]
macro_rules! restore_rows {
    ($table:literal, $_returned:literal, $_then:literal, $pool:expr, $texts:expr) => {
        sqlx::query!(
            "INSERT INTO " + $table + " OVERRIDING SYSTEM VALUE
             SELECT restored.*
             FROM unnest($1::text[]) AS batch (content),
                  json_populate_record(NULL::" + $table + ", batch.content::json) AS restored
             ON CONFLICT DO NOTHING",
            $texts
        )
        .execute($pool)
        .await
    };
}

#[rustfmt::skip]
macro_rules! conflicting_rows {
    ($table:literal, $_returned:literal, $_then:literal, $pool:expr, $keys:expr, $texts:expr) => {
        sqlx::query_scalar!(
            "SELECT batch.id AS \"id!\"
             FROM unnest($1::bigint[], $2::text[]) AS batch (id, content)
             LEFT JOIN " + $table + " AS there ON there.id = batch.id
             WHERE there.id IS NULL OR row_to_json(there)::text <> batch.content",
            $keys,
            $texts
        )
        .fetch_all($pool)
        .await
    };
}

impl CleanupRepository {
    /// The nth row after a position, of those that are older than the cutoff and not under hold.
    pub async fn nth_after(
        &self,
        cleanup_type: CleanupType,
        cutoff: DateTime<Utc>,
        after: Position,
        nth: i64,
    ) -> Result<Option<Position>, AnalyticsError> {
        let found = sqlx::query!(
            "SELECT id AS \"id!\", at AS \"at!\"
             FROM cleanable_rows
             WHERE cleanup_type = $1 AND at < $2 AND NOT legal_hold AND (at, id) > ($3, $4)
             ORDER BY at, id
             OFFSET $5
             LIMIT 1",
            cleanup_type.as_str(),
            cutoff,
            after.at,
            after.id,
            nth - 1
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.map(|row| Position {
            at: row.at,
            id: row.id,
        }))
    }

    /// All of them after a position.
    pub async fn count_after(
        &self,
        cleanup_type: CleanupType,
        cutoff: DateTime<Utc>,
        after: Position,
    ) -> Result<Rest, AnalyticsError> {
        let counted = sqlx::query!(
            "SELECT count(*) AS \"rows!\", max(at) AS newest
             FROM cleanable_rows
             WHERE cleanup_type = $1 AND at < $2 AND NOT legal_hold AND (at, id) > ($3, $4)",
            cleanup_type.as_str(),
            cutoff,
            after.at,
            after.id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Rest {
            rows: count(counted.rows),
            newest: counted.newest,
        })
    }

    /// How many rows are older than the cutoff and under hold.
    pub async fn count_held(
        &self,
        cleanup_type: CleanupType,
        cutoff: DateTime<Utc>,
    ) -> Result<u64, AnalyticsError> {
        let held = sqlx::query_scalar!(
            "SELECT count(*) AS \"held!\"
             FROM cleanable_rows
             WHERE cleanup_type = $1 AND at < $2 AND legal_hold",
            cleanup_type.as_str(),
            cutoff
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count(held))
    }

    /// The rows after a position: so many of them, and not many more bytes than that.
    pub async fn page_after(
        &self,
        cleanup_type: CleanupType,
        cutoff: DateTime<Utc>,
        after: Position,
        rows: i64,
        bytes: usize,
    ) -> Result<Vec<StoredRow>, AnalyticsError> {
        let mut found = sqlx::query_as!(
            StoredRow,
            "SELECT id AS \"id!\", at AS \"at!\", content AS \"text!\",
                    fingerprint AS \"fingerprint!\"
             FROM cleanable_rows
             WHERE cleanup_type = $1 AND at < $2 AND NOT legal_hold AND (at, id) > ($3, $4)
             ORDER BY at, id
             LIMIT $5",
            cleanup_type.as_str(),
            cutoff,
            after.at,
            after.id,
            rows
        )
        .fetch(&self.pool);
        let mut page = Vec::new();
        let mut read = 0;
        while let Some(row) = found.try_next().await? {
            read += row.text.len();
            page.push(row);
            if read >= bytes {
                break;
            }
        }
        Ok(page)
    }

    /// Deletes those rows that are what they were and not under hold, and writes down that the run is
    /// through with all rows up to this one, `reached`.
    pub async fn delete_batch(
        &self,
        run: &Run,
        batch: Batch<'_>,
        reached: u64,
    ) -> Result<Progress, AnalyticsError> {
        let position = number(reached);
        let gone = on_table!(
            run.cleanup_type,
            delete_batch,
            &self.pool,
            run,
            batch,
            position
        )?;
        // No row: the run is not what it was when it was read.
        let gone = gone.ok_or(AnalyticsError::ConcurrentChange)?;
        Ok(Progress {
            position: count(gone.position),
            deleted: count(gone.deleted_rows),
            held: count(gone.held_rows),
            changed: count(gone.changed_rows),
        })
    }

    /// Puts rows back where there are none.
    pub async fn restore_batch(
        &self,
        cleanup_type: CleanupType,
        keys: &[i64],
        texts: &[String],
    ) -> Result<RestoredRows, AnalyticsError> {
        let restored = on_table!(cleanup_type, restore_rows, &self.pool, texts)?;
        let conflicting = on_table!(cleanup_type, conflicting_rows, &self.pool, keys, texts)?;
        if let Some(highest) = keys.iter().max() {
            self.skip_keys(cleanup_type, *highest).await?;
        }
        Ok(RestoredRows {
            restored: restored.rows_affected(),
            conflicting,
        })
    }

    /// Lets new rows have keys above this one, also in a table that was made anew.
    async fn skip_keys(
        &self,
        cleanup_type: CleanupType,
        highest: i64,
    ) -> Result<(), AnalyticsError> {
        sqlx::query_scalar!(
            "SELECT setval(keys.sequence, $2)
             FROM (SELECT pg_get_serial_sequence($1, 'id')::regclass AS sequence) AS keys
             WHERE $2 > COALESCE(pg_sequence_last_value(keys.sequence), 0)",
            cleanup_type.table(),
            highest
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(())
    }
}
