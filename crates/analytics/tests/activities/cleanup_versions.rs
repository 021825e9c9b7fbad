//! `deleteItems`: a row is what it is in the backup if it was not written since, or has the same text.

use std::collections::BTreeMap;
use std::pin::pin;

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::{Either, select};
use partner_analytics::activities::cleanup::DeleteItemsResult;
use partner_analytics::cleanup::CleanupType;

use crate::cleanup_support::{World, done};

const ROWS: i32 = 17;

fn counts(result: &DeleteItemsResult) -> (u64, u64, u64) {
    (
        result.deleted_count,
        result.held_count,
        result.changed_count,
    )
}

async fn run(world: &World, statement: String) -> Result<()> {
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&world.pool)
        .await?;
    Ok(())
}

/// The place of each row, and the transaction that wrote it.
async fn versions(
    world: &World,
    cleanup_type: CleanupType,
) -> Result<BTreeMap<i64, (String, String)>> {
    let statement = format!(
        "SELECT id, ctid::text, xmin::text FROM {}",
        cleanup_type.table()
    );
    let rows: Vec<(i64, String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .fetch_all(&world.pool)
        .await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(id, place, version)| (id, (place, version)))
        .collect())
}

#[tokio::test]
async fn a_row_that_was_written_again_as_it_was_goes() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let table = cleanup_type.table();
        let column = match cleanup_type {
            CleanupType::Logs => "message",
            CleanupType::Sessions => "user_id",
            CleanupType::TempFiles => "file_name",
        };
        for statements in [
            vec![format!("UPDATE {table} SET legal_hold = legal_hold")],
            vec![format!(
                "UPDATE {table} SET legal_hold = legal_hold WHERE id % 3 = 0"
            )],
            vec![format!("VACUUM FULL {table}")],
            vec![
                format!("UPDATE {table} SET {column} = {column} || '!'"),
                format!("UPDATE {table} SET {column} = rtrim({column}, '!') WHERE id % 2 = 0"),
                format!("UPDATE {table} SET {column} = rtrim({column}, '!')"),
            ],
        ] {
            let (world, _) = World::backed_up(cleanup_type, ROWS).await?;
            let (rows, before) = (
                world.rows(cleanup_type).await?,
                versions(&world, cleanup_type).await?,
            );
            for statement in &statements {
                run(&world, statement.clone()).await?;
            }
            assert_eq!(world.rows(cleanup_type).await?, rows);
            ensure!(
                versions(&world, cleanup_type).await? != before
                    || statements[0].starts_with("VACUUM")
            );
            let result = done(world.delete(cleanup_type).await)?;
            assert_eq!(counts(&result), (17, 0, 0), "{statements:?}");
            assert_eq!(world.rows(cleanup_type).await?.len(), 3);
            let followed = world.count("SELECT count(*) FROM temp_files").await?;
            assert_eq!(
                followed,
                if cleanup_type == CleanupType::TempFiles {
                    3
                } else {
                    0
                }
            );
            assert_eq!(
                world.files("temp")?.len(),
                if cleanup_type == CleanupType::TempFiles {
                    3
                } else {
                    0
                }
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn another_row_in_the_same_place_is_not_the_one_that_was_backed_up() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
    let keys: Vec<_> = world.backup_rows(&backup)?.into_keys().collect();
    let rows = world.rows(CleanupType::Logs).await?;
    let before = versions(&world, CleanupType::Logs).await?;
    // The first comes back as it was, the second with its key and another content, and in the place of
    // the third there is one with a key of its own.
    let [same, other, gone] = [keys[2], keys[5], keys[9]];
    for (id, insert) in [
        (same, format!("SELECT (json_populate_record(NULL::application_logs, '{}')).*", rows[&same].replace('\'', "''"))),
        (other, format!("SELECT {other}, 'info', 'api', 'other', '{{}}'::jsonb, false, now() - interval '200 days'")),
        (gone, "SELECT 5000, 'info', 'api', 'another', '{}'::jsonb, false, now() - interval '200 days'".to_owned()),
    ] {
        run(&world, format!("DELETE FROM application_logs WHERE id = {id}")).await?;
        run(&world, "VACUUM application_logs".to_owned()).await?;
        run(&world, format!("INSERT INTO application_logs OVERRIDING SYSTEM VALUE {insert}")).await?;
    }
    let after = versions(&world, CleanupType::Logs).await?;
    for (id, was) in [(same, same), (other, other), (5000, gone)] {
        ensure!(after[&id].0 == before[&was].0, "{id} is in another place");
        ensure!(after[&id].1 != before[&was].1, "{id} is the same version");
    }
    let result = done(world.delete(CleanupType::Logs).await)?;
    assert_eq!(counts(&result), (15, 0, 1));
    let left = world.rows(CleanupType::Logs).await?;
    assert!(left[&other].contains("other") && left[&5000].contains("another"));
    assert_eq!(left.len(), 3 + 2);
    Ok(())
}

#[tokio::test]
async fn what_wrote_a_row_says_nothing_once_the_tables_columns_are_others() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let table = cleanup_type.table();
        let (world, _) = World::backed_up(cleanup_type, ROWS).await?;
        let before = versions(&world, cleanup_type).await?;
        // No row is written for it, and each has another text from here on.
        let add = format!("ALTER TABLE {table} ADD COLUMN later text NOT NULL DEFAULT 'x'");
        run(&world, add).await?;
        assert_eq!(versions(&world, cleanup_type).await?, before);
        let result = done(world.delete(cleanup_type).await)?;
        assert_eq!(counts(&result), (0, 0, 17), "{cleanup_type}");
    }
    Ok(())
}

