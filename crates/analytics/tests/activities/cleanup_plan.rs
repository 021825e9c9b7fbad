//! `identifyCleanupItems`: what is old enough, counted, once for all.

use std::sync::Mutex;

use anyhow::Result;
use partner_analytics::activities::cleanup::IdentifyCleanupItemsInput;
use partner_analytics::cleanup::{CleanupType, PlanCursor};
use partner_core::wire::Wire;

use crate::cleanup_support::{RUN, World, done, identify, kills, refused};

#[tokio::test]
async fn rows_from_before_the_cutoff_are_counted_and_those_under_hold_apart() -> Result<()> {
    for cleanup_type in CleanupType::ALL {
        let world = World::with_rows(cleanup_type, 20).await?;
        world
            .run("UPDATE application_logs SET legal_hold = true WHERE id % 4 = 0")
            .await?;
        world
            .run("UPDATE sessions SET legal_hold = true WHERE id % 4 = 0")
            .await?;
        world
            .run("UPDATE temp_files SET legal_hold = true WHERE id % 4 = 0")
            .await?;
        let items = world.identify(cleanup_type).await?;
        let old: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM cleanable_rows
             WHERE cleanup_type = $1 AND at < now() - interval '90 days' AND NOT legal_hold",
        )
        .bind(cleanup_type.as_str())
        .fetch_one(&world.pool)
        .await?;
        assert_eq!(items.count, old.unsigned_abs(), "{cleanup_type}");
        assert_eq!(items.count + items.held, 20, "{cleanup_type}");
        assert!(items.oldest < items.newest && items.newest < Some(items.cutoff));
        assert_eq!(items.reference, RUN);
    }
    Ok(())
}

#[tokio::test]
async fn nothing_old_is_a_count_of_nothing() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, 0).await?;
    let items = world.identify(CleanupType::Logs).await?;
    assert_eq!((items.count, items.oldest, items.newest), (0, None, None));
    Ok(())
}

#[tokio::test]
async fn a_run_means_the_same_rows_for_ever_and_another_input_is_refused() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, 5).await?;
    let items = world.identify(CleanupType::Logs).await?;
    world.add_rows(CleanupType::Logs, 5).await?;
    assert_eq!(world.identify(CleanupType::Logs).await?, items);

    let other_run = IdentifyCleanupItemsInput {
        operation_id: Some("another".to_owned()),
        ..identify(CleanupType::Logs)
    };
    let other = done(world.identify_with(other_run).await)?;
    assert_eq!((other.count, other.reference.as_str()), (10, "another"));

    for input in [
        identify(CleanupType::Sessions),
        IdentifyCleanupItemsInput {
            retention_days: 91,
            ..identify(CleanupType::Logs)
        },
        IdentifyCleanupItemsInput {
            dry_run: true,
            ..identify(CleanupType::Logs)
        },
    ] {
        refused(world.identify_with(input).await, "begun with another input")?;
    }
    Ok(())
}

#[tokio::test]
async fn many_rows_are_counted_page_by_page_and_the_counting_goes_on_where_it_was() -> Result<()> {
    let world = World::with_rows(CleanupType::Sessions, 120_001).await?;
    let reached = Mutex::new(Vec::new());
    let report = |cursor| reached.lock().unwrap().push(cursor);
    let whole = done(
        world
            .activities
            .identify(
                identify(CleanupType::Sessions).into(),
                "whole",
                None,
                &report,
            )
            .await,
    )?;
    assert_eq!(whole.count, 120_001);
    let cursors = reached.into_inner()?;
    let counts: Vec<_> = cursors
        .iter()
        .map(|cursor: &PlanCursor| cursor.rows)
        .collect();
    assert_eq!(counts, [50_000, 100_000]);

    for (index, cursor) in cursors.into_iter().enumerate() {
        let id = format!("from {index}");
        let input = identify(CleanupType::Sessions);
        let rest = done(
            world
                .activities
                .identify(input.into(), &id, Some(cursor), &|_| {})
                .await,
        )?;
        assert_eq!(
            (rest.count, rest.oldest, rest.newest),
            (whole.count, whole.oldest, whole.newest)
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_counting_that_was_killed_anywhere_is_done_again() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, 9).await?;
    for polls in kills() {
        let counting = world.identify(CleanupType::Logs);
        if let Some(items) = world.killed_after(polls, counting).await? {
            assert_eq!(items?.count, 9);
            break;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_counts_and_touches_nothing() -> Result<()> {
    let world = World::with_rows(CleanupType::Logs, 9).await?;
    let before = world.rows(CleanupType::Logs).await?;
    let input = IdentifyCleanupItemsInput {
        dry_run: true,
        ..identify(CleanupType::Logs)
    };
    let items = done(world.identify_with(input).await)?;
    assert_eq!((items.count, items.dry_run), (9, true));
    refused(world.back_up(CleanupType::Logs).await, "dry run")?;
    refused(world.delete(CleanupType::Logs).await, "dry run")?;
    assert_eq!(world.rows(CleanupType::Logs).await?, before);
    assert!(world.files("")?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_input_that_breaks_a_rule_is_refused() -> Result<()> {
    let world = World::start().await?;
    for days in [0, 36_501] {
        let input = IdentifyCleanupItemsInput {
            retention_days: days,
            ..identify(CleanupType::Logs)
        };
        refused(world.identify_with(input).await, "retentionDays")?;
    }
    for (json, words) in [
        (
            r#"{"cleanupType":"mails","retentionDays":90}"#,
            "cleanupType",
        ),
        (r#"{"cleanupType":"logs"}"#, "retentionDays"),
        (
            r#"{"cleanupType":"logs","retentionDays":-1}"#,
            "retentionDays",
        ),
    ] {
        let input = Wire::from_json(json.as_bytes());
        refused(
            world.activities.identify(input, RUN, None, &|_| {}).await,
            words,
        )?;
    }
    assert_eq!(world.count("SELECT count(*) FROM cleanup_runs").await?, 0);
    Ok(())
}
