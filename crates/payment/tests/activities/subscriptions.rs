//! `getSubscriptionDetails` and `updateSubscription`.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use partner_payment::activities::subscription::{
    Billing, GetSubscriptionDetailsInput, SubscriptionDetails, UpdateSubscriptionInput,
};
use partner_payment::model::SubscriptionStatus;
use partner_payment::settings::Schedule;

use crate::support::{Answer, World, done, failed, json};

async fn world() -> Result<World> {
    let world = World::start().await?;
    sqlx::query(
        "INSERT INTO subscriptions (id, user_id, amount_minor, currency, billing_period, payment_method,
                                    failed_payment_count, plan, last_payment_date, anchor_date)
         VALUES ('sub-1', 'ana', 999, 'EUR', 'monthly', 'upi', 1, 'Basic',
                 '2026-01-31T08:00:00Z', '2026-01-31T08:00:00Z')",
    )
    .execute(&world.pool)
    .await?;
    Ok(world)
}

/// The details that this input asks for, beside the subscription.
async fn asked(world: &World, more: &str) -> Answer<SubscriptionDetails> {
    let input = format!(r#"{{"subscriptionId":"sub-1"{more}}}"#);
    world.subscriptions.details(json(&input)).await
}

/// What the subscription owes at this time.
async fn billing(world: &World, as_of: &str) -> Result<Billing> {
    let details = done(asked(world, &format!(r#","asOf":"{as_of}""#)).await)?;
    Ok(details.billing)
}

async fn set(world: &World, change: &'static str) -> Result<()> {
    sqlx::query(change).execute(&world.pool).await?;
    Ok(())
}

fn at(text: &str) -> Result<DateTime<Utc>> {
    Ok(text.parse()?)
}

/// The whole row, as text.
async fn row(world: &World) -> Result<String> {
    world
        .text(
            "SELECT concat_ws(' ', status, failed_payment_count, last_payment_date, next_payment_date)
             FROM subscriptions WHERE id = $1",
            "sub-1",
        )
        .await
}

#[tokio::test]
async fn the_details_are_those_of_the_row_each_time() -> Result<()> {
    let world = world().await?;
    for &status in SubscriptionStatus::ALL {
        sqlx::query("UPDATE subscriptions SET status = $1")
            .bind(status.as_str())
            .execute(&world.pool)
            .await?;
        let expected = SubscriptionDetails {
            subscription_id: "sub-1".to_owned(),
            active: status == SubscriptionStatus::Active,
            payment_method: "upi".to_owned(),
            failed_payment_count: 1,
            status,
            plan: "Basic".to_owned(),
            time_zone: "UTC".to_owned(),
            billing: Billing {
                period: "2026-02-28".to_owned(),
                due_at: at("2026-02-28T08:00:00Z")?,
                attempt: 1,
                billable: status == SubscriptionStatus::Active,
                transaction_id: None,
                next_payment_date: None,
                retry_at: None,
                schedule: Schedule::Caller,
                suspension_window_seconds: 30 * 24 * 60 * 60,
            },
        };
        for _ in 0..2 {
            let details = done(asked(&world, r#","asOf":"2026-03-01T00:00:00Z""#).await)?;
            assert_eq!(details, expected, "{status}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_contracts_fields_are_there_for_a_caller_who_sends_only_the_id() -> Result<()> {
    let world = world().await?;
    let input = GetSubscriptionDetailsInput {
        subscription_id: "sub-1".to_owned(),
        expected: None,
        as_of: None,
        settle: false,
    };
    let details = done(world.subscriptions.details(input.into()).await)?;
    let text = serde_json::to_string(&details)?;
    for field in [
        r#""subscriptionId":"sub-1""#,
        r#""active":true"#,
        r#""paymentMethod":"upi""#,
        r#""failedPaymentCount":1"#,
        r#""schedule":"caller""#,
    ] {
        assert!(text.contains(field), "{field} in {text}");
    }
    // By the database's clock: the period is long due, or far from it.
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()")
        .fetch_one(&world.pool)
        .await?;
    assert_eq!(details.billing.billable, details.billing.due_at <= now);
    Ok(())
}

#[tokio::test]
async fn what_is_due_is_counted_from_the_anchor_and_does_not_drift() -> Result<()> {
    let world = world().await?;
    set(
        &world,
        "UPDATE subscriptions SET last_payment_date = NULL, next_payment_date = NULL",
    )
    .await?;
    assert_eq!(
        billing(&world, "2026-01-31T08:00:00Z").await?.period,
        "2026-01-31"
    );
    for day in ["2026-02-28", "2026-03-31", "2026-04-30", "2028-02-29"] {
        sqlx::query("UPDATE subscriptions SET next_payment_date = $1")
            .bind(at(&format!("{day}T08:00:00Z"))?)
            .execute(&world.pool)
            .await?;
        let billing = billing(&world, "2026-02-28T08:00:00Z").await?;
        assert_eq!(billing.period, day);
        assert_eq!(billing.due_at, at(&format!("{day}T08:00:00Z"))?);
        assert_eq!(billing.billable, day == "2026-02-28", "{day}");
        assert_eq!(billing.transaction_id, None);
    }
    Ok(())
}

#[tokio::test]
async fn a_period_begins_by_the_clock_of_the_user() -> Result<()> {
    let world = world().await?;
    set(
        &world,
        "INSERT INTO users (id, email, time_zone) VALUES ('ana', 'ana@example.com', 'Asia/Kolkata')",
    )
    .await?;
    // 1 February 01:30 there.
    set(
        &world,
        "UPDATE subscriptions SET last_payment_date = NULL, anchor_date = '2026-01-31T20:00:00Z'",
    )
    .await?;
    assert_eq!(
        billing(&world, "2026-02-01T00:00:00Z").await?.period,
        "2026-02-01"
    );
    set(
        &world,
        "UPDATE subscriptions SET next_payment_date = '2026-02-28T20:00:00Z'",
    )
    .await?;
    let next = billing(&world, "2026-02-28T20:00:00Z").await?;
    assert_eq!((next.period.as_str(), next.billable), ("2026-03-01", true));
    assert!(!billing(&world, "2026-02-28T19:59:59Z").await?.billable);
    assert_eq!(done(asked(&world, "").await)?.time_zone, "Asia/Kolkata");

    set(&world, "UPDATE users SET time_zone = 'Mars/Olympus'").await?;
    let failure = failed(asked(&world, "").await)?;
    failure.is("VALIDATION_ERROR", false)?;
    assert!(failure.message.contains("Mars/Olympus"), "{failure:?}");
    Ok(())
}

#[tokio::test]
async fn a_caller_who_believes_otherwise_is_told_every_field() -> Result<()> {
    let world = world().await?;
    let expected = |user: &str, amount: &str, currency: &str, period: &str| {
        format!(
            r#","expected":{{"userId":"{user}","amount":{amount},"currency":"{currency}","billingPeriod":"{period}"}}"#
        )
    };
    for amount in ["9.99", "9.990"] {
        done(asked(&world, &expected("ana", amount, "EUR", "monthly")).await)?;
    }
    for (input, named) in [
        (
            expected("ben", "9.99", "EUR", "monthly"),
            vec!["userId", "ben", "ana"],
        ),
        (
            expected("ana", "9.98", "EUR", "monthly"),
            vec!["amount", "9.98", "9.99"],
        ),
        (
            expected("ana", "9.995", "EUR", "monthly"),
            vec!["amount", "9.995", "9.99"],
        ),
        (
            expected("ana", "9.99", "USD", "monthly"),
            vec!["currency", "USD", "EUR"],
        ),
        (
            expected("ana", "9.99", "EUR", "weekly"),
            vec!["billingPeriod", "weekly", "monthly"],
        ),
        (
            expected("ben", "1", "INR", "yearly"),
            vec!["userId", "amount", "currency", "billingPeriod"],
        ),
    ] {
        for _ in 0..2 {
            let failure = failed(asked(&world, &input).await)?;
            failure.is("VALIDATION_ERROR", false)?;
            let fields = ["userId:", "amount:", "currency:", "billingPeriod:"];
            for field in fields {
                let is_named = named.iter().any(|name| field.starts_with(name));
                assert_eq!(failure.message.contains(field), is_named, "{failure:?}");
            }
            for part in &named {
                assert!(failure.message.contains(part), "{part} in {failure:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn only_an_active_subscription_is_billable_or_a_suspended_one_for_a_reason() -> Result<()> {
    let world = world().await?;
    let billable = async |settle: bool| -> Result<bool> {
        let input = format!(r#","asOf":"2026-03-01T00:00:00Z","settle":{settle}"#);
        Ok(done(asked(&world, &input).await)?.billing.billable)
    };
    assert!(billable(false).await? && billable(true).await?);
    for (change, plain, settle) in [
        // Suspended by somebody: nothing was declined.
        ("UPDATE subscriptions SET status = 'suspended'", false, true),
        (
            "UPDATE subscriptions SET declined_version = payment_method_version",
            false,
            true,
        ),
        // The same again is no change.
        (
            "UPDATE subscriptions SET payment_method = 'upi', stored_method = NULL",
            false,
            true,
        ),
        (
            "UPDATE subscriptions SET stored_method = 'cus_1/pm_2'",
            true,
            true,
        ),
        (
            "UPDATE subscriptions SET next_payment_date = '2026-03-31T08:00:00Z'",
            false,
            false,
        ),
        (
            "UPDATE subscriptions SET next_payment_date = NULL, status = 'cancelled'",
            false,
            false,
        ),
        ("UPDATE subscriptions SET status = 'expired'", false, false),
    ] {
        set(&world, change).await?;
        let answer = (billable(false).await?, billable(true).await?);
        assert_eq!(answer, (plain, settle), "{change}");
    }
    Ok(())
}

#[tokio::test]
async fn an_update_changes_what_it_names_once_and_nothing_else() -> Result<()> {
    let world = world().await?;
    for (input, expected) in [
        (
            r#""failedPaymentCount":2"#,
            "active 2 2026-01-31 08:00:00+00",
        ),
        (
            r#""status":"suspended""#,
            "suspended 2 2026-01-31 08:00:00+00",
        ),
        (
            r#""nextPaymentDate":"2026-02-28T09:00:00+01:00""#,
            "suspended 2 2026-01-31 08:00:00+00 2026-02-28 08:00:00+00",
        ),
        (
            r#""lastPaymentDate":"2026-02-28T08:00:00Z","failedPaymentCount":0,"status":"active""#,
            "active 0 2026-02-28 08:00:00+00 2026-02-28 08:00:00+00",
        ),
    ] {
        let input = format!(r#"{{"subscriptionId":"sub-1",{input}}}"#);
        for _ in 0..2 {
            let result = done(world.subscriptions.update(json(&input)).await)?;
            assert!(result.success && result.subscription_id == "sub-1");
            assert_eq!(row(&world).await?, expected, "{input}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn another_status_plans_no_attempt() -> Result<()> {
    let world = world().await?;
    set(
        &world,
        "UPDATE subscriptions SET retry_at = '2026-03-03T08:00:00Z'",
    )
    .await?;
    let update = async |status: &str| {
        let input = format!(r#"{{"subscriptionId":"sub-1","status":"{status}"}}"#);
        done(world.subscriptions.update(json(&input)).await)?;
        Ok::<_, anyhow::Error>(billing(&world, "2026-03-01T00:00:00Z").await?.retry_at)
    };
    assert_eq!(update("active").await?, Some(at("2026-03-03T08:00:00Z")?));
    assert_eq!(update("suspended").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_ended_stays_so() -> Result<()> {
    let world = world().await?;
    for end in ["cancelled", "expired"] {
        sqlx::query("UPDATE subscriptions SET status = $1")
            .bind(end)
            .execute(&world.pool)
            .await?;
        for &status in SubscriptionStatus::ALL {
            let input = format!(r#"{{"subscriptionId":"sub-1","status":"{status}"}}"#);
            let answer = world.subscriptions.update(json(&input)).await;
            if status.as_str() == end {
                done(answer)?;
                continue;
            }
            let failure = failed(answer)?;
            failure.is("VALIDATION_ERROR", false)?;
            assert!(
                failure.message.contains(end) && failure.message.contains(status.as_str()),
                "{failure:?}"
            );
        }
        assert!(row(&world).await?.starts_with(end));
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_subscription_or_a_bad_value_is_refused_for_good() -> Result<()> {
    let world = world().await?;
    let before = row(&world).await?;
    let unknown = world
        .subscriptions
        .details(json(r#"{"subscriptionId":"sub-9"}"#));
    failed(unknown.await)?.is("VALIDATION_ERROR", false)?;
    for input in [
        r#"{"subscriptionId":"sub-9","failedPaymentCount":1}"#,
        r#"{"subscriptionId":"sub-1","failedPaymentCount":-1}"#,
        r#"{"subscriptionId":"sub-1","status":"sleeping"}"#,
        r#"{"subscriptionId":"sub-1","nextPaymentDate":"31 February"}"#,
        r#"{"failedPaymentCount":1}"#,
    ] {
        let answer = world
            .subscriptions
            .update(json::<UpdateSubscriptionInput>(input))
            .await;
        failed(answer)
            .context(input)?
            .is("VALIDATION_ERROR", false)?;
    }
    assert_eq!(row(&world).await?, before);
    Ok(())
}
