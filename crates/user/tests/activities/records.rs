//! `processNotification`: what became of a notification, as the send ledger has it.

use anyhow::{Context, Result};
use partner_core::wire::Wire;
use partner_local::inbox::MailFaultMode;
use partner_user::activities::notification::ProcessNotificationResult;
use serde_json::{Value, json};

use crate::support::{Answer, World, done, failure, merge, notification, stands};

/// Records the notification of `support::notification` as `sent`, with these changes.
async fn process(world: &World, changes: Value) -> Result<Answer<ProcessNotificationResult>> {
    let mut input = json!({
        "userId": "ana",
        "type": "info",
        "status": "sent",
        "notificationId": "order/1/paid",
    });
    merge(&mut input, changes)?;
    let input = Wire::from_json(input.to_string().as_bytes());
    Ok(world.notifications.process(input, "workflow/run/2").await)
}

async fn recorded(world: &World) -> Result<Vec<(String, String, String)>> {
    Ok(
        sqlx::query_as("SELECT id, user_id, status FROM notifications ORDER BY id")
            .fetch_all(&world.pool)
            .await?,
    )
}

fn row(id: &str, status: &str) -> (String, String, String) {
    (id.to_owned(), "ana".to_owned(), status.to_owned())
}

#[tokio::test]
async fn the_last_status_is_kept_and_the_ledger_told() -> Result<()> {
    let world = World::with_ana().await?;
    world.fail(MailFaultMode::Refuse, 1);
    done(world.tell(notification(json!({}))?).await)?;
    for status in ["partially_sent", "read", "read"] {
        let result = done(process(&world, json!({"status": status})).await?)?;
        assert_eq!((result.success, result.user_id.as_str()), (true, "ana"));
        assert_eq!(
            stands(&result.channels)?,
            json!({"email": "failed", "in_app": "sent", "push": "sent"})
        );
        let error = result.channels[0].error.as_deref().context("no reason")?;
        assert!(error.contains("550"), "{error}");
        assert_eq!(recorded(&world).await?, [row("order/1/paid", status)]);
    }
    Ok(())
}

#[tokio::test]
async fn a_channel_of_several_devices_has_one_outcome() -> Result<()> {
    let world = World::with_ana().await?;
    done(
        world
            .tell(notification(json!({"channels": ["push"]}))?)
            .await,
    )?;
    world
        .run(
            "INSERT INTO deliveries (notification_id, recipient, channel, state)
             VALUES ('order/1/paid', '0', 'push', 'refused'),
                    ('order/1/paid', '99', 'push', 'sending'),
                    ('order/1/paid', 'ana@example.com', 'email', 'handed_over'),
                    ('order/2/paid', 'ana', 'in_app', 'sent')",
        )
        .await?;
    let result = done(process(&world, json!({})).await?)?;
    assert_eq!(
        stands(&result.channels)?,
        json!({"email": "possibly_delivered", "push": "sent"})
    );
    Ok(())
}

#[tokio::test]
async fn without_a_key_it_is_recorded_once_an_activity() -> Result<()> {
    let world = World::start().await?;
    for _ in 0..2 {
        let result = done(process(&world, json!({"notificationId": null})).await?)?;
        assert!(result.channels.is_empty());
    }
    assert_eq!(recorded(&world).await?, [row("workflow/run/2", "sent")]);
    Ok(())
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_for_good_and_nothing_recorded() -> Result<()> {
    let world = World::with_ana().await?;
    done(process(&world, json!({})).await?)?;
    for (field, changes) in [
        ("notificationId", json!({"userId": "ben", "status": "read"})),
        ("notificationId", json!({"type": "error", "status": "read"})),
        ("notificationId", json!({"notificationId": ""})),
        ("userId", json!({"userId": ""})),
        ("type", json!({"type": ""})),
        ("status", json!({"status": " "})),
        ("status", json!({"status": "x".repeat(65)})),
        ("status", json!({"status": null})),
    ] {
        let failure = failure(process(&world, changes.clone()).await?)?;
        assert_eq!(failure.code, "VALIDATION_ERROR", "{changes}");
        assert!(!failure.retryable, "{changes}");
        assert!(failure.message.contains(field), "{changes}: {failure:?}");
    }
    assert_eq!(recorded(&world).await?, [row("order/1/paid", "sent")]);
    Ok(())
}
