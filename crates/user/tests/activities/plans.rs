//! `planNotification`: not in the user's quiet hours, unless it is critical.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use partner_core::wire::Wire;
use partner_user::activities::notification::PlanNotificationResult;
use serde_json::{Value, json};

use crate::support::{Answer, World, done, failure, merge};

/// 22:30 in Berlin.
const EVENING: &str = "2026-01-15T21:30:00Z";

/// 07:00 in Berlin, the next morning.
const MORNING: &str = "2026-01-16T06:00:00Z";

async fn world() -> Result<World> {
    let world = World::with_ana().await?;
    world
        .run(
            "UPDATE users
             SET time_zone = 'Europe/Berlin', quiet_from = '22:00', quiet_until = '07:00'",
        )
        .await?;
    Ok(world)
}

/// Plans a notification to `ana` of type `info` in the evening, with these changes.
async fn plan(world: &World, changes: Value) -> Result<Answer<PlanNotificationResult>> {
    let mut input = json!({"userId": "ana", "type": "info", "critical": false, "at": EVENING});
    merge(&mut input, changes)?;
    let input = Wire::from_json(input.to_string().as_bytes());
    Ok(world.notifications.plan(input).await)
}

async fn planned(world: &World, changes: Value) -> Result<Option<DateTime<Utc>>> {
    Ok(done(plan(world, changes).await?)?.deliver_at)
}

#[tokio::test]
async fn in_quiet_hours_it_waits_for_their_end() -> Result<()> {
    let world = world().await?;
    for _ in 0..2 {
        assert_eq!(planned(&world, json!({})).await?, Some(MORNING.parse()?));
    }
    // The same moment, as another clock writes it.
    let elsewhere = json!({"at": "2026-01-15T16:30:00-05:00"});
    assert_eq!(planned(&world, elsewhere).await?, Some(MORNING.parse()?));
    Ok(())
}

#[tokio::test]
async fn it_goes_out_at_once_to_whom_it_does_not_disturb() -> Result<()> {
    let world = world().await?;
    for changes in [
        json!({"at": "2026-01-15T20:59:59Z"}),
        json!({"at": MORNING}),
        json!({"critical": true}),
        json!({"type": "security_alert"}),
        json!({"userId": "ben@example.com"}),
    ] {
        assert_eq!(planned(&world, changes.clone()).await?, None, "{changes}");
    }
    world
        .run("UPDATE users SET quiet_from = NULL, quiet_until = NULL")
        .await?;
    assert_eq!(planned(&world, json!({})).await?, None);
    Ok(())
}

#[tokio::test]
async fn who_cannot_be_told_is_refused_for_good() -> Result<()> {
    let world = world().await?;
    for (field, changes) in [
        ("userId", json!({"userId": "nobody"})),
        ("userId", json!({"userId": "nobody", "critical": true})),
        ("userId", json!({"userId": ""})),
        ("type", json!({"type": ""})),
        ("at", json!({"at": "tomorrow"})),
    ] {
        let failure = failure(plan(&world, changes.clone()).await?).context(changes.to_string())?;
        assert_eq!(failure.code, "VALIDATION_ERROR", "{changes}");
        assert!(!failure.retryable, "{changes}");
        assert!(failure.message.contains(field), "{changes}: {failure:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_time_zone_that_is_none_is_named() -> Result<()> {
    let world = world().await?;
    world.run("UPDATE users SET time_zone = 'Mars'").await?;
    let failure = failure(plan(&world, json!({})).await?)?;
    assert_eq!(failure.code, "VALIDATION_ERROR");
    assert!(failure.message.contains("\"Mars\""), "{failure:?}");
    Ok(())
}

#[tokio::test]
async fn quiet_hours_are_kept_under_the_users_address_too() -> Result<()> {
    let world = world().await?;
    let morning: DateTime<Utc> = MORNING.parse()?;
    let planned = planned(&world, json!({"userId": "ana@example.com"})).await?;
    assert_eq!(planned, Some(morning));
    Ok(())
}
