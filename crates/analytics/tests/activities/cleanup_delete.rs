//! `deleteItems`: what is in the backup, as it is there, and nothing else.

use std::fs;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::{Either, join_all, select};
use futures::poll;
use partner_analytics::activities::cleanup::DeleteItemsInput;
use partner_analytics::cleanup::{CleanupType, DeletionCursor};

use crate::cleanup_support::{BATCH, Rows, World, delete, done, failed, kills, refused};

const ROWS: i32 = 17;

#[tokio::test]
async fn exactly_what_is_in_the_backup_goes_once() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let (world, backup) = World::backed_up(cleanup_type, ROWS).await?;
        let mut rows = world.rows(cleanup_type).await?;
        let backed_up = world.backup_rows(&backup)?;
        for _ in 0..2 {
            let result = done(world.delete(cleanup_type).await)?;
            assert_eq!(
                (result.deleted_count, result.done, result.success),
                (17, true, true)
            );
            assert_eq!((result.held_count, result.changed_count), (0, 0));
        }
        rows.retain(|key, _| !backed_up.contains_key(key));
        assert_eq!(rows.len(), 3);
        assert_eq!(world.rows(cleanup_type).await?, rows);
    }
    Ok(())
}

#[tokio::test]
async fn what_was_changed_or_put_under_hold_after_the_backup_stays() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let (world, backup) = World::backed_up(cleanup_type, ROWS).await?;
        let keys: Vec<_> = world.backup_rows(&backup)?.into_keys().collect();
        let ids = format!("{}, {}, {}", keys[0], keys[5], keys[16]);
        for statement in [
            format!(
                "UPDATE {} SET legal_hold = true WHERE id = {}",
                cleanup_type.table(),
                keys[3]
            ),
            format!(
                "DELETE FROM {} WHERE id = {}",
                cleanup_type.table(),
                keys[4]
            ),
            match cleanup_type {
                CleanupType::Logs => format!(
                    "UPDATE application_logs SET fields = fields || '{{\"exact\": 1.0}}' WHERE id IN ({ids})"
                ),
                CleanupType::Sessions => format!(
                    "UPDATE sessions SET last_seen_at = last_seen_at + interval '1 microsecond' WHERE id IN ({ids})"
                ),
                CleanupType::TempFiles => {
                    format!("UPDATE temp_files SET owner_id = '' WHERE id IN ({ids})")
                }
            },
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(&world.pool)
                .await?;
        }
        let before = world.rows(cleanup_type).await?;
        let result = done(world.delete(cleanup_type).await)?;
        assert_eq!(result.deleted_count, 12, "{cleanup_type}");
        assert_eq!(
            (result.held_count, result.changed_count),
            (1, 3),
            "{cleanup_type}"
        );
        let after = world.rows(cleanup_type).await?;
        for key in [0, 3, 5, 16].map(|index| keys[index]) {
            assert_eq!(after.get(&key), before.get(&key), "{cleanup_type}");
        }
        assert_eq!(after.len(), 4 + 3);
    }
    Ok(())
}

#[tokio::test]
async fn an_old_row_that_is_not_in_the_backup_stays() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
    let backed_up = world.backup_rows(&backup)?;
    world.add_rows(CleanupType::Logs, 5).await?;
    done(world.delete(CleanupType::Logs).await)?;
    let left = world.rows(CleanupType::Logs).await?;
    assert_eq!(left.len(), 3 + 5 + 3);
    assert!(left.keys().all(|key| !backed_up.contains_key(key)));
    Ok(())
}

/// Whatever happened: what is gone is in the backup, and the count is that of what is gone.
async fn check(
    world: &World,
    cleanup_type: CleanupType,
    before: &Rows,
    backup: &Rows,
) -> Result<u64> {
    let after = world.rows(cleanup_type).await?;
    let mut gone = 0;
    for (key, text) in before.iter().filter(|(key, _)| !after.contains_key(key)) {
        ensure!(
            backup.get(key) == Some(text),
            "{key} is gone and not in the backup"
        );
        gone += 1;
    }
    let counted = world.deleted().await?;
    ensure!(
        counted.unsigned_abs() == gone,
        "{gone} are gone, {counted} were counted"
    );
    Ok(gone)
}

#[tokio::test]
async fn a_deletion_that_was_killed_anywhere_goes_on_and_counts_each_row_once() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let (world, backup) = World::backed_up(cleanup_type, ROWS).await?;
        let before = world.rows(cleanup_type).await?;
        let backup = world.backup_rows(&backup)?;
        for polls in kills() {
            let result = world
                .killed_after(polls, world.delete(cleanup_type))
                .await?;
            if let Some(result) = result {
                assert_eq!(done(result)?.deleted_count, 17, "{cleanup_type}");
                break;
            }
            check(&world, cleanup_type, &before, &backup).await?;
        }
        assert_eq!(check(&world, cleanup_type, &before, &backup).await?, 17);
    }
    Ok(())
}

#[tokio::test]
async fn a_deletion_that_was_killed_after_a_batch_goes_on_with_the_next() -> Result<()> {
    let (world, _) = World::backed_up(CleanupType::Logs, ROWS).await?;
    for batch in 1..=3_u32 {
        let input = DeleteItemsInput {
            max_batches: NonZeroU32::new(1),
            ..delete(CleanupType::Logs)
        };
        let reached = Mutex::new(None);
        let report = |cursor: DeletionCursor| *reached.lock().unwrap() = Some(cursor);
        let result = done(world.activities.delete(input.into(), None, &report).await)?;
        assert_eq!(result.deleted_count, batch_end(batch));
        assert!(!result.done);
        let cursor = reached.into_inner()?.context("no report")?;
        assert_eq!(
            (cursor.position, cursor.deleted),
            (batch_end(batch), batch_end(batch))
        );
    }
    let result = done(world.delete(CleanupType::Logs).await)?;
    assert_eq!((result.deleted_count, result.done), (17, true));
    Ok(())
}

