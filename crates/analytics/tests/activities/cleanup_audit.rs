//! `logCleanupOperation`: what was done is written down once, truly, and for ever.

use anyhow::Result;
use partner_analytics::activities::cleanup::LogCleanupOperationInput;
use partner_analytics::cleanup::CleanupType;

use crate::cleanup_support::{RUN, World, done, log, refused};

#[tokio::test]
async fn a_cleanup_is_written_down_once() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, 5).await?;
    done(world.delete(CleanupType::Logs).await)?;
    for _ in 0..2 {
        let logged = world
            .activities
            .log(log(5, Some(&backup)).into(), RUN)
            .await;
        assert!(done(logged)?.success);
    }
    assert_eq!(world.count("SELECT count(*) FROM cleanup_audit").await?, 1);
    assert_eq!(
        world
            .count("SELECT sum(rows)::bigint FROM cleanup_audit")
            .await?,
        5
    );
    let other = log(0, None);
    refused(
        world.activities.log(other.into(), RUN).await,
        "with other figures",
    )?;
    Ok(())
}

#[tokio::test]
async fn a_cleanup_of_nothing_has_no_backup() -> Result<()> {
    let world = World::start().await?;
    let nothing = LogCleanupOperationInput {
        backup_url: Some(String::new()),
        ..log(0, None)
    };
    done(world.activities.log(nothing.into(), RUN).await)?;
    let without = world
        .count("SELECT count(*) FROM cleanup_audit WHERE backup_reference IS NULL")
        .await?;
    assert_eq!(without, 1);
    Ok(())
}

#[tokio::test]
async fn figures_that_the_database_does_not_know_are_refused() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, 5).await?;
    done(world.delete(CleanupType::Logs).await)?;
    for deleted in [4, 6] {
        let wrong = log(deleted, Some(&backup));
        refused(
            world.activities.log(wrong.into(), RUN).await,
            "itemsDeleted",
        )?;
    }
    assert_eq!(world.count("SELECT count(*) FROM cleanup_audit").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_restore_is_written_down_as_well() -> Result<()> {
    let (world, backup) = World::backed_up(CleanupType::Logs, 5).await?;
    done(world.delete(CleanupType::Logs).await)?;
    done(world.restore(&backup).await)?;
    let restored = world
        .count("SELECT rows FROM cleanup_audit WHERE operation = 'restore'")
        .await?;
    assert_eq!(restored, 5);
    Ok(())
}

#[tokio::test]
async fn what_was_written_down_cannot_be_changed() -> Result<()> {
    let world = World::start().await?;
    done(world.activities.log(log(0, None).into(), RUN).await)?;
    for statement in [
        "UPDATE cleanup_audit SET rows = 1",
        "DELETE FROM cleanup_audit",
        "TRUNCATE cleanup_audit",
    ] {
        let error = world.run(statement).await.unwrap_err();
        assert!(
            error.to_string().contains("only ever added to"),
            "{statement}: {error}"
        );
    }
    assert_eq!(world.count("SELECT count(*) FROM cleanup_audit").await?, 1);
    Ok(())
}
