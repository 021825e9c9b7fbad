//! The figures of an analytics report.

use anyhow::Result;
use partner_analytics::metrics::{
    AnalyticsMetrics, ChannelDeliveries, Compared, Latency, ListingMetrics, StatusCount,
};

use crate::support::{BEFORE_BEGINS, BEFORE_ENDS, BEGINS, ENDS, TOO_EARLY, TOO_LATE, World, at};

impl World {
    async fn user(&self, id: &str, status: &str, created_at: &str) -> Result<()> {
        sqlx::query("INSERT INTO users (id, email, status, created_at) VALUES ($1, $1, $2, $3)")
            .bind(id)
            .bind(status)
            .bind(at(created_at)?)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What a user once became, as the trigger would have written it then.
    async fn became(&self, id: &str, from: &str, to: &str, time: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO user_status_changes (user_id, from_status, to_status, changed_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(id)
        .bind(from)
        .bind(to)
        .bind(at(time)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A version that was decided so many seconds after its submission.
    async fn decided(&self, listing: &str, decision: &str, time: &str, seconds: i32) -> Result<()> {
        sqlx::query(
            "INSERT INTO listing_versions (listing_id, version, data, submitted_at)
             VALUES ($1, 1, '{}', $2 - make_interval(secs => $3))",
        )
        .bind(listing)
        .bind(at(time)?)
        .bind(f64::from(seconds))
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "INSERT INTO review_decisions (listing_id, version, decision, provenance, decided_at)
             VALUES ($1, 1, $2, 'human', $3)",
        )
        .bind(listing)
        .bind(decision)
        .bind(at(time)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn placed_order(&self, order: &str, user: &str, time: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO orders (id, user_id, amount_minor, currency, created_at)
             VALUES ($1, $2, 100, 'EUR', $3)",
        )
        .bind(order)
        .bind(user)
        .bind(at(time)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn read_message(&self, message: &str, user: &str, time: Option<&str>) -> Result<()> {
        sqlx::query(
            "INSERT INTO inbox_messages (user_id, notification_id, type, title, message, read_at)
             VALUES ($1, $2, 'info', '', '', $3)",
        )
        .bind(user)
        .bind(message)
        .bind(time.map(at).transpose()?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn delivery(&self, id: &str, channel: &str, state: &str, time: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO deliveries (notification_id, recipient, channel, state, created_at)
             VALUES ($1, 'ana', $2, $3, $4)",
        )
        .bind(id)
        .bind(channel)
        .bind(state)
        .bind(at(time)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

#[tokio::test]
async fn new_users_convert_if_they_became_active_before_their_period_ended() -> Result<()> {
    let world = World::start().await?;
    for (id, status, created_at) in [
        ("too-early", "active", TOO_EARLY),
        ("before-in-time", "active", BEFORE_BEGINS),
        ("before-too-late", "active", BEFORE_ENDS),
        ("in-time", "active", BEGINS),
        ("never", "onboarding", ENDS),
        ("created-active", "active", BEGINS),
        ("active-then-suspended", "suspended", BEGINS),
        ("created-active-then-suspended", "suspended", BEGINS),
        ("too-late", "active", TOO_LATE),
    ] {
        world.user(id, status, created_at).await?;
    }
    for (id, from, to, time) in [
        ("before-in-time", "onboarding", "active", BEFORE_ENDS),
        ("before-too-late", "onboarding", "active", BEGINS),
        ("in-time", "pending", "onboarding", BEGINS),
        ("in-time", "onboarding", "active", ENDS),
        ("active-then-suspended", "onboarding", "active", BEGINS),
        ("active-then-suspended", "active", "suspended", ENDS),
        ("created-active-then-suspended", "active", "suspended", ENDS),
    ] {
        world.became(id, from, to, time).await?;
    }
    let metrics = world.analytics().await?;
    assert_eq!(metrics.new_users, Compared::new(5, 2));
    assert_eq!(metrics.converted, Compared::new(4, 1));
    Ok(())
}

#[tokio::test]
async fn active_is_who_has_an_account_and_did_something() -> Result<()> {
    let world = World::start().await?;
    for id in ["ana", "bob", "cleo", "dan", "eve"] {
        world.user(id, "active", "2026-01-01T00:00:00Z").await?;
    }
    world.placed_order("o-1", "ana", BEGINS).await?;
    world.placed_order("o-2", "ana", ENDS).await?;
    world.placed_order("o-3", "bob", BEFORE_ENDS).await?;
    world.placed_order("o-4", "dan", TOO_EARLY).await?;
    world
        .placed_order("o-5", "someone@example.com", BEGINS)
        .await?;
    world
        .read_message("m-1", "ana", Some(BEFORE_BEGINS))
        .await?;
    world.read_message("m-2", "cleo", Some(ENDS)).await?;
    world.read_message("m-3", "dan", None).await?;
    world.read_message("m-4", "eve", Some(TOO_LATE)).await?;
    let metrics = world.analytics().await?;
    assert_eq!(metrics.active_users, Compared::new(2, 2));
    Ok(())
}

#[tokio::test]
async fn of_the_ends_of_an_onboarding_the_last_in_a_period_counts() -> Result<()> {
    let world = World::start().await?;
    for id in ["ana", "bob", "cleo", "dan", "eve"] {
        world.user(id, "pending", "2026-01-01T00:00:00Z").await?;
    }
    for (id, from, to, time) in [
        // Failed the day before; failed again today, then finished.
        ("ana", "onboarding", "onboarding_failed", BEFORE_ENDS),
        ("ana", "onboarding", "onboarding_failed", BEGINS),
        ("ana", "onboarding", "active", ENDS),
        // The last step failed.
        ("bob", "onboarding", "active", BEGINS),
        ("bob", "active", "onboarding_failed", ENDS),
        ("cleo", "onboarding", "active", BEFORE_BEGINS),
        // No onboarding.
        ("dan", "suspended", "active", BEGINS),
        ("dan", "pending", "suspended", BEGINS),
        ("eve", "onboarding", "active", TOO_LATE),
        ("eve", "onboarding", "onboarding_failed", TOO_EARLY),
    ] {
        world.became(id, from, to, time).await?;
    }
    let metrics = world.analytics().await?;
    assert_eq!(metrics.onboardings_finished, Compared::new(1, 1));
    assert_eq!(metrics.onboardings_failed, Compared::new(1, 1));
    Ok(())
}

#[tokio::test]
async fn what_a_user_becomes_is_kept_whoever_writes_it() -> Result<()> {
    let world = World::start().await?;
    world.user("ana", "pending", BEGINS).await?;
    world
        .run(
            "UPDATE users SET status = 'onboarding';
             UPDATE users SET status = 'onboarding';
             UPDATE users SET name = 'Ana';
             UPDATE users SET status = 'active'",
        )
        .await?;
    let kept: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT user_id, from_status, to_status FROM user_status_changes ORDER BY id",
    )
    .fetch_all(&world.pool)
    .await?;
    let change = |from: &str, to: &str| ("ana".to_owned(), from.to_owned(), to.to_owned());
    assert_eq!(
        kept,
        [
            change("pending", "onboarding"),
            change("onboarding", "active")
        ]
    );
    Ok(())
}

#[tokio::test]
async fn messages_count_by_channel_and_by_what_became_of_them() -> Result<()> {
    let world = World::start().await?;
    for (id, channel, state, time) in [
        ("1", "email", "sent", BEGINS),
        ("2", "email", "sent", ENDS),
        ("3", "email", "refused", BEGINS),
        ("4", "email", "possibly_delivered", BEGINS),
        ("5", "email", "sending", BEGINS),
        ("6", "email", "handed_over", BEGINS),
        ("7", "email", "sent", BEFORE_BEGINS),
        ("8", "email", "refused", BEFORE_ENDS),
        ("9", "email", "sent", TOO_EARLY),
        ("10", "email", "sent", TOO_LATE),
        ("11", "push", "sent", BEFORE_ENDS),
    ] {
        world.delivery(id, channel, state, time).await?;
    }
    let metrics = world.analytics().await?;
    assert_eq!(
        metrics.deliveries,
        [
            ChannelDeliveries {
                channel: "email".to_owned(),
                sent: Compared::new(2, 1),
                failed: Compared::new(1, 1),
                possibly_delivered: Compared::new(1, 0),
                pending: Compared::new(2, 0),
            },
            ChannelDeliveries {
                channel: "push".to_owned(),
                sent: Compared::new(0, 1),
                failed: Compared::new(0, 0),
                possibly_delivered: Compared::new(0, 0),
                pending: Compared::new(0, 0),
            },
        ]
    );
    Ok(())
}

#[tokio::test]
async fn listings_count_by_when_they_were_created_and_approvals_by_when_they_were_decided()
-> Result<()> {
    let world = World::start().await?;
    for (id, status, created_at) in [
        ("1", "draft", BEGINS),
        ("2", "draft", ENDS),
        ("3", "validation_failed", BEGINS),
        ("4", "draft", BEFORE_BEGINS),
        ("5", "draft", TOO_EARLY),
        ("6", "draft", TOO_LATE),
    ] {
        sqlx::query(
            "INSERT INTO listings (id, user_id, status, created_at) VALUES ($1, 'ana', $2, $3)",
        )
        .bind(id)
        .bind(status)
        .bind(at(created_at)?)
        .execute(&world.pool)
        .await?;
    }
    for (id, decision, decided_at, seconds) in [
        ("1", "approve", BEGINS, 10),
        ("2", "approve", ENDS, 30),
        ("3", "reject", BEGINS, 1_000),
        ("4", "approve", BEFORE_ENDS, 7),
        ("5", "approve", TOO_EARLY, 1),
        ("6", "approve", TOO_LATE, 1),
    ] {
        world.decided(id, decision, decided_at, seconds).await?;
    }
    let listings = world.analytics().await?.listings.unwrap_or_default();
    let count = |status: &str, current, previous| StatusCount {
        status: status.to_owned(),
        count: Compared::new(current, previous),
    };
    assert_eq!(
        listings.by_status,
        [count("draft", 2, 1), count("validation_failed", 1, 0)]
    );
    let latency = |p50, p90| {
        Some(Latency {
            p50_millis: p50,
            p90_millis: p90,
        })
    };
    assert_eq!(
        listings.approval,
        Compared::new(latency(10_000, 30_000), latency(7_000, 7_000))
    );
    Ok(())
}

#[tokio::test]
async fn without_rows_there_are_no_figures() -> Result<()> {
    let world = World::start().await?;
    let nothing = AnalyticsMetrics {
        listings: Some(ListingMetrics::default()),
        ..AnalyticsMetrics::default()
    };
    assert_eq!(world.analytics().await?, nothing);
    Ok(())
}
