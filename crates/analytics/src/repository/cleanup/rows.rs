//! The rows that are cleaned up. They are found by a view that has all tables in one shape; what changes
//! a table is written once, and checked against each of them.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use super::{CleanupRepository, Progress, Run, Session, count, number};
use crate::cleanup::{CleanupType, Position};
use crate::error::AnalyticsError;

/// A row as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// Its key.
    pub id: i64,
    /// From when it is.
    pub at: DateTime<Utc>,
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
    /// The SHA-256 of each row's text.
    pub hashes: &'a [[u8; 32]],
}

/// Where a batch belongs.
#[derive(Debug, Clone, Copy)]
pub struct BatchPlace<'a> {
    /// Whose backup has it.
    pub run: &'a Run,
    /// In which of its segments: whose rows were read after its mark.
    pub segment: i32,
    /// How many of the segment's rows there are up to its end.
    pub reached: u64,
}

/// The moment from which on a row that is to be what it was must not have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Every transaction before this one was over.
    pub horizon: i64,
    /// What the table was: see the view `cleaned_generations`.
    pub generation: i64,
}

/// What became of rows that were put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredRows {
    /// How many were.
    pub restored: u64,
    /// The keys of those in whose place there is another row.
    pub conflicting: Vec<i64>,
}

/// A segment's progress, as PostgreSQL has it.
struct Gone {
    position: i64,
    deleted_rows: i64,
    held_rows: i64,
    changed_rows: i64,
}

/// Runs a statement on the table of a type, given the type, the table's name, what is needed of a
/// deleted row, and what follows from its deletion. A macro, because only a literal can be checked at
/// compile time; and because PostgreSQL leaves the other tables alone if it reads the type there.
macro_rules! on_table {
    ($cleanup_type:expr, $statement:ident, $($argument:expr),* $(,)?) => {
        match $cleanup_type {
            CleanupType::Logs => {
                $statement!("logs", "application_logs", "id", "", $($argument),*)
            }
            CleanupType::Sessions => $statement!("sessions", "sessions", "id", "", $($argument),*),
            CleanupType::TempFiles => $statement!(
                "temp_files",
                "temp_files",
                "id, cleaned.object_reference",
                ", left_files AS (
                     INSERT INTO temp_file_deletions (object_reference, run_id)
                     SELECT object_reference, $1 FROM deleted
                     ON CONFLICT (object_reference) DO NOTHING
                 )",
                $($argument),*
            ),
        }
    };
}

#[rustfmt::skip]
macro_rules! nth_after {
    ($type:literal, $_table:literal, $_returned:literal, $_then:literal,
     $pool:expr, $cutoff:expr, $after:expr, $skipped:expr) => {
        sqlx::query_as!(
            Position,
            "SELECT id AS \"id!\", at AS \"at!\"
             FROM cleanable_rows
             WHERE cleanup_type = '" + $type + "' AND at < $1 AND NOT legal_hold
               AND (at, id) > ($2, $3)
             ORDER BY at, id
             OFFSET $4
             LIMIT 1",
            $cutoff,
            $after.at,
            $after.id,
            $skipped
        )
        .fetch_optional($pool)
        .await
    };
}

#[rustfmt::skip]
macro_rules! page_after {
    ($type:literal, $_table:literal, $_returned:literal, $_then:literal,
     $connection:expr, $cutoff:expr, $after:expr, $rows:expr) => {
        sqlx::query_as!(
            StoredRow,
            "SELECT id AS \"id!\", at AS \"at!\", content AS \"text!\"
             FROM cleanable_rows
             WHERE cleanup_type = '" + $type + "' AND at < $1 AND NOT legal_hold
               AND (at, id) > ($2, $3)
             ORDER BY at, id
             LIMIT $4",
            $cutoff,
            $after.at,
            $after.id,
            $rows
        )
        .fetch($connection)
    };
}

#[rustfmt::skip]
macro_rules! mark {
    ($_type:literal, $table:literal, $_returned:literal, $_then:literal, $connection:expr) => {
        sqlx::query_as!(
            Mark,
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS \"horizon!\",
                    generation AS \"generation!\"
             FROM cleaned_generations
             WHERE table_id = '" + $table + "'::regclass"
        )
        .fetch_one($connection)
        .await
    };
}

