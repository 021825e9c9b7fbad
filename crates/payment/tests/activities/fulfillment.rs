//! `triggerFulfillment` and `cancelFulfillment`: handed over once, and only what is paid.

use std::time::Duration;

use anyhow::{Context, Result};
use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_payment::activities::OrderResult;
use partner_payment::activities::fulfillment::FulfillmentInput;
use partner_payment::model::OrderStatus;

use crate::support::{Answer, World, done, failed, until_done};

fn input(order_id: &str) -> FulfillmentInput {
    FulfillmentInput {
        order_id: order_id.to_owned(),
    }
}

async fn trigger(world: &World, order: &str) -> Answer<OrderResult> {
    world.handover.trigger(input(order).into()).await
}

async fn cancel(world: &World, order: &str) -> Answer<OrderResult> {
    world.handover.cancel(input(order).into()).await
}

/// A paid order of two lamps.
async fn paid_order(world: &World, order: &str) -> Result<()> {
    sqlx::query("INSERT INTO inventory (sku, on_hand) VALUES ('lamp', 100) ON CONFLICT DO NOTHING")
        .execute(&world.pool)
        .await?;
    world.order(order, &[("lamp", 2)]).await?;
    world.paid(order).await?;
    Ok(())
}

fn fault(mode: FulfillmentFaultMode) -> FulfillmentFault {
    FulfillmentFault {
        mode,
        times: Some(1),
        delay_ms: Some(1_200),
    }
}

#[tokio::test]
async fn asking_twice_hands_over_once() -> Result<()> {
    let world = World::start().await?;
    paid_order(&world, "order-1").await?;
    for _ in 0..2 {
        assert!(done(trigger(&world, "order-1").await)?.success);
    }
    let orders = world.fulfillment.orders();
    assert_eq!(orders.len(), 1, "{orders:?}");
    let request = orders[0].request.clone().context("nothing was asked for")?;
    assert_eq!((request.user_id.as_str(), request.items.len()), ("ana", 1));
    assert_eq!(
        (request.items[0].sku.as_str(), request.items[0].quantity),
        ("lamp", 2)
    );
    Ok(())
}

#[tokio::test]
async fn an_order_is_handed_over_whatever_happens_to_the_call() -> Result<()> {
    let world = World::with_client_timeout(Duration::from_millis(400)).await?;
    for mode in [
        FulfillmentFaultMode::Unavailable,
        FulfillmentFaultMode::DropAfterCommit,
        FulfillmentFaultMode::Slow,
    ] {
        let order = format!("order-{mode:?}");
        let transaction = until_done(async || world.charge(&order, 1).await)
            .await?
            .transaction_id;
        world.order(&order, &[]).await?;
        done(
            world
                .set_status(&order, OrderStatus::Paid, transaction.as_deref())
                .await,
        )?;
        world.fulfillment.set_fault(&order, fault(mode));
        failed(trigger(&world, &order).await)
            .context(order.clone())?
            .is("EXTERNAL_SERVICE_ERROR", true)?;
        until_done(async || trigger(&world, &order).await).await?;
        let record = world
            .fulfillment
            .order(&order)
            .context("the order is unknown")?;
        assert!(record.request.is_some() && !record.cancelled, "{record:?}");
    }
    Ok(())
}

#[tokio::test]
async fn only_a_paid_order_is_handed_over() -> Result<()> {
    let world = World::start().await?;
    world.order("order-1", &[]).await?;
    sqlx::query("UPDATE orders SET transaction_id = 'pi_1'")
        .execute(&world.pool)
        .await?;
    for &status in OrderStatus::ALL {
        sqlx::query("UPDATE orders SET status = $1")
            .bind(status.as_str())
            .execute(&world.pool)
            .await?;
        let answer = trigger(&world, "order-1").await;
        if matches!(
            status,
            OrderStatus::Paid | OrderStatus::Processing | OrderStatus::Completed
        ) {
            done(answer).context(status.as_str())?;
        } else {
            failed(answer)
                .context(status.as_str())?
                .is("VALIDATION_ERROR", false)?;
        }
    }
    failed(trigger(&world, "nowhere").await)?.is("VALIDATION_ERROR", false)?;
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_not_repeated() -> Result<()> {
    let world = World::start().await?;
    paid_order(&world, "order-1").await?;
    world
        .fulfillment
        .set_fault("order-1", fault(FulfillmentFaultMode::Refuse));
    failed(trigger(&world, "order-1").await)?.is("EXTERNAL_SERVICE_ERROR", false)?;
    assert_eq!(world.fulfillment.order("order-1"), None);
    Ok(())
}

#[tokio::test]
async fn what_is_taken_back_is_not_handed_over_any_more() -> Result<()> {
    let world = World::start().await?;
    for (order, asked_before) in [("asked", true), ("never-asked", false)] {
        paid_order(&world, order).await?;
        if asked_before {
            done(trigger(&world, order).await)?;
        }
        for _ in 0..2 {
            assert!(done(cancel(&world, order).await)?.success);
        }
        failed(trigger(&world, order).await)
            .context(order)?
            .is("EXTERNAL_SERVICE_ERROR", false)?;
        assert!(world.fulfillment.order(order).context("unknown")?.cancelled);
    }
    Ok(())
}

#[tokio::test]
async fn taking_back_never_gives_up() -> Result<()> {
    let world = World::with_client_timeout(Duration::from_millis(400)).await?;
    for mode in [
        FulfillmentFaultMode::Refuse,
        FulfillmentFaultMode::Unavailable,
        FulfillmentFaultMode::DropAfterCommit,
        FulfillmentFaultMode::Slow,
    ] {
        let order = format!("order-{mode:?}");
        world.fulfillment.set_fault(&order, fault(mode));
        failed(cancel(&world, &order).await)
            .context(order.clone())?
            .is("EXTERNAL_SERVICE_ERROR", true)?;
        until_done(async || cancel(&world, &order).await).await?;
        assert!(
            world
                .fulfillment
                .order(&order)
                .context("unknown")?
                .cancelled
        );
    }
    Ok(())
}
