//! Putting back: deleted is backed up is restored.

use std::fs;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use partner_analytics::cleanup::{CleanupType, RestorationCursor};

use crate::cleanup_support::{World, done, failed, kills, refused};

const ROWS: i32 = 17;

#[tokio::test]
async fn deleted_is_backed_up_is_restored() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let (world, backup) = World::backed_up(cleanup_type, ROWS).await?;
        let rows = world.rows(cleanup_type).await?;
        let files = world.files("temp")?;
        let deleted = done(world.delete(cleanup_type).await)?.deleted_count;
        let backed_up = world.backup_rows(&backup)?;
        assert_eq!(deleted, backed_up.len() as u64);
        let restored = done(world.restore(&backup).await)?;
        assert_eq!(
            (restored.restored, restored.already_there),
            (17, 0),
            "{cleanup_type}"
        );
        assert_eq!(restored.conflicting, 0);
        assert_eq!(world.rows(cleanup_type).await?, rows, "{cleanup_type}");
        assert_eq!(world.files("temp")?, files, "{cleanup_type}");

        let again = done(world.restore(&backup).await)?;
        assert_eq!(
            (again.restored, again.already_there),
            (0, 17),
            "{cleanup_type}"
        );
        // The run is over: what was put back is not what it deletes.
        assert_eq!(done(world.delete(cleanup_type).await)?.deleted_count, 17);
        assert_eq!(world.rows(cleanup_type).await?, rows, "{cleanup_type}");
    }
    Ok(())
}

#[tokio::test]
async fn a_restore_that_was_killed_anywhere_goes_on_and_counts_right() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let (world, backup) = World::backed_up(cleanup_type, ROWS).await?;
        let rows = world.rows(cleanup_type).await?;
        done(world.delete(cleanup_type).await)?;
        let reached: Mutex<Option<RestorationCursor>> = Mutex::new(None);
        let report = |cursor| *reached.lock().unwrap() = Some(cursor);
        for polls in kills() {
            let from = reached.lock().unwrap().clone();
            let restore = world.restore_from(&backup, from, &report);
            if let Some(restored) = world.killed_after(polls, restore).await? {
                let restored = done(restored)?;
                assert_eq!(
                    restored.restored + restored.already_there,
                    17,
                    "{cleanup_type}"
                );
                break;
            }
        }
        assert_eq!(world.rows(cleanup_type).await?, rows, "{cleanup_type}");
    }
    Ok(())
}

#[tokio::test]
async fn a_row_in_the_place_of_another_stays_and_is_named() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Sessions, ROWS).await?;
    let keys: Vec<_> = world.backup_rows(&backup)?.into_keys().collect();
    let rows = world.rows(CleanupType::Sessions).await?;
    done(world.delete(CleanupType::Sessions).await)?;
    // The key of the first is taken, and the token of the second.
    sqlx::query(
        "INSERT INTO sessions (id, user_id, token_hash) OVERRIDING SYSTEM VALUE
         SELECT $1, 'new', 'new' UNION ALL
         SELECT 1000, 'new', ($2::jsonb) ->> 'token_hash'",
    )
    .bind(keys[0])
    .bind(&rows[&keys[1]])
    .execute(&world.pool)
    .await?;
    let restored = done(world.restore(&backup).await)?;
    assert_eq!((restored.restored, restored.already_there), (15, 0));
    assert_eq!(restored.conflicting_keys, [keys[0], keys[1]]);
    let after = world.rows(CleanupType::Sessions).await?;
    assert!(after[&keys[0]].contains(r#""user_id":"new""#));
    assert!(!after.contains_key(&keys[1]));
    Ok(())
}

#[tokio::test]
async fn a_backup_that_is_not_what_was_stored_restores_nothing() -> Result<()> {
    for cleanup_type in [CleanupType::Logs, CleanupType::TempFiles] {
        let (world, backup) = World::backed_up(cleanup_type, ROWS).await?;
        done(world.delete(cleanup_type).await)?;
        let left = world.rows(cleanup_type).await?;
        let files = world.files("temp")?;
        for (name, content) in world.files("backups")? {
            let path = world.home.path().join(&name);
            let mut damaged = content.clone();
            damaged[content.len() / 2] ^= 1;
            fs::write(&path, damaged)?;
            let (code, retryable, _) = failed(world.restore(&backup).await)?;
            assert_eq!(
                (code.as_str(), retryable),
                ("EXTERNAL_SERVICE_ERROR", false),
                "{name}"
            );
            fs::write(&path, content)?;
        }
        assert_eq!(world.rows(cleanup_type).await?, left);
        assert_eq!(world.files("temp")?, files);
    }
    Ok(())
}

#[tokio::test]
async fn a_backup_can_be_restored_where_nothing_else_is_left() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let (world, backup) = World::backed_up(cleanup_type, ROWS).await?;
        let backed_up = world.backup_rows(&backup)?;
        done(world.delete(cleanup_type).await)?;
        let world = world.with_an_empty_database().await?;
        assert_eq!(done(world.restore(&backup).await)?.restored, 17);
        assert_eq!(world.rows(cleanup_type).await?, backed_up, "{cleanup_type}");
        // New rows do not take the keys of those that came back.
        let highest = backed_up.keys().max().context("no rows")?;
        if cleanup_type == CleanupType::Logs {
            let id: i64 = sqlx::query_scalar(
                "INSERT INTO application_logs (level, source, message) VALUES ('info', 'api', 'new')
                 RETURNING id",
            )
            .fetch_one(&world.pool)
            .await?;
            assert!(id > *highest);
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_backup_is_refused() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
    let other = backup.replace("manifest-", "manifesto-");
    refused(world.restore(&other).await, "is no backup")?;
    refused(
        world.restore("s3://elsewhere/manifest-x.json").await,
        "is not in the object storage",
    )?;
    refused(world.restore("").await, "is not in the object storage")?;
    Ok(())
}
