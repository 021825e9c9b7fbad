//! `updateOrderStatus`: the state machine, in step with the charge ledger.

use anyhow::{Context, Result};
use partner_payment::activities::order::UpdateOrderStatusInput;
use partner_payment::model::{ChargeState, OrderStatus};

use crate::support::{World, done, failed, json};

use OrderStatus::{Cancelled, Completed, Paid, PaymentFailed, Pending, Processing, Refunded};

/// What may follow what. Staying what it is goes without saying.
const STEPS: [(OrderStatus, &[OrderStatus]); 7] = [
    (Pending, &[Paid, PaymentFailed, Cancelled, Refunded]),
    (PaymentFailed, &[Pending, Paid, Cancelled, Refunded]),
    (
        Paid,
        &[Processing, Completed, PaymentFailed, Cancelled, Refunded],
    ),
    (Processing, &[Completed, PaymentFailed, Cancelled, Refunded]),
    (Completed, &[Refunded]),
    (Cancelled, &[]),
    (Refunded, &[]),
];

/// The order is in this status, as if it had come there by itself.
async fn put(world: &World, order: &str, status: OrderStatus) -> Result<()> {
    sqlx::query("UPDATE orders SET status = $2, transaction_id = $1 WHERE id = $1")
        .bind(order)
        .bind(status.as_str())
        .execute(&world.pool)
        .await?;
    Ok(())
}

/// The order has one charge, in this state, with the order's id as its transaction's.
async fn put_charge(world: &World, order: &str, state: ChargeState) -> Result<()> {
    sqlx::query(
        "INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash, user_id,
                              amount_minor, currency, payment_method, state, gateway_id)
         VALUES ('order', $1, 'payment/1', '', 'ana', 1, 'USD', 'card', $2, $1)",
    )
    .bind(order)
    .bind(state.as_str())
    .execute(&world.pool)
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_order_takes_the_steps_of_its_state_machine_and_no_others() -> Result<()> {
    let world = World::start().await?;
    for (from, allowed) in STEPS {
        for &to in OrderStatus::ALL {
            let order = format!("{from}-{to}");
            world.order(&order, &[]).await?;
            put(&world, &order, from).await?;
            if to == Paid {
                put_charge(&world, &order, ChargeState::Succeeded).await?;
            }
            let answer = world.set_status(&order, to, Some(&order)).await;
            if from == to || allowed.contains(&to) {
                assert_eq!(done(answer).context(order.clone())?.status, to);
                assert_eq!(world.order_status(&order).await?, to.as_str());
            } else {
                failed(answer)
                    .context(order.clone())?
                    .is("VALIDATION_ERROR", false)?;
                assert_eq!(world.order_status(&order).await?, from.as_str(), "{order}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_order_becomes_paid_only_by_a_charge_that_stands() -> Result<()> {
    let world = World::start().await?;
    for &state in ChargeState::ALL {
        let order = format!("order-{state}");
        world.order(&order, &[]).await?;
        put_charge(&world, &order, state).await?;
        let answer = world.set_status(&order, Paid, Some(&order)).await;
        if state == ChargeState::Succeeded {
            done(answer)?;
            assert_eq!(
                world
                    .text("SELECT transaction_id FROM orders WHERE id = $1", &order)
                    .await?,
                order
            );
        } else {
            failed(answer)
                .context(order.clone())?
                .is("VALIDATION_ERROR", false)?;
            assert_eq!(world.order_status(&order).await?, "pending");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_order_is_not_paid_by_another_transaction_or_by_none() -> Result<()> {
    let world = World::start().await?;
    for order in ["order-1", "order-2"] {
        world.order(order, &[]).await?;
        put_charge(&world, order, ChargeState::Succeeded).await?;
    }
    for transaction in [None, Some("pi_unknown"), Some("order-2")] {
        failed(world.set_status("order-1", Paid, transaction).await)?
            .is("VALIDATION_ERROR", false)?;
    }
    assert_eq!(world.order_status("order-1").await?, "pending");
    Ok(())
}

#[tokio::test]
async fn an_order_is_not_given_up_while_a_charge_stands_or_may_yet_be_made() -> Result<()> {
    let world = World::start().await?;
    for &state in ChargeState::ALL {
        let is_settled = matches!(
            state,
            ChargeState::Declined | ChargeState::Abandoned | ChargeState::Refunded
        );
        for to in [PaymentFailed, Cancelled, Refunded] {
            let order = format!("{state}-{to}");
            world.order(&order, &[]).await?;
            put_charge(&world, &order, state).await?;
            let answer = world.set_status(&order, to, None).await;
            if is_settled {
                done(answer).context(order)?;
            } else {
                failed(answer)
                    .context(order)?
                    .is("VALIDATION_ERROR", false)?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_reason_is_kept_and_a_repeat_changes_nothing() -> Result<()> {
    let world = World::start().await?;
    world.order("order-1", &[]).await?;
    let input = r#"{"orderId":"order-1","status":"payment_failed","errorMessage":"card declined"}"#;
    for _ in 0..2 {
        let result = done(world.orders.update(json(input)).await)?;
        assert_eq!(result.status, PaymentFailed);
        let reason = world
            .text("SELECT error_message FROM orders WHERE id = $1", "order-1")
            .await?;
        assert_eq!(reason, "card declined");
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_order_or_status_is_refused_for_good() -> Result<()> {
    let world = World::start().await?;
    for input in [
        r#"{"orderId":"nowhere","status":"cancelled"}"#,
        r#"{"orderId":"nowhere","status":"lost"}"#,
        r#"{"status":"paid"}"#,
        "null",
    ] {
        let answer = world
            .orders
            .update(json::<UpdateOrderStatusInput>(input))
            .await;
        failed(answer)
            .context(input)?
            .is("VALIDATION_ERROR", false)?;
    }
    Ok(())
}
