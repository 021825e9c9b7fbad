//! The shop on a real database with the platform's schema.

use anyhow::Result;
use chrono::{DateTime, NaiveTime};
use partner_local::platform::migrate;
use partner_local::postgres::{PostgresOptions, PostgresServer};
use partner_local::progress::Progress;
use partner_local::push::{PushOptions, PushSimulator};
use partner_local::shop::{NewSubscription, NewUser, Shop};

const DATABASE: &str = "shop";

#[tokio::test]
async fn what_the_shop_writes_it_reads_again() -> Result<()> {
    let server = PostgresServer::start(PostgresOptions::default(), &Progress::silent()).await?;
    server.create_database(DATABASE).await?;
    let url = server.url(DATABASE);
    migrate(&url).await?;
    let shop = Shop::connect(&url).await?;
    users(&shop).await?;
    subscriptions(&shop).await?;
    shop.pool().close().await;
    server.stop().await?;
    Ok(())
}

async fn users(shop: &Shop) -> Result<()> {
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
    shop.add_user("ana", "ana@example.com", "Ana").await?;
    shop.add_user_with(&NewUser {
        status: "pending",
        time_zone: "Europe/Berlin",
        quiet_hours: Some((at(22), at(7))),
        ..NewUser::active("owl", "owl@example.com", "Owl")
    })
    .await?;
    assert_eq!(shop.user_status("ana").await?, ("active".to_owned(), None));
    assert_eq!(shop.user_status("owl").await?, ("pending".to_owned(), None));
    let quiet: (String, NaiveTime, NaiveTime) =
        sqlx::query_as("SELECT time_zone, quiet_from, quiet_until FROM users WHERE id = 'owl'")
            .fetch_one(shop.pool())
            .await?;
    assert_eq!(quiet, ("Europe/Berlin".to_owned(), at(22), at(7)));

    told(shop).await
}

async fn told(shop: &Shop) -> Result<()> {
    for enabled in [true, false] {
        shop.set_preference("ana", "*", "push", enabled).await?;
    }
    let enabled: bool = sqlx::query_scalar("SELECT enabled FROM notification_preferences")
        .fetch_one(shop.pool())
        .await?;
    assert!(!enabled);

    let service = PushSimulator::start(PushOptions::default()).await?;
    let device = service.device("phone");
    let subscription = shop.add_push_subscription("ana", &device).await?;
    assert_eq!(shop.push_disabled(&device.endpoint).await?, None);
    sqlx::query(
        "UPDATE push_subscriptions SET disabled_at = now(), disabled_reason = 'gone' WHERE id = $1",
    )
    .bind(subscription)
    .execute(shop.pool())
    .await?;
    assert_eq!(
        shop.push_disabled(&device.endpoint).await?.as_deref(),
        Some("gone")
    );

    ledgers(shop).await
}

async fn ledgers(shop: &Shop) -> Result<()> {
    sqlx::query(
        "INSERT INTO inbox_messages (user_id, notification_id, type, title, message)
         VALUES ('ana', 'n', 'news', 'Title', 'Text')",
    )
    .execute(shop.pool())
    .await?;
    let message = shop.inbox_messages("ana").await?.remove(0);
    assert_eq!(
        (
            &*message.notification_id,
            &*message.r#type,
            &*message.title,
            &*message.message
        ),
        ("n", "news", "Title", "Text")
    );
    sqlx::query(
        "INSERT INTO deliveries (notification_id, recipient, channel, state, attempts)
         VALUES ('n', 'ana', 'in_app', 'sent', 2)",
    )
    .execute(shop.pool())
    .await?;
    let delivery = shop.deliveries("ana").await?.remove(0);
    assert_eq!(shop.deliveries("n").await?, std::slice::from_ref(&delivery));
    assert_eq!(shop.deliveries("owl").await?, []);
    assert_eq!(
        (&*delivery.channel, &*delivery.state, delivery.attempts),
        ("in_app", "sent", 2)
    );
    Ok(())
}

async fn subscriptions(shop: &Shop) -> Result<()> {
    let anchor = DateTime::parse_from_rfc3339("2026-01-31T10:00:00Z")?.to_utc();
    shop.add_subscription(&NewSubscription {
        id: "s",
        user_id: "ana",
        plan: "pro",
        amount_minor: 999,
        currency: "EUR",
        billing_period: "monthly",
        payment_method: "card",
        stored_method: None,
        anchor_date: anchor,
        next_payment_date: Some(anchor),
    })
    .await?;
    let row = shop.subscription("s").await?;
    assert_eq!(
        (row.status.as_str(), row.failed_payment_count),
        ("active", 0)
    );
    assert_eq!(row.next_payment_date, Some(anchor));
    assert_eq!((row.last_payment_date, row.retry_at), (None, None));
    assert_eq!(row.payment_method_version, 1);
    shop.set_stored_method("s", Some("cus_1/pm_1")).await?;
    assert_eq!(shop.subscription("s").await?.payment_method_version, 2);

    sqlx::query(
        "INSERT INTO charges (subject_kind, subject_id, period, purpose, parameters_hash, user_id,
                              amount_minor, currency, payment_method)
         VALUES ('subscription', 's', '2026-01-31', 'payment/1', 'h', 'ana', 999, 'EUR', 'card')",
    )
    .execute(shop.pool())
    .await?;
    let charge = shop.charges_of("s").await?.remove(0);
    assert_eq!(
        (
            &*charge.period,
            &*charge.purpose,
            &*charge.state,
            charge.amount_minor
        ),
        ("2026-01-31", "payment/1", "created", 999)
    );
    assert_eq!(shop.charges_of("o").await?, []);
    Ok(())
}
