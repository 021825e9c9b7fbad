//! `getSubscriptionDetails` and `updateSubscription`.

use anyhow::{Context, Result};
use partner_payment::activities::subscription::{
    GetSubscriptionDetailsInput, SubscriptionDetails, UpdateSubscriptionInput,
};
use partner_payment::model::SubscriptionStatus;

use crate::support::{Answer, World, done, failed, json};

async fn world() -> Result<World> {
    let world = World::start().await?;
    sqlx::query(
        "INSERT INTO subscriptions (id, user_id, amount_minor, currency, billing_period, payment_method,
                                    failed_payment_count, last_payment_date)
         VALUES ('sub-1', 'ana', 999, 'EUR', 'monthly', 'upi', 1, '2026-01-31T08:00:00Z')",
    )
    .execute(&world.pool)
    .await?;
    Ok(world)
}

async fn details(world: &World, id: &str) -> Answer<SubscriptionDetails> {
    let input = GetSubscriptionDetailsInput {
        subscription_id: id.to_owned(),
    };
    world.subscriptions.details(input.into()).await
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
        };
        for _ in 0..2 {
            assert_eq!(done(details(&world, "sub-1").await)?, expected, "{status}");
        }
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
async fn an_unknown_subscription_or_a_bad_value_is_refused_for_good() -> Result<()> {
    let world = world().await?;
    let before = row(&world).await?;
    failed(details(&world, "sub-9").await)?.is("VALIDATION_ERROR", false)?;
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