/// After how many rows a batch ends: the third ends with the segment.
fn batch_end(batch: u32) -> u64 {
    u64::from((batch * BATCH).min(7))
}

#[tokio::test]
async fn between_two_batches_the_database_has_its_rest() -> Result<()> {
    let world = World::with_pause(Duration::from_hours(1)).await?;
    world.add_rows(CleanupType::Logs, ROWS).await?;
    world.identify(CleanupType::Logs).await?;
    done(world.back_up(CleanupType::Logs).await)?;
    let first_batch = async {
        while world.deleted().await? == 0 {}
        Ok::<_, anyhow::Error>(())
    };
    let deletion = pin!(world.delete(CleanupType::Logs));
    let Either::Right((reached, deletion)) = select(deletion, pin!(first_batch)).await else {
        bail!("it did not wait");
    };
    reached?;
    world.settled().await?;
    assert!(poll!(deletion).is_pending());
    world.settled().await?;
    assert_eq!(world.deleted().await?, 3);
    Ok(())
}

#[tokio::test]
async fn those_who_delete_at_the_same_moment_count_each_row_once() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, 100).await?;
    let before = world.rows(CleanupType::Logs).await?;
    let backup = world.backup_rows(&backup)?;
    let results = join_all((0..6).map(|_| world.delete(CleanupType::Logs))).await;
    assert!(results.iter().any(Result::is_ok), "{results:?}");
    for result in results {
        if result.is_err() {
            assert!(failed(result)?.1, "a failure that ends the retries");
        }
    }
    assert_eq!(
        check(&world, CleanupType::Logs, &before, &backup).await?,
        100
    );
    // The run's own figures are those of its segments together, from its end on.
    for kept in [
        "SELECT held_rows + changed_rows FROM cleanup_runs",
        "SELECT held_rows + changed_rows FROM cleanup_progress",
        "SELECT deleted_rows - 100 FROM cleanup_runs",
        "SELECT position - 100 FROM cleanup_runs",
    ] {
        assert_eq!(world.count(kept).await?, 0, "{kept}");
    }
    Ok(())
}

#[tokio::test]
async fn a_backup_that_is_not_what_was_stored_deletes_nothing() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let (world, _) = World::backed_up(cleanup_type, ROWS).await?;
        let rows = world.rows(cleanup_type).await?;
        for name in world.files("backups")?.into_keys() {
            let path = world.home.path().join(&name);
            let content = fs::read(&path)?;
            let mut flipped = content.clone();
            let middle = flipped.len() / 2;
            flipped[middle] ^= 1;
            let cut = content[..content.len() - 1].to_vec();
            let mut grown = content.clone();
            grown.push(b'\n');
            for damaged in [
                Some(flipped),
                Some(cut),
                Some(grown),
                Some(Vec::new()),
                None,
            ] {
                match damaged {
                    Some(damaged) => fs::write(&path, damaged)?,
                    None => fs::remove_file(&path)?,
                }
                let (code, retryable, message) = failed(world.delete(cleanup_type).await)?;
                assert_eq!(
                    (code.as_str(), retryable),
                    ("EXTERNAL_SERVICE_ERROR", false),
                    "{name}"
                );
                assert!(message.contains("cannot be relied upon"), "{message}");
                assert!(world.rows(cleanup_type).await? == rows, "{name}");
            }
            fs::write(&path, content)?;
        }
        assert_eq!(done(world.delete(cleanup_type).await)?.deleted_count, 17);
    }
    Ok(())
}

#[tokio::test]
async fn without_a_backup_nothing_is_deleted() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, ROWS).await?;
    let rows = world.rows(CleanupType::Logs).await?;
    refused(
        world.delete(CleanupType::Logs).await,
        "identifyCleanupItems",
    )?;
    world.identify(CleanupType::Logs).await?;
    refused(world.delete(CleanupType::Logs).await, "has no backup")?;
    refused(
        world.delete(CleanupType::Sessions).await,
        "identifyCleanupItems",
    )?;
    assert_eq!(world.rows(CleanupType::Logs).await?, rows);
    Ok(())
}

#[tokio::test]
async fn the_database_itself_refuses_a_count_that_is_not_backed_up() -> Result<()> {
    let (world, _) = World::backed_up(CleanupType::Logs, ROWS).await?;
    for statement in [
        "UPDATE cleanup_runs SET deleted_rows = 18, position = 18",
        "UPDATE cleanup_runs SET deleted_rows = 1",
        "UPDATE cleanup_runs SET dry_run = true",
        "UPDATE cleanup_runs SET backup_reference = NULL, backup_rows = NULL",
    ] {
        let error = world.run(statement).await.unwrap_err();
        assert!(
            error.to_string().contains("cleanup_runs_"),
            "{statement}: {error}"
        );
    }
    for statement in [
        "UPDATE cleanup_segments SET deleted_rows = 8, position = 8",
        "UPDATE cleanup_segments SET deleted_rows = 1",
        "UPDATE cleanup_segments SET position = 1, verified = false",
    ] {
        let error = world.run(statement).await.unwrap_err();
        assert!(
            error.to_string().contains("cleanup_segments_"),
            "{statement}: {error}"
        );
    }
    Ok(())
}
