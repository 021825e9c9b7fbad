//! `sendNotification`: on every channel that the user wants and has, once on each, and one that fails
//! takes no other with it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::future::join_all;
use partner_core::ports::push::PushError;
use partner_core::wire::Wire;
use partner_local::inbox::MailFaultMode;
use partner_user::channels::Channels;
use serde_json::{Value, json};

use crate::support::{ANA, World, done, failed, failure, notification, stands};

const ID: &str = "order/1/paid";

/// Everything that left, or reached the inbox: mails, pushes, in-app messages.
async fn reached(world: &World) -> Result<(usize, usize, i64)> {
    Ok((
        world.inbox.mails().len(),
        world.devices.taken().len(),
        world.count("SELECT count(*) FROM inbox_messages").await?,
    ))
}

#[tokio::test]
async fn it_goes_out_on_every_channel_and_on_each_once() -> Result<()> {
    let world = World::with_ana().await?;
    let input = notification(json!({"title": "Paid", "metadata": {"orderId": "1"}}))?;
    for _ in 0..3 {
        let result = done(world.tell(input.clone()).await)?;
        assert_eq!((result.success, result.user_id.as_str()), (true, "ana"));
        assert_eq!(result.kind, "info");
        assert_eq!(
            stands(&result.channels)?,
            json!({"email": "sent", "in_app": "sent", "push": "sent"})
        );
    }
    assert_eq!(reached(&world).await?, (1, 1, 1));

    let mail = world.mails(ANA, 1).await?.remove(0);
    assert_eq!(mail.subject.as_deref(), Some("Paid"));
    let html = mail.html.as_deref().context("no HTML part")?;
    assert!(html.contains("Hello Ana &#60;3,"), "{html}");
    let text = mail.text.as_deref().context("no text part")?;
    assert!(text.contains("Hello Ana <3,"), "{text}");
    assert!(text.contains("Your order is paid."), "{text}");

    let row: (String, String, String, String, Value) =
        sqlx::query_as("SELECT user_id, type, title, message, metadata FROM inbox_messages")
            .fetch_one(&world.pool)
            .await?;
    let text = |text: &str| text.to_owned();
    assert_eq!(
        row,
        (
            text("ana"),
            text("info"),
            text("Paid"),
            text("Your order is paid."),
            json!({"orderId": "1"})
        )
    );

    let push = world.devices.taken().remove(0);
    assert_eq!(push.target.endpoint, "phone");
    assert_eq!(
        (push.urgent, push.time_to_live),
        (false, Duration::from_hours(24))
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&push.payload)?,
        json!({
            "id": ID, "type": "info", "title": "Paid", "message": "Your order is paid.",
            "metadata": {"orderId": "1"},
        })
    );
    Ok(())
}

#[tokio::test]
async fn without_a_key_each_activity_tells_once() -> Result<()> {
    let world = World::with_ana().await?;
    let input = notification(json!({"notificationId": null}))?;
    for activity in ["workflow/run/1", "workflow/run/1", "workflow/run/2"] {
        let notifications = &world.notifications;
        done(
            notifications
                .send(input.clone().into(), activity, false)
                .await,
        )?;
    }
    assert_eq!(reached(&world).await?, (2, 2, 2));
    Ok(())
}

#[tokio::test]
async fn activities_at_the_same_time_tell_once_on_each_channel() -> Result<()> {
    let world = World::with_ana().await?;
    let input = notification(json!({}))?;
    // Of each round, at the latest the one that begins last gets through.
    loop {
        let answers = join_all((0..10).map(|_| world.tell(input.clone()))).await;
        let (told, others): (Vec<_>, _) = answers.into_iter().partition(Result::is_ok);
        if others.is_empty() {
            ensure!(told.len() == 10, "an answer is missing");
            break;
        }
        for answer in others {
            ensure!(failed(answer)?.1, "a failure that ends the retries");
        }
    }
    assert_eq!(reached(&world).await?, (1, 1, 1));
    Ok(())
}

#[tokio::test]
async fn its_own_mail_goes_out_in_place_of_the_general_one() -> Result<()> {
    let world = World::with_ana().await?;
    let email = json!({"subject": "Receipt", "body": "<p>12.50</p>", "text": "12.50"});
    done(world.tell(notification(json!({"email": email}))?).await)?;
    let mail = world.mails(ANA, 1).await?.remove(0);
    assert_eq!(mail.subject.as_deref(), Some("Receipt"));
    assert_eq!(mail.html.as_deref().map(str::trim), Some("<p>12.50</p>"));
    assert_eq!(mail.text.as_deref().map(str::trim), Some("12.50"));
    Ok(())
}

