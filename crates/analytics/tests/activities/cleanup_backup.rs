//! `backupData`: every row in its own text, with checksums, once.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use partner_analytics::activities::cleanup::{BackupDataInput, CleanupActivities, ItemsReference};
use partner_analytics::cleanup::{BackupCursor, Cleanup, CleanupSettings, CleanupType};
use partner_analytics::repository::cleanup::CleanupRepository;
use partner_core::ports::object_store::ObjectStore;

use crate::cleanup_support::{SEGMENT, World, done, failed, items, kills, refused};

/// Three segments, the last of which is not full.
const ROWS: i32 = 17;

#[tokio::test]
async fn a_backup_has_each_old_row_in_the_very_text_that_it_has_in_the_database() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let world = World::with_rows(cleanup_type, ROWS).await?;
        let rows = world.rows(cleanup_type).await?;
        world.identify(cleanup_type).await?;
        let backup = done(world.back_up(cleanup_type).await)?;
        let backed_up = world.backup_rows(&backup)?;
        assert_eq!(backed_up.len(), 17, "{cleanup_type}");
        for (key, text) in &backed_up {
            assert_eq!(text, &rows[key], "{cleanup_type}");
        }
        let folder = format!("/backups/{cleanup_type}/");
        assert!(backup.contains(&folder), "{backup}");
    }
    Ok(())
}

#[tokio::test]
async fn a_run_has_one_backup_however_often_it_is_asked_for() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, ROWS).await?;
    let files = world.files("")?;
    world.add_rows(CleanupType::Logs, 3).await?;
    for _ in 0..2 {
        assert_eq!(done(world.back_up(CleanupType::Logs).await)?, backup);
    }
    assert_eq!(world.files("")?, files);
    Ok(())
}

#[tokio::test]
async fn rows_under_hold_and_young_ones_are_not_in_it() -> Result<()> {
    let world = World::with_rows(CleanupType::Sessions, ROWS).await?;
    world.identify(CleanupType::Sessions).await?;
    world
        .run("UPDATE sessions SET legal_hold = true WHERE id % 2 = 0")
        .await?;
    world
        .run("UPDATE sessions SET last_seen_at = now() WHERE id % 3 = 0")
        .await?;
    let backup = done(world.back_up(CleanupType::Sessions).await)?;
    let backed_up = world.backup_rows(&backup)?;
    assert!(!backed_up.is_empty());
    assert!(backed_up.keys().all(|id| id % 2 != 0 && id % 3 != 0));
    Ok(())
}

#[tokio::test]
async fn a_segment_ends_when_it_has_enough_rows_or_enough_bytes() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, ROWS).await?;
    world.identify(CleanupType::Logs).await?;
    let reached = Mutex::new(Vec::new());
    let input = BackupDataInput {
        cleanup_type: CleanupType::Logs,
        items: items(),
    };
    let report = |cursor: BackupCursor| reached.lock().unwrap().push(cursor.rows);
    done(
        world
            .activities
            .back_up(input.clone().into(), &report)
            .await,
    )?;
    let segment = u64::from(SEGMENT);
    assert_eq!(reached.into_inner()?, [0, segment, 2 * segment, 17]);

    // As many rows as are read at once are looked at before the bytes are counted.
    // So they are where the second segment of two would begin later.
    for segment_rows in [10_000, 1_500, 1_000] {
        let large = World::with_rows(CleanupType::Logs, 2_500).await?;
        large.identify(CleanupType::Logs).await?;
        let settings = CleanupSettings {
            segment_rows: NonZeroU32::new(segment_rows).context("no rows")?,
            segment_bytes: 1,
            ..CleanupSettings::default()
        };
        let repository = CleanupRepository::new(large.pool.clone());
        let objects: Arc<dyn ObjectStore> = Arc::clone(&large.objects) as _;
        let activities = CleanupActivities {
            cleanup: Cleanup::new(repository, Some(objects), settings),
        };
        let reached = Mutex::new(Vec::new());
        let report = |cursor: BackupCursor| reached.lock().unwrap().push(cursor.rows);
        let backup = done(activities.back_up(input.clone().into(), &report).await)?;
        assert_eq!(reached.into_inner()?, [0, 1_000, 2_000, 2_500]);
        assert_eq!(large.backup_rows(&backup)?.len(), 2_500);
    }
    Ok(())
}

