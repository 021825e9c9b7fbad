//! Temporary files: their contents go after their rows, and nothing is forgotten.

use std::sync::atomic::Ordering;

use anyhow::Result;
use partner_analytics::activities::cleanup::IdentifyCleanupItemsInput;
use partner_analytics::cleanup::CleanupType::TempFiles;
use partner_core::ports::object_store::{ObjectStore as _, content};
use partner_core::wire::Wire;

use crate::cleanup_support::{World, done, failed, identify, kills};

const ROWS: i32 = 9;

#[tokio::test]
async fn a_file_goes_with_its_row_and_its_copy_stays_in_the_backup() -> Result<()> {
    let (world, backup) = World::backed_up(TempFiles, ROWS).await?;
    assert_eq!(world.files("temp")?.len(), 12);
    done(world.delete(TempFiles).await)?;
    let left: Vec<_> = world.files("temp")?.into_keys().collect();
    assert_eq!(left, ["temp/-1.bin", "temp/-2.bin", "temp/0.bin"]);
    assert_eq!(
        world
            .count("SELECT count(*) FROM temp_file_deletions")
            .await?,
        0
    );
    assert_eq!(world.backup_rows(&backup)?.len(), 9);
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_deleted_is_tried_again_and_not_forgotten() -> Result<()> {
    let (world, _) = World::backed_up(TempFiles, ROWS).await?;
    world.objects.failing_deletions.store(4, Ordering::Relaxed);
    let (code, retryable, _) = failed(world.delete(TempFiles).await)?;
    assert_eq!((code.as_str(), retryable), ("EXTERNAL_SERVICE_ERROR", true));
    // The rows are gone, and so are the files that could be deleted.
    assert_eq!(world.rows(TempFiles).await?.len(), 3);
    assert_eq!(world.files("temp")?.len(), 3 + 4);
    let waiting = world
        .count("SELECT count(*) FROM temp_file_deletions WHERE last_error LIKE '%no answer%'")
        .await?;
    assert_eq!(waiting, 4);

    let result = done(world.delete(TempFiles).await)?;
    assert_eq!((result.deleted_count, result.done), (9, true));
    assert_eq!(world.files("temp")?.len(), 3);
    assert_eq!(
        world
            .count("SELECT count(*) FROM temp_file_deletions")
            .await?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn what_one_cleanup_could_not_delete_the_next_one_does() -> Result<()> {
    let (world, _) = World::backed_up(TempFiles, ROWS).await?;
    world.objects.failing_deletions.store(9, Ordering::Relaxed);
    failed(world.delete(TempFiles).await)?;
    assert_eq!(world.files("temp")?.len(), 12);

    let next = IdentifyCleanupItemsInput {
        operation_id: Some("next week".to_owned()),
        ..identify(TempFiles)
    };
    let items = done(world.identify_with(next).await)?;
    assert_eq!(items.count, 0);
    let json = br#"{"cleanupType":"temp_files","items":{"reference":"next week","count":0}}"#;
    let back_up = world.activities.back_up(Wire::from_json(json), &|_| {});
    done(back_up.await)?;
    let delete = world
        .activities
        .delete(Wire::from_json(json), None, &|_| {});
    done(delete.await)?;
    assert_eq!(world.files("temp")?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_file_is_not_deleted_while_its_row_is_there() -> Result<()> {
    let (world, _) = World::backed_up(TempFiles, ROWS).await?;
    for polls in kills() {
        let killed = world.killed_after(polls, world.delete(TempFiles)).await?;
        let files = world.files("temp")?;
        for text in world.rows(TempFiles).await?.into_values() {
            let row: serde_json::Value = serde_json::from_str(&text)?;
            let reference = row["object_reference"].as_str().unwrap_or_default();
            let name = world.objects.name(reference)?;
            assert!(files.contains_key(&name), "{name} is gone before its row");
        }
        if killed.is_some() {
            break;
        }
    }
    assert_eq!(world.files("temp")?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_file_that_a_new_row_stands_for_is_kept() -> Result<()> {
    let (world, _) = World::backed_up(TempFiles, ROWS).await?;
    world.objects.failing_deletions.store(9, Ordering::Relaxed);
    failed(world.delete(TempFiles).await)?;
    world
        .run(
            "INSERT INTO temp_files (object_reference, file_name)
             SELECT min(object_reference), 'again' FROM temp_file_deletions",
        )
        .await?;
    done(world.delete(TempFiles).await)?;
    assert_eq!(world.files("temp")?.len(), 3 + 1);
    assert_eq!(
        world
            .count("SELECT count(*) FROM temp_file_deletions")
            .await?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn a_row_without_its_file_is_backed_up_and_restored_without_it() -> Result<()> {
    let world = World::with_rows(TempFiles, ROWS).await?;
    let rows = world.rows(TempFiles).await?;
    world
        .objects
        .store
        .delete(&world.objects.reference("temp/4.bin")?)
        .await?;
    world.identify(TempFiles).await?;
    let backup = done(world.back_up(TempFiles).await)?;
    assert_eq!(done(world.delete(TempFiles).await)?.deleted_count, 9);
    done(world.restore(&backup).await)?;
    assert_eq!(world.rows(TempFiles).await?, rows);
    assert!(!world.files("temp")?.contains_key("temp/4.bin"));
    assert_eq!(world.files("temp")?.len(), 11);
    Ok(())
}

#[tokio::test]
async fn a_row_whose_file_is_not_ours_is_kept() -> Result<()> {
    let world = World::with_rows(TempFiles, ROWS).await?;
    world
        .run(
            "INSERT INTO temp_files (object_reference, file_name, created_at)
             VALUES ('https://example.com/a', 'a', '2020-01-01'),
                    ('file:///etc/passwd', 'b', '2020-01-01')",
        )
        .await?;
    world.identify(TempFiles).await?;
    let backup = done(world.back_up(TempFiles).await)?;
    assert_eq!(world.backup_rows(&backup)?.len(), 9);
    assert_eq!(done(world.delete(TempFiles).await)?.deleted_count, 9);
    assert_eq!(world.rows(TempFiles).await?.len(), 3 + 2);
    Ok(())
}

#[tokio::test]
async fn a_file_that_may_just_be_being_deleted_is_not_put_back_yet() -> Result<()> {
    let (world, backup) = World::backed_up(TempFiles, ROWS).await?;
    world.objects.failing_deletions.store(9, Ordering::Relaxed);
    failed(world.delete(TempFiles).await)?;
    // Somebody set out to delete them just now.
    let (code, retryable, message) = failed(world.restore(&backup).await)?;
    assert_eq!((code.as_str(), retryable), ("EXTERNAL_SERVICE_ERROR", true));
    assert!(message.contains("being deleted"), "{message}");
    assert_eq!(world.rows(TempFiles).await?.len(), 3);

    world
        .run("UPDATE temp_file_deletions SET claimed_at = now() - interval '6 minutes'")
        .await?;
    assert_eq!(done(world.restore(&backup).await)?.restored, 9);
    assert_eq!(
        world
            .count("SELECT count(*) FROM temp_file_deletions")
            .await?,
        0
    );
    assert_eq!(world.files("temp")?.len(), 12);
    Ok(())
}

#[tokio::test]
async fn a_restored_file_has_its_content_even_if_another_was_put_in_its_place() -> Result<()> {
    let (world, backup) = World::backed_up(TempFiles, ROWS).await?;
    done(world.delete(TempFiles).await)?;
    world
        .objects
        .store
        .create("temp/4.bin", content("another"))
        .await?;
    // What is there is never overwritten: the restore says so, and restores nothing in its place.
    let (code, retryable, message) = failed(world.restore(&backup).await)?;
    assert_eq!((code.as_str(), retryable), ("VALIDATION_ERROR", false));
    assert!(message.contains("with another content"), "{message}");
    assert_eq!(world.files("temp")?["temp/4.bin"], b"another");
    Ok(())
}
