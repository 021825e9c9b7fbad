//! `deleteItems` without rests: several segments at a time, each with its own count.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::{Either, join_all, select};
use partner_analytics::activities::cleanup::DeleteItemsInput;
use partner_analytics::cleanup::{CleanupType, DeletionCursor};
use partner_core::database::MIGRATOR;
use sqlx::{AssertSqlSafe, PgPool};

use crate::cleanup_support::{BATCH, SEGMENT, World, delete, done, failed, kills};
use crate::database::fresh_database;

/// Six segments, the last of which is not full: three batches each, and one.
const ROWS: i32 = 36;
const BATCHES: u32 = 16;

/// Each segment counts what is gone of it, and has gone through no more than it says. Keys are in the
/// order of their rows here.
async fn check_segments(world: &World) -> Result<()> {
    let wrong = world
        .count(
            "SELECT count(*)
             FROM cleanup_segments AS segment
             WHERE deleted_rows <> rows - (
                       SELECT count(*) FROM application_logs
                       WHERE id BETWEEN LEAST(segment.first_key, segment.last_key)
                                    AND GREATEST(segment.first_key, segment.last_key)
                   )
                OR deleted_rows <> position",
        )
        .await?;
    ensure!(wrong == 0, "{wrong} segments have counted wrongly");
    Ok(())
}

fn slice(batch: u32, batches: u32) -> DeleteItemsInput {
    DeleteItemsInput {
        batch_size: NonZeroU32::new(batch),
        max_batches: NonZeroU32::new(batches),
        ..delete(CleanupType::Logs)
    }
}

#[tokio::test]
async fn the_lanes_share_the_batches_of_a_slice() -> Result<()> {
    for most in [1, 2, 3, 5, BATCHES - 1, BATCHES, BATCHES + 1] {
        let (world, _) = World::backed_up(CleanupType::Logs, ROWS).await?;
        let mut batches = 0;
        loop {
            let reached = Mutex::new(Vec::new());
            let report = |cursor: DeletionCursor| reached.lock().unwrap().push(cursor);
            let input = slice(BATCH, most).into();
            let result = done(world.activities.delete(input, None, &report).await)?;
            let mut reached = reached.into_inner()?;
            // Before the first batch, the backup was checked.
            reached.retain(|cursor| cursor.position > 0);
            batches += u32::try_from(reached.len())?;
            ensure!(reached.len() <= most as usize, "more than {most}");
            check_segments(&world).await?;
            // What is reported is what all segments together have come to.
            ensure!(reached.is_sorted_by(|one, next| one.position < next.position));
            let last = reached.last().context("no report")?;
            assert_eq!(
                (last.position, last.deleted),
                (result.deleted_count, result.deleted_count)
            );
            assert_eq!(result.deleted_count, world.deleted().await?.unsigned_abs());
            assert_eq!(result.done, batches == BATCHES, "{most} at once");
            if result.done {
                break;
            }
            ensure!(reached.len() == most as usize, "fewer than {most}");
        }
        assert_eq!(world.deleted().await?, i64::from(ROWS));
    }
    Ok(())
}

#[tokio::test]
async fn a_segment_that_has_to_wait_does_not_hold_up_the_others() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
    // The oldest, in the first batch of the first segment.
    let key = *world
        .backup_rows(&backup)?
        .keys()
        .max()
        .context("no rows")?;
    let mut writer = world.pool.begin().await?;
    sqlx::query("SELECT FROM application_logs WHERE id = $1 FOR UPDATE")
        .bind(key)
        .execute(&mut *writer)
        .await?;
    // All but that one, and the one that is read meanwhile.
    let others = i64::from(ROWS) - 2 * i64::from(SEGMENT);
    let gone = async {
        while world.deleted().await? < others {}
        Ok::<_, anyhow::Error>(())
    };
    let deletion = pin!(world.delete(CleanupType::Logs));
    let Either::Right((gone, deletion)) = select(deletion, pin!(gone)).await else {
        bail!("it did not wait");
    };
    gone?;
    writer.rollback().await?;
    assert_eq!(done(deletion.await)?.deleted_count, 36);
    Ok(())
}