#[tokio::test]
async fn a_backup_that_was_killed_anywhere_goes_on_and_is_whole() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let world = World::with_rows(cleanup_type, ROWS).await?;
        let rows = world.rows(cleanup_type).await?;
        world.identify(cleanup_type).await?;
        for polls in kills() {
            if let Some(backup) = world
                .killed_after(polls, world.back_up(cleanup_type))
                .await?
            {
                let backed_up = world.backup_rows(&done(backup)?)?;
                assert_eq!(backed_up.len(), 17, "{cleanup_type}");
                assert!(backed_up.iter().all(|(key, text)| *text == rows[key]));
                break;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_was_stored_and_read_back_before_a_kill_is_not_written_again() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, ROWS).await?;
    world.identify(CleanupType::Logs).await?;
    // Killed when the second segment is there.
    let is_stored = |cursor: BackupCursor| cursor.segments == 2;
    world.back_up_until(CleanupType::Logs, is_stored).await?;
    let verified = world
        .count("SELECT count(*) FROM cleanup_segments WHERE verified")
        .await?;
    assert_eq!(verified, 2);
    let created = world.objects.created.swap(0, Ordering::Relaxed);
    assert!(created >= 2);
    done(world.back_up(CleanupType::Logs).await)?;
    // The third segment and the manifest.
    assert_eq!(world.objects.created.load(Ordering::Relaxed), 2);
    Ok(())
}

#[tokio::test]
async fn a_file_that_an_attempt_left_and_nobody_needs_is_deleted() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, ROWS).await?;
    world.identify(CleanupType::Logs).await?;
    // Killed after the first segment was stored, and before that was written down.
    let is_stored = |_| world.files("backups").is_ok_and(|files| !files.is_empty());
    world.back_up_until(CleanupType::Logs, is_stored).await?;
    for statement in [
        "UPDATE cleanup_segments SET verified = false",
        "UPDATE cleanup_files SET kept = false",
    ] {
        world.run(statement).await?;
    }
    let left = world.files("backups")?;
    assert_eq!(left.len(), 1, "{:?}", left.keys());
    world
        .run("UPDATE application_logs SET message = 'changed meanwhile'")
        .await?;
    let backup = done(world.back_up(CleanupType::Logs).await)?;
    let rows = world.rows(CleanupType::Logs).await?;
    let backed_up = world.backup_rows(&backup)?;
    assert!(backed_up.iter().all(|(key, text)| *text == rows[key]));
    let there = world.files("backups")?;
    for name in left.keys() {
        assert!(!there.contains_key(name), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_backup_needs_a_plan_and_a_place() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, ROWS).await?;
    refused(
        world.back_up(CleanupType::Logs).await,
        "identifyCleanupItems",
    )?;
    world.identify(CleanupType::Logs).await?;
    refused(
        world.back_up(CleanupType::Sessions).await,
        "identifyCleanupItems",
    )?;
    world
        .run("UPDATE cleanup_runs SET state = 'planning'")
        .await?;
    refused(
        world.back_up(CleanupType::Logs).await,
        "still being planned",
    )?;

    let repository = CleanupRepository::new(world.pool.clone());
    let nowhere = CleanupActivities {
        cleanup: Cleanup::new(repository, None, CleanupSettings::default()),
    };
    let input = BackupDataInput {
        cleanup_type: CleanupType::Logs,
        items: ItemsReference {
            reference: "x".to_owned(),
        },
    };
    let (code, retryable, message) = failed(nowhere.back_up(input.into(), &|_| {}).await)?;
    assert_eq!((code.as_str(), retryable), ("VALIDATION_ERROR", false));
    assert!(message.contains("storage.url"), "{message}");
    Ok(())
}