// What there is of a row and was written before the segment's mark, was there when the segment was read, and
// so is what it is in there: such a row goes without being read. (Transaction ids come again; they are
// compared for as long as they cannot have.) Those that were written since go if their text is the same,
// and are looked for only if there may be any. So are those that stay, and under a lock: without one, a row
// would count as staying that another attempt has deleted since the statement began.
//
// A row that somebody changes meanwhile is waited for and looked at again, with what the statement has
// worked out by then. A subquery on a deletion cannot be worked out again: hence the arrays.
//
// Whether the run may delete is asked once, for all of the statement: so that nothing goes without a
// backup, and nothing without being counted.
#[rustfmt::skip]
macro_rules! delete_batch {
    ($_type:literal, $table:literal, $returned:literal, $then:literal,
     $connection:expr, $place:expr, $batch:expr) => {
        sqlx::query_as!(
            Gone,
            "WITH permitted AS (
                 SELECT segment.horizon, segment.generation
                 FROM cleanup_runs AS run
                 JOIN cleanup_segments AS segment ON segment.run_id = run.id
                 WHERE run.id = $1 AND run.cleanup_type = $2 AND run.state = 'backed_up'
                   AND NOT run.dry_run AND segment.number = $3
             ), same AS (
                 DELETE FROM " + $table + " AS cleaned
                 WHERE cleaned.id = ANY ($5)
                   AND NOT cleaned.legal_hold
                   AND age(cleaned.xmin) > (
                       SELECT age(permitted.horizon::text::xid8::xid)
                       FROM permitted
                       JOIN cleaned_generations AS now USING (generation)
                       WHERE now.table_id = '" + $table + "'::regclass
                         AND pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                             < permitted.horizon + 2000000000
                   )
                 RETURNING cleaned." + $returned + "
             ), rewritten AS (
                 DELETE FROM " + $table + " AS cleaned
                 USING unnest($5::bigint[], $6::bytea[]) AS batch (id, hash)
                 WHERE (SELECT count(*) FROM same) < cardinality($5)
                   AND cleaned.id = batch.id
                   AND cleaned.id <> ALL (ARRAY(SELECT id FROM same))
                   AND NOT cleaned.legal_hold
                   AND sha256(convert_to(row_to_json(cleaned)::text, 'UTF8')) = batch.hash
                   AND EXISTS (SELECT FROM permitted)
                 RETURNING cleaned." + $returned + "
             ), deleted AS NOT MATERIALIZED (
                 SELECT * FROM same UNION ALL SELECT * FROM rewritten
             ), there AS (
                 SELECT cleaned.legal_hold
                 FROM " + $table + " AS cleaned
                 WHERE (SELECT count(*) FROM deleted) < cardinality($5)
                   AND cleaned.id = ANY ($5)
                   AND cleaned.id <> ALL (ARRAY(SELECT id FROM deleted))
                 FOR SHARE OF cleaned
             ), kept AS (
                 SELECT count(*) FILTER (WHERE legal_hold) AS held,
                        count(*) FILTER (WHERE NOT legal_hold) AS changed
                 FROM there
             )" + $then + "
             UPDATE cleanup_segments AS segment
             SET deleted_rows = segment.deleted_rows + (SELECT count(*) FROM deleted),
                 held_rows = segment.held_rows
                     + CASE WHEN segment.position < $4 THEN (SELECT held FROM kept) ELSE 0 END,
                 changed_rows = segment.changed_rows
                     + CASE WHEN segment.position < $4 THEN (SELECT changed FROM kept) ELSE 0 END,
                 position = GREATEST(segment.position, $4)
             WHERE segment.run_id = $1 AND segment.number = $3 AND EXISTS (SELECT FROM permitted)
             RETURNING segment.position, segment.deleted_rows, segment.held_rows,
                       segment.changed_rows",
            $place.run.id,
            $place.run.cleanup_type.as_str(),
            $place.segment,
            number($place.reached),
            $batch.keys,
            $batch.hashes as _
        )
        .fetch_optional($connection)
        .await
    };
}

#[rustfmt::skip]
macro_rules! restore_rows {
    ($_type:literal, $table:literal, $_returned:literal, $_then:literal, $pool:expr, $texts:expr) => {
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
    ($_type:literal, $table:literal, $_returned:literal, $_then:literal, $pool:expr, $keys:expr, $texts:expr) => {
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

impl Session {
    /// The mark of what is read from here on.
    pub async fn mark(&mut self, cleanup_type: CleanupType) -> Result<Mark, AnalyticsError> {
        Ok(on_table!(cleanup_type, mark, &mut *self.0)?)
    }

    /// The rows after a position: so many of them, and not many more bytes than that.
    pub async fn page_after(
        &mut self,
        cleanup_type: CleanupType,
        cutoff: DateTime<Utc>,
        after: Position,
        rows: i64,
        bytes: usize,
    ) -> Result<Vec<StoredRow>, AnalyticsError> {
        let mut found = on_table!(cleanup_type, page_after, &mut *self.0, cutoff, after, rows);
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

    /// Deletes those rows that are what they were and not under hold, and writes down that the
    /// segment was gone through up to the batch's end; how far it is.
    pub async fn delete_batch(
        &mut self,
        place: BatchPlace<'_>,
        batch: Batch<'_>,
    ) -> Result<Progress, AnalyticsError> {
        let gone = on_table!(
            place.run.cleanup_type,
            delete_batch,
            &mut *self.0,
            place,
            batch
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
        let skipped = nth - 1;
        let found = on_table!(cleanup_type, nth_after, &self.pool, cutoff, after, skipped)?;
        Ok(found)
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