#[tokio::test]
async fn a_column_that_came_and_went_leaves_the_texts_as_they_were() -> Result<()> {
    let (world, _) = World::backed_up(CleanupType::Sessions, ROWS).await?;
    for change in ["ADD COLUMN later text DEFAULT 'x'", "DROP COLUMN later"] {
        run(&world, format!("ALTER TABLE sessions {change}")).await?;
    }
    let result = done(world.delete(CleanupType::Sessions).await)?;
    assert_eq!(counts(&result), (17, 0, 0));
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_being_written_is_waited_for_and_looked_at_again() -> Result<()> {
    for (change, expected) in [
        ("message = message", (17, 0, 0)),
        ("message = 'changed'", (16, 0, 1)),
        ("legal_hold = true", (16, 1, 0)),
    ] {
        for commits in [true, false] {
            let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
            let key = *world
                .backup_rows(&backup)?
                .keys()
                .next()
                .context("no rows")?;
            let mut writer = world.pool.begin().await?;
            let update = format!("UPDATE application_logs SET {change} WHERE id = {key}");
            sqlx::query(sqlx::AssertSqlSafe(update))
                .execute(&mut *writer)
                .await?;
            let waits = async {
                let waiting = "SELECT count(*) FROM pg_stat_activity
                               WHERE datname = current_database() AND wait_event_type = 'Lock'";
                while world.count(waiting).await? == 0 {}
                Ok::<_, anyhow::Error>(())
            };
            let deletion = pin!(world.delete(CleanupType::Logs));
            let Either::Right((waits, deletion)) = select(deletion, pin!(waits)).await else {
                bail!("it did not wait");
            };
            waits?;
            if commits {
                writer.commit().await?;
            } else {
                writer.rollback().await?;
            }
            let expected = if commits { expected } else { (17, 0, 0) };
            assert_eq!(
                counts(&done(deletion.await)?),
                expected,
                "{change}, {commits}"
            );
        }
    }
    Ok(())
}

/// A transaction that began before the backup and is over after it: what it did is not in the backup.
#[tokio::test]
async fn what_a_transaction_wrote_that_was_not_over_counts_as_written_since() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, ROWS).await?;
    let mut writer = world.pool.begin().await?;
    let old = "now() - interval '200 days'";
    for statement in [
        "UPDATE application_logs SET message = 'changed' WHERE id = 3".to_owned(),
        "UPDATE application_logs SET message = message WHERE id = 4".to_owned(),
        format!(
            "INSERT INTO application_logs (level, source, message, created_at) VALUES ('info', 'api', 'late', {old})"
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&mut *writer)
            .await?;
    }
    // One that began later and is over before the backup: its rows are compared by their text.
    world
        .run("UPDATE application_logs SET level = 'warn' WHERE id IN (8, 9)")
        .await?;
    world.identify(CleanupType::Logs).await?;
    let backup = done(world.back_up(CleanupType::Logs).await)?;
    writer.commit().await?;
    world
        .run("UPDATE application_logs SET level = 'info' WHERE id = 9")
        .await?;
    let result = done(world.delete(CleanupType::Logs).await)?;
    assert_eq!(counts(&result), (15, 0, 2));
    let left = world.rows(CleanupType::Logs).await?;
    assert!(left[&3].contains("changed") && left.contains_key(&9));
    assert_eq!(left.len(), 3 + 2 + 1);
    assert_eq!(world.backup_rows(&backup)?.len(), 17);
    Ok(())
}

#[tokio::test]
async fn without_a_mark_rows_are_compared_by_their_text() -> Result<()> {
    for mark in [
        // That of an earlier build.
        "NULL, generation = NULL",
        // That of a table with other columns, or of another server.
        "horizon, generation = generation + 1",
        // One from so long ago that transaction ids have come again.
        "horizon - 2147483648",
    ] {
        let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
        let keys: Vec<_> = world.backup_rows(&backup)?.into_keys().collect();
        run(
            &world,
            format!("UPDATE cleanup_segments SET horizon = {mark}"),
        )
        .await?;
        let change = format!(
            "UPDATE application_logs SET level = 'warn' WHERE id = {}",
            keys[4]
        );
        run(&world, change).await?;
        let result = done(world.delete(CleanupType::Logs).await)?;
        assert_eq!(counts(&result), (16, 0, 1), "{mark}");
        assert_eq!(world.rows(CleanupType::Logs).await?.len(), 1 + 3);
    }
    Ok(())
}