#[tokio::test]
async fn each_segment_goes_on_where_it_was_however_often_the_lanes_are_killed() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
    let backed_up = world.backup_rows(&backup)?;
    // Batches of other sizes each time: what was gone through is no multiple of any.
    for (polls, batch) in kills().zip((1..=SEGMENT + 1).cycle()) {
        let input = DeleteItemsInput {
            batch_size: NonZeroU32::new(batch),
            ..delete(CleanupType::Logs)
        };
        let result = world.killed_after(polls, world.delete_with(input)).await?;
        check_segments(&world).await?;
        if let Some(result) = result {
            assert_eq!(done(result)?.deleted_count, 36);
            break;
        }
    }
    let left = world.rows(CleanupType::Logs).await?;
    assert!(left.keys().all(|key| !backed_up.contains_key(key)));
    Ok(())
}

#[tokio::test]
async fn attempts_at_the_same_moment_with_other_batches_count_each_row_once() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
    let keys: Vec<_> = world.backup_rows(&backup)?.into_keys().collect();
    sqlx::query(
        "UPDATE application_logs SET legal_hold = id = $1, message = '' WHERE id IN ($1, $2)",
    )
    .bind(keys[10])
    .bind(keys[20])
    .execute(&world.pool)
    .await?;
    for most in [3, 1_000] {
        let attempts = (1..=5).map(|batch| world.delete_with(slice(batch, most)));
        for result in join_all(attempts).await {
            if result.is_err() {
                assert!(failed(result)?.1, "a failure that ends the retries");
            }
        }
    }
    let result = done(world.delete(CleanupType::Logs).await)?;
    assert_eq!(
        (
            result.deleted_count,
            result.held_count,
            result.changed_count
        ),
        (34, 1, 1)
    );
    let left = world.rows(CleanupType::Logs).await?;
    assert_eq!(left.len(), 2 + 3);
    Ok(())
}

async fn execute(pool: &PgPool, statements: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(pool)
        .await?;
    Ok(())
}

/// A run that an earlier build has begun to delete goes on where it was.
#[tokio::test]
async fn the_migration_takes_over_how_far_runs_are() -> Result<()> {
    let pool = fresh_database().await?;
    execute(
        &pool,
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public".to_owned(),
    )
    .await?;
    let by_segment = |version| version >= 20_261_128_000_064;
    for migration in MIGRATOR
        .iter()
        .filter(|migration| !by_segment(migration.version))
    {
        execute(&pool, migration.sql.as_str().to_owned()).await?;
    }
    execute(
        &pool,
        "INSERT INTO cleanup_runs (id, cleanup_type, retention_days, dry_run, cutoff, state,
                                   backup_reference, backup_rows, position, deleted_rows, held_rows,
                                   changed_rows)
         VALUES ('under way', 'logs', 1, false, now(), 'backed_up', 'a', 17, 9, 6, 2, 1),
                ('through', 'logs', 1, false, now(), 'deleted', 'b', 17, 17, 15, 0, 2),
                ('begins', 'logs', 1, false, now(), 'backed_up', 'c', 17, 0, 0, 0, 0),
                ('planned', 'logs', 1, false, now(), 'planned', NULL, NULL, 0, 0, 0, 0);
         INSERT INTO cleanup_segments (run_id, number, name, sha256, bytes, rows, first_key, last_key,
                                       until_at, until_id, verified)
         SELECT id, number, '', '', 0, CASE number WHEN 2 THEN 3 ELSE 7 END, 0, 0, now(), 0,
                id <> 'planned'
         FROM cleanup_runs, generate_series(0, 2) AS number"
            .to_owned(),
    )
    .await?;
    for migration in MIGRATOR
        .iter()
        .filter(|migration| by_segment(migration.version))
    {
        execute(&pool, migration.sql.as_str().to_owned()).await?;
    }
    let positions: Vec<(String, Vec<i64>)> = sqlx::query_as(
        "SELECT run_id, array_agg(position ORDER BY number) FROM cleanup_segments
         GROUP BY run_id ORDER BY run_id",
    )
    .fetch_all(&pool)
    .await?;
    let expected = [
        ("begins", vec![0, 0, 0]),
        ("planned", vec![0, 0, 0]),
        ("through", vec![7, 7, 3]),
        ("under way", vec![7, 2, 0]),
    ];
    assert_eq!(positions, expected.map(|(id, at)| (id.to_owned(), at)));
    let other: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM cleanup_runs AS run JOIN cleanup_progress AS progress ON progress.run_id = run.id
         WHERE (run.position, run.deleted_rows, run.held_rows, run.changed_rows)
               <> (progress.position, progress.deleted_rows, progress.held_rows, progress.changed_rows)",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(other, 0);
    Ok(())
}
