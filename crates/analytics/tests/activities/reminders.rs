//! `validateReminder` and `markReminderSent`.

use anyhow::Result;
use chrono::{DateTime, Utc};
use partner_analytics::activities::reminder::{
    MarkReminderSentInput, ReminderActivities, ValidateReminderInput,
};
use partner_analytics::repository::ReminderRepository;
use partner_core::ids::UserId;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::database::fresh_database;
use crate::support::failed;

struct World {
    pool: PgPool,
    activities: ReminderActivities,
}

impl World {
    async fn start() -> Result<Self> {
        let pool = fresh_database().await?;
        let reminders = ReminderRepository::new(pool.clone());
        Ok(Self {
            pool,
            activities: ReminderActivities { reminders },
        })
    }

    async fn run(&self, statement: &'static str) -> Result<()> {
        sqlx::raw_sql(statement).execute(&self.pool).await?;
        Ok(())
    }

    async fn holds(&self, user: &str, kind: &str, metadata: Value) -> Result<bool> {
        let input = ValidateReminderInput {
            user_id: UserId::parse(user)?,
            reminder_type: kind.to_owned(),
            metadata: serde_json::from_value(metadata)?,
        };
        let holds = self.activities.validate(input.into()).await;
        holds.map_err(failed)
    }

    async fn mark(&self, id: Option<&str>, sent_at: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let input = MarkReminderSentInput {
            user_id: UserId::parse("ana")?,
            reminder_type: "viewing".to_owned(),
            sent_at,
            reminder_id: id.map(str::to_owned),
        };
        let marked = self.activities.mark(input.into(), "workflow/run").await;
        Ok(marked.map_err(failed)?.sent_at)
    }
}

#[tokio::test]
async fn an_order_is_owed_until_it_is_paid_or_called_off() -> Result<()> {
    let world = World::start().await?;
    world
        .run(
            "INSERT INTO orders (id, user_id, amount_minor, currency, status, transaction_id)
             SELECT status, 'ana', 100, 'EUR', status, status
             FROM unnest(ARRAY['pending', 'paid', 'payment_failed', 'processing', 'completed',
                               'cancelled', 'refunded']) AS status",
        )
        .await?;
    for (order, user, owed) in [
        ("pending", "ana", true),
        ("payment_failed", "ana", true),
        ("paid", "ana", false),
        ("processing", "ana", false),
        ("completed", "ana", false),
        ("cancelled", "ana", false),
        ("refunded", "ana", false),
        ("pending", "ben", false),
        ("unknown", "ana", false),
    ] {
        let metadata = json!({ "orderId": order });
        assert_eq!(
            world.holds(user, "payment_due", metadata).await?,
            owed,
            "{order}, {user}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_owed_if_a_period_that_has_begun_is_not_paid() -> Result<()> {
    let world = World::start().await?;
    world
        .run(
            "INSERT INTO subscriptions (id, user_id, status, amount_minor, currency, billing_period,
                                        payment_method, next_payment_date, anchor_date)
             VALUES ('due', 'ana', 'active', 1, 'EUR', 'monthly', 'card', now() - interval '1 hour', now()),
                    ('paid', 'ana', 'active', 1, 'EUR', 'monthly', 'card', '2027-03-01Z', now()),
                    ('first', 'ana', 'active', 1, 'EUR', 'monthly', 'card', NULL, now() - interval '1 hour'),
                    ('suspended', 'ana', 'suspended', 1, 'EUR', 'monthly', 'card', now() - interval '1 day', now()),
                    ('cancelled', 'ana', 'cancelled', 1, 'EUR', 'monthly', 'card', now() - interval '1 day', now())",
        )
        .await?;
    for (subscription, due, owed) in [
        ("due", None, true),
        ("paid", None, false),
        ("paid", Some("2027-03-01T00:00:00Z"), true),
        ("paid", Some("2027-02-28T23:59:59Z"), false),
        ("first", None, true),
        ("suspended", None, true),
        ("cancelled", None, false),
        ("unknown", None, false),
    ] {
        let metadata = json!({ "subscriptionId": subscription, "dueDate": due });
        let found = world.holds("ana", "payment_due", metadata).await?;
        assert_eq!(found, owed, "{subscription} {due:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_listing_expires_while_it_is_shown_and_not_renewed() -> Result<()> {
    let world = World::start().await?;
    world
        .run(
            "INSERT INTO listings (id, user_id, status, expires_at)
             VALUES ('draft', 'ana', 'draft', '2026-12-10Z');
             INSERT INTO listings (id, user_id, status, version, live_version, expires_at)
             VALUES ('shown', 'ana', 'pending_review', 1, 1, '2026-12-10Z'),
                    ('for-ever', 'ana', 'pending_review', 1, 1, NULL)",
        )
        .await?;
    for (listing, by, expires) in [
        ("shown", None, true),
        ("shown", Some("2026-12-10T00:00:00Z"), true),
        ("shown", Some("2026-12-09T23:59:59Z"), false),
        ("draft", None, false),
        ("for-ever", None, false),
        ("unknown", None, false),
    ] {
        let metadata = json!({ "listingId": listing, "expirationDate": by });
        let found = world.holds("ana", "listing_renewal", metadata).await?;
        assert_eq!(found, expires, "{listing} {by:?}");
    }
    let metadata = json!({ "listingId": "shown" });
    assert!(!world.holds("ben", "listing_renewal", metadata).await?);
    Ok(())
}

#[tokio::test]
async fn a_reminder_of_a_type_that_nobody_checks_holds() -> Result<()> {
    let world = World::start().await?;
    assert!(world.holds("ana", "viewing", Value::Null).await?);
    Ok(())
}

#[tokio::test]
async fn what_a_reminder_claims_must_be_said() -> Result<()> {
    let world = World::start().await?;
    for (kind, expected) in [
        ("payment_due", "metadata"),
        ("listing_renewal", "metadata.listingId"),
    ] {
        let error = world.holds("ana", kind, json!({})).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_reminder_is_marked_once_and_the_first_time_counts() -> Result<()> {
    let world = World::start().await?;
    let first: DateTime<Utc> = "2026-12-01T08:00:00Z".parse()?;
    let second: DateTime<Utc> = "2026-12-01T09:00:00Z".parse()?;
    assert_eq!(world.mark(Some("r-1"), first).await?, first);
    assert_eq!(world.mark(Some("r-1"), second).await?, first);
    assert_eq!(world.mark(Some("r-2"), second).await?, second);
    // Without an id, it is the run's.
    assert_eq!(world.mark(None, first).await?, first);
    assert_eq!(world.mark(None, second).await?, first);
    let marked: i64 = sqlx::query_scalar("SELECT count(*) FROM reminders_sent")
        .fetch_one(&world.pool)
        .await?;
    assert_eq!(marked, 3);
    Ok(())
}