/// The preferences of `ana`, and the channels on which she is told of type `info`.
type Preferences = &'static [(&'static str, &'static str, bool)];

#[tokio::test]
async fn the_most_exact_preference_counts() -> Result<()> {
    let cases: [(Preferences, [&str; 3]); 8] = [
        (&[], ["sent", "sent", "sent"]),
        (&[("*", "*", false)], ["muted", "muted", "muted"]),
        (&[("*", "push", false)], ["sent", "sent", "muted"]),
        (&[("info", "*", false)], ["muted", "muted", "muted"]),
        (
            &[("error", "*", false), ("error", "email", false)],
            ["sent", "sent", "sent"],
        ),
        (
            &[("*", "*", false), ("*", "email", true)],
            ["sent", "muted", "muted"],
        ),
        // Of a type before of a channel.
        (
            &[("info", "*", true), ("*", "email", false)],
            ["sent", "sent", "sent"],
        ),
        (
            &[
                ("info", "email", false),
                ("info", "*", true),
                ("*", "*", false),
            ],
            ["muted", "sent", "sent"],
        ),
    ];
    let world = World::with_ana().await?;
    for (number, (preferences, [email, in_app, push])) in cases.into_iter().enumerate() {
        world.run("DELETE FROM notification_preferences").await?;
        for (kind, channel, enabled) in preferences {
            sqlx::query("INSERT INTO notification_preferences VALUES ('ana', $1, $2, $3)")
                .bind(kind)
                .bind(channel)
                .bind(enabled)
                .execute(&world.pool)
                .await?;
        }
        let id = json!({"notificationId": number.to_string()});
        let result = done(world.tell(notification(id)?).await)?;
        assert_eq!(
            stands(&result.channels)?,
            json!({"email": email, "in_app": in_app, "push": push}),
            "{preferences:?}"
        );
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE notification_id = $1")
                .bind(number.to_string())
                .fetch_one(&world.pool)
                .await?;
        let sent = [email, in_app, push]
            .iter()
            .filter(|&&word| word == "sent")
            .count();
        assert_eq!(usize::try_from(rows)?, sent, "{preferences:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_critical_goes_out_to_those_who_muted_it() -> Result<()> {
    let world = World::with_ana().await?;
    world
        .run("INSERT INTO notification_preferences VALUES ('ana', '*', '*', false)")
        .await?;
    for (changes, urgent) in [
        (json!({"critical": true, "notificationId": "1"}), true),
        (
            json!({"type": "security_alert", "notificationId": "2"}),
            true,
        ),
        (json!({"notificationId": "3"}), false),
    ] {
        let result = done(world.tell(notification(changes.clone())?).await)?;
        let status = if urgent { "sent" } else { "muted" };
        assert_eq!(
            stands(&result.channels)?,
            json!({"email": status, "in_app": status, "push": status}),
            "{changes}"
        );
    }
    let pushes = world.devices.taken();
    assert_eq!(pushes.len(), 2);
    assert!(pushes.iter().all(|push| push.urgent));
    Ok(())
}

#[tokio::test]
async fn an_unknown_user_who_is_an_email_address_gets_mail() -> Result<()> {
    let world = World::start().await?;
    let to = "ben@example.com";
    for _ in 0..2 {
        let result = done(world.tell(notification(json!({"userId": to}))?).await)?;
        assert_eq!(stands(&result.channels)?, json!({"email": "sent"}));
    }
    let mail = world.mails(to, 1).await?.remove(0);
    assert_eq!(mail.subject.as_deref(), Some("Info"));
    let html = mail.html.as_deref().context("no HTML part")?;
    assert!(!html.contains("Hello"), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_channel_that_fails_for_good_does_not_stop_the_others() -> Result<()> {
    let world = World::with_ana().await?;
    world.fail(MailFaultMode::Refuse, 1);
    let result = done(world.tell(notification(json!({}))?).await)?;
    assert_eq!(
        stands(&result.channels)?,
        json!({"email": "failed", "in_app": "sent", "push": "sent"})
    );
    let [email, ..] = result.channels.as_slice() else {
        bail!("no channel");
    };
    let error = email.error.as_deref().context("no reason")?;
    assert!(error.contains("550"), "{error}");
    assert_eq!(reached(&world).await?, (0, 1, 1));
    Ok(())
}

#[tokio::test]
async fn a_user_whose_address_is_none_is_told_on_the_other_channels() -> Result<()> {
    let world = World::with_ana().await?;
    world
        .run("UPDATE users SET email = E'ana@example.com\\r\\nBcc: eve@example.com'")
        .await?;
    let result = done(world.tell(notification(json!({}))?).await)?;
    assert_eq!(
        stands(&result.channels)?,
        json!({"email": "failed", "in_app": "sent", "push": "sent"})
    );
    assert_eq!(reached(&world).await?, (0, 1, 1));
    Ok(())
}

#[tokio::test]
async fn a_channel_that_fails_for_now_is_tried_again_without_the_others() -> Result<()> {
    let world = World::with_ana().await?;
    world.add_device("dead tablet").await?;
    world.fail(MailFaultMode::Defer, 2);
    let dead = PushError::Refused {
        status: 400,
        message: "no".to_owned(),
    };
    world.devices.fail("dead tablet", dead);
    for attempt in 1..=2 {
        let answer = world
            .notifications
            .send(notification(json!({}))?.into(), "key", attempt > 1)
            .await;
        assert_eq!(failed(answer)?, ("EXTERNAL_SERVICE_ERROR".to_owned(), true));
        assert_eq!(reached(&world).await?, (0, 1, 1));
        assert_eq!(world.delivery(ID).await?, ("sending".to_owned(), attempt));
    }
    let answer = world
        .notifications
        .send(notification(json!({}))?.into(), "key", true);
    assert_eq!(
        stands(&done(answer.await)?.channels)?,
        json!({"email": "sent", "in_app": "sent", "push": "sent"})
    );
    assert_eq!(reached(&world).await?, (1, 1, 1));
    // Refused for good, and so not tried again by the same activity.
    assert_eq!(
        world
            .count("SELECT sum(attempts) FROM deliveries WHERE channel = 'push'")
            .await?,
        2
    );
    Ok(())
}

#[tokio::test]
async fn if_every_channel_fails_for_good_so_does_the_notification() -> Result<()> {
    let world = World::with_ana().await?;
    world.fail(MailFaultMode::Refuse, 1);
    world.devices.fail("phone", PushError::Gone { status: 410 });
    let input = notification(json!({"channels": ["push", "email"]}))?;
    assert_eq!(
        failed(world.tell(input).await)?,
        ("EXTERNAL_SERVICE_ERROR".to_owned(), false)
    );
    assert_eq!(reached(&world).await?, (0, 0, 0));
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_possibly_delivered_and_not_repeated() -> Result<()> {
    let world = World::with_ana().await?;
    world.fail(MailFaultMode::DropAfterData, 1);
    world
        .devices
        .fail("phone", PushError::NoAnswer("reset".to_owned()));
    for _ in 0..2 {
        let result = done(world.tell(notification(json!({}))?).await)?;
        assert_eq!(
            stands(&result.channels)?,
            json!({"email": "possibly_delivered", "in_app": "sent", "push": "possibly_delivered"})
        );
        assert_eq!(reached(&world).await?, (1, 1, 1));
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_device_is_pushed_to_once_and_never_again() -> Result<()> {
    for status in [404, 410] {
        let world = World::with_ana().await?;
        world.add_device("old phone").await?;
        world.devices.fail("old phone", PushError::Gone { status });
        for id in ["1", "2"] {
            let result = done(
                world
                    .tell(notification(json!({"notificationId": id}))?)
                    .await,
            )?;
            assert_eq!(
                stands(&result.channels)?,
                json!({"email": "sent", "in_app": "sent", "push": "sent"})
            );
        }
        assert_eq!(world.devices.reached(), ["phone", "phone"]);
        let (device, reason): (String, String) = sqlx::query_as(
            "SELECT endpoint, disabled_reason FROM push_subscriptions WHERE disabled_at IS NOT NULL",
        )
        .fetch_one(&world.pool)
        .await?;
        assert_eq!(device, "old phone");
        assert!(reason.contains(&status.to_string()), "{reason}");
    }
    Ok(())
}

#[tokio::test]
async fn a_device_that_only_fails_now_stays_and_is_tried_when_asked_to() -> Result<()> {
    let world = World::with_ana().await?;
    world.add_device("tablet").await?;
    let retry_after = Some(Duration::from_secs(7));
    world
        .devices
        .fail("tablet", PushError::RateLimited { retry_after });
    let failure = failure(world.tell(notification(json!({}))?).await)?;
    assert!(failure.retryable, "{failure:?}");
    assert_eq!(failure.retry_after, retry_after);

    done(world.tell(notification(json!({}))?).await)?;
    assert_eq!(world.devices.reached(), ["phone", "tablet"]);
    assert_eq!(reached(&world).await?, (1, 2, 1));
    Ok(())
}

#[tokio::test]
async fn only_the_named_channels_are_used() -> Result<()> {
    let world = World::with_ana().await?;
    let input = notification(json!({"channels": ["in_app", "in_app"]}))?;
    let result = done(world.tell(input).await)?;
    assert_eq!(stands(&result.channels)?, json!({"in_app": "sent"}));
    assert_eq!(reached(&world).await?, (0, 0, 1));
    Ok(())
}

#[tokio::test]
async fn a_channel_that_the_user_has_not_got_fails_only_if_it_was_named() -> Result<()> {
    let world = World::with_ana().await?;
    world.run("DELETE FROM push_subscriptions").await?;
    for (id, channels, expected) in [
        ("1", json!(null), json!({"email": "sent", "in_app": "sent"})),
        (
            "2",
            json!(["push", "in_app"]),
            json!({"in_app": "sent", "push": "failed"}),
        ),
    ] {
        let input = notification(json!({"notificationId": id, "channels": channels}))?;
        let result = done(world.tell(input).await)?;
        assert_eq!(stands(&result.channels)?, expected);
    }
    let only = notification(json!({"notificationId": "3", "channels": ["push"]}))?;
    assert_eq!(
        failed(world.tell(only).await)?,
        ("VALIDATION_ERROR".to_owned(), false)
    );
    Ok(())
}

#[tokio::test]
async fn without_a_push_service_the_other_channels_are_used() -> Result<()> {
    let mut world = World::with_ana().await?;
    let mailer = Arc::clone(&world.emails.mailer);
    world.notifications.channels = Channels::new(&world.pool, mailer, None, Duration::ZERO);
    let result = done(world.tell(notification(json!({}))?).await)?;
    assert_eq!(
        stands(&result.channels)?,
        json!({"email": "sent", "in_app": "sent"})
    );
    let named = notification(json!({"notificationId": "2", "channels": ["push"]}))?;
    let failure = failure(world.tell(named).await)?;
    assert!(
        failure.message.contains("push.vapid_private_key"),
        "{failure:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_for_good_and_nobody_is_told() -> Result<()> {
    let world = World::with_ana().await?;
    for (field, changes) in [
        ("userId", json!({"userId": "nobody"})),
        ("userId", json!({"userId": "a@x.com\r\nBcc: b@x.com"})),
        ("userId", json!({"userId": " "})),
        ("type", json!({"type": "info\r\nBcc: b@x.com"})),
        ("type", json!({"type": "*"})),
        ("title", json!({"title": "Hello\r\nBcc: b@x.com"})),
        ("message", json!({"message": " "})),
        ("message", json!({"message": "a\u{0}"})),
        (
            "email.subject",
            json!({"email": {"subject": "a\nBcc: b@x.com", "body": "", "text": ""}}),
        ),
        ("notificationId", json!({"notificationId": "a\nb"})),
        ("channels", json!({"channels": ["sms"]})),
    ] {
        let failure = failure(world.tell(notification(changes.clone())?).await)?;
        assert_eq!(failure.code, "VALIDATION_ERROR", "{changes}");
        assert!(!failure.retryable, "{changes}");
        assert!(failure.message.contains(field), "{changes}: {failure:?}");
    }
    let json = br#"{"userId":"ana","type":"info"}"#;
    let missing = world
        .notifications
        .send(Wire::from_json(json), "key", false)
        .await;
    assert_eq!(failed(missing)?, ("VALIDATION_ERROR".to_owned(), false));
    assert_eq!(reached(&world).await?, (0, 0, 0));
    assert_eq!(world.deliveries().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_user_is_the_same_by_their_id_and_by_their_address() -> Result<()> {
    let world = World::with_ana().await?;
    let input = notification(json!({"userId": "Ana@Example.com"}))?;
    let result = done(world.tell(input).await)?;
    assert_eq!(
        stands(&result.channels)?,
        json!({"email": "sent", "in_app": "sent", "push": "sent"})
    );
    world
        .run(
            "INSERT INTO notification_preferences (user_id, type, channel, enabled)
             VALUES ('ana', '*', '*', false)",
        )
        .await?;
    let muted = notification(json!({"userId": ANA, "notificationId": "another"}))?;
    let result = done(world.tell(muted).await)?;
    assert_eq!(
        stands(&result.channels)?,
        json!({"email": "muted", "in_app": "muted", "push": "muted"})
    );
    assert_eq!(reached(&world).await?, (1, 1, 1));
    Ok(())
}
