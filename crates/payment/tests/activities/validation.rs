//! `validatePayment`: who may pay which order, and which workflow collects it.

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use partner_payment::activities::validation::{ValidatePaymentInput, ValidatePaymentResult};
use partner_payment::model::OrderStatus;

use crate::support::{World, done, failed, json};

/// A world with buyers in it, and a pending order of ana's over 12.50 USD.
async fn shop() -> Result<World> {
    let world = World::start().await?;
    sqlx::query(
        "INSERT INTO users (id, email, status) VALUES
         ('ana', 'ana@example.com', 'active'),
         ('new', 'new@example.com', 'pending'),
         ('bad', 'bad@example.com', 'suspended')",
    )
    .execute(&world.pool)
    .await?;
    world.order("order-1", &[]).await?;
    Ok(world)
}

fn input(user: &str, amount: &str, currency: &str, order: Option<&str>) -> String {
    let order = order
        .map(|id| format!(r#","orderId":"{id}""#))
        .unwrap_or_default();
    format!(
        r#"{{"userId":"{user}","amount":{amount},"currency":"{currency}","paymentMethod":"card"{order}}}"#
    )
}

async fn validate(
    world: &World,
    input: &str,
    workflow: Option<&str>,
) -> Result<ValidatePaymentResult> {
    let first =
        done(world.validation.validate(json(input), workflow).await).context(input.to_owned())?;
    let again = done(world.validation.validate(json(input), workflow).await)?;
    ensure!(first == again, "{input}: {first:?}, then {again:?}");
    Ok(first)
}

#[tokio::test]
async fn every_refusal_has_its_reason() -> Result<()> {
    let world = shop().await?;
    let order = Some("order-1");
    for (input, reason) in [
        (
            input("nobody", "12.50", "USD", order),
            "user nobody does not exist",
        ),
        (input("bad", "12.50", "USD", None), "user bad is suspended"),
        (input("ana", "0", "USD", order), "greater than 0"),
        (input("ana", "-12.50", "USD", order), "greater than 0"),
        (input("ana", "12.505", "USD", order), "more decimals"),
        (
            input("ana", "92233720368547758.08", "USD", order),
            "too large",
        ),
        (
            input("ana", "12.50", "USD", Some("order-9")),
            "order order-9 does not exist",
        ),
        (
            input("new", "12.50", "USD", order),
            "belongs to another user",
        ),
        (
            input("ana", "12.51", "USD", order),
            "costs 12.50 USD, not 12.51 USD",
        ),
        (
            input("ana", "12.50", "EUR", order),
            "costs 12.50 USD, not 12.50 EUR",
        ),
    ] {
        let refused = validate(&world, &input, Some("payment-1")).await?;
        let text = refused.reason.clone().unwrap_or_default();
        assert!(
            !refused.valid && text.contains(reason),
            "{input}: {refused:?}"
        );
        assert_eq!(refused.email, None);
    }
    Ok(())
}

#[tokio::test]
async fn a_buyer_is_a_user_or_an_email_address() -> Result<()> {
    let world = shop().await?;
    for (user, email) in [
        ("ana", "ana@example.com"),
        ("new", "new@example.com"),
        ("guest@example.org", "guest@example.org"),
    ] {
        let checked = validate(&world, &input(user, "1", "INR", None), None).await?;
        assert_eq!(
            (checked.valid, checked.email.as_deref()),
            (true, Some(email)),
            "{checked:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn only_an_order_that_waits_for_its_payment_or_has_it_is_paid() -> Result<()> {
    let world = shop().await?;
    sqlx::query("UPDATE orders SET transaction_id = 'pi_1'")
        .execute(&world.pool)
        .await?;
    for &status in OrderStatus::ALL {
        sqlx::query("UPDATE orders SET status = $1")
            .bind(status.as_str())
            .execute(&world.pool)
            .await?;
        let checked =
            validate(&world, &input("ana", "12.50", "USD", Some("order-1")), None).await?;
        let may_be_paid = matches!(
            status,
            OrderStatus::Pending | OrderStatus::Paid | OrderStatus::PaymentFailed
        );
        assert_eq!(checked.valid, may_be_paid, "{status}: {checked:?}");
    }
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_for_good() -> Result<()> {
    let world = shop().await?;
    for input in [
        "null",
        "[]",
        r#"{"userId":"ana","amount":"12.50","currency":"USD","paymentMethod":"card"}"#,
        r#"{"userId":"ana","amount":12.50,"currency":"XAU","paymentMethod":"card"}"#,
        r#"{"userId":"ana","amount":12.50,"currency":"USD","paymentMethod":"cash"}"#,
        r#"{"amount":12.50,"currency":"USD","paymentMethod":"card"}"#,
    ] {
        let answer = world
            .validation
            .validate(json::<ValidatePaymentInput>(input), None)
            .await;
        failed(answer)
            .context(input)?
            .is("VALIDATION_ERROR", false)?;
    }
    Ok(())
}

#[tokio::test]
async fn the_first_workflow_takes_the_order_until_its_payment_failed() -> Result<()> {
    let world = shop().await?;
    let input = input("ana", "12.50", "USD", Some("order-1"));
    assert!(validate(&world, &input, Some("payment-1")).await?.valid);
    let refused = validate(&world, &input, Some("payment-2")).await?;
    assert_eq!(
        refused.reason.as_deref(),
        Some("order order-1 is being paid by workflow payment-1")
    );

    done(
        world
            .set_status("order-1", OrderStatus::PaymentFailed, None)
            .await,
    )?;
    assert!(validate(&world, &input, Some("payment-2")).await?.valid);
    done(
        world
            .set_status("order-1", OrderStatus::Pending, None)
            .await,
    )?;
    assert!(!validate(&world, &input, Some("payment-1")).await?.valid);
    Ok(())
}

#[tokio::test]
async fn one_of_many_workflows_at_once_takes_the_order() -> Result<()> {
    let world = shop().await?;
    let input = input("ana", "12.50", "USD", Some("order-1"));
    let workflows: Vec<String> = (0..20).map(|number| format!("payment-{number}")).collect();
    let checks = workflows
        .iter()
        .map(|id| world.validation.validate(json(&input), Some(id)));
    let mut taken = 0;
    for answer in join_all(checks).await {
        taken += usize::from(done(answer)?.valid);
    }
    assert_eq!(taken, 1);
    Ok(())
}
