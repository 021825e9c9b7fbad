//! `processPaymentGateway`, `lookupPayment` and `refundPayment`: money moves once, or not at all.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use partner_core::money::{Currency, Money};
use partner_core::ports::payment_gateway::{GatewayError, PaymentGateway, PaymentMethod, Presence};
use partner_local::gateway::{Fault, FaultMode, IntentStatus, Operation};
use partner_payment::activities::gateway::ProcessPaymentGatewayInput;
use partner_payment::repository::ChargeRepository;

use crate::support::{PRICE, World, charge_input, done, failed, json, price, until_done};

/// Sooner than the gateway answers when it is slow.
const IMPATIENT: Duration = Duration::from_millis(400);

const SLOW: FaultMode = FaultMode::Slow {
    delay: Duration::from_millis(1_200),
};

/// Everything that can come between us and the answer to a call, decisions not included.
fn interruptions() -> Vec<FaultMode> {
    vec![
        FaultMode::DropAfterCommit,
        FaultMode::ErrorAfterCommit,
        FaultMode::DropBeforeCommit,
        FaultMode::Error,
        FaultMode::RateLimit {
            retry_after_seconds: 1,
        },
    ]
}

fn decline(code: &str) -> FaultMode {
    FaultMode::Decline {
        code: code.to_owned(),
    }
}

/// Charges under a fault, again and again; then once more.
async fn charge_through(world: &World, order: &str, fault: Fault) -> Result<()> {
    let what = format!("{fault:?}");
    world.gateway.set_fault(order, fault);
    let first = until_done(async || world.charge(order, 1).await)
        .await
        .context(what.clone())?;
    let again = done(world.charge(order, 1).await)?;
    ensure!(
        first.success && first == again,
        "{what}: {first:?}, then {again:?}"
    );
    ensure!(
        world.times_charged(order) == 1,
        "{what}: {:?}",
        world.gateway.payments_of(order)
    );
    ensure!(
        world.kept(order) == PRICE,
        "{what}: {:?}",
        world.gateway.payments_of(order)
    );
    Ok(())
}

#[tokio::test]
async fn a_charge_is_made_once_whatever_happens_to_its_calls() -> Result<()> {
    let world = World::start().await?;
    for (number, mode) in interruptions().into_iter().enumerate() {
        for operation in [Operation::Create, Operation::Confirm] {
            let order = format!("order-{number}-{operation:?}");
            charge_through(
                &world,
                &order,
                Fault::new(mode.clone()).on(operation).times(2),
            )
            .await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_charge_that_is_answered_too_late_is_made_once() -> Result<()> {
    let world = World::with_client_timeout(IMPATIENT).await?;
    for operation in [Operation::Create, Operation::Confirm] {
        let order = format!("order-{operation:?}");
        charge_through(&world, &order, Fault::once(SLOW).on(operation)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_charge_that_takes_its_time_is_waited_for() -> Result<()> {
    let world = World::start().await?;
    let processing = |then_decline: Option<&str>| {
        Fault::once(FaultMode::Processing {
            retrieves: 2,
            then_decline: then_decline.map(str::to_owned),
        })
    };
    charge_through(&world, "order-1", processing(None)).await?;

    world
        .gateway
        .set_fault("order-2", processing(Some("insufficient_funds")));
    failed(world.charge("order-2", 1).await)?.is("GATEWAY_ERROR", true)?;
    let declined = until_done(async || world.charge("order-2", 1).await).await?;
    assert_eq!(declined.decline_code.as_deref(), Some("insufficient_funds"));
    assert_eq!(world.times_charged("order-2"), 0);
    Ok(())
}

#[tokio::test]
async fn a_busy_gateway_says_how_long_to_wait() -> Result<()> {
    let world = World::start().await?;
    world.gateway.set_fault(
        "order-1",
        Fault::once(FaultMode::RateLimit {
            retry_after_seconds: 7,
        }),
    );
    let failure = failed(world.charge("order-1", 1).await)?;
    failure.is("GATEWAY_ERROR", true)?;
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    Ok(())
}

#[tokio::test]
async fn a_refused_request_is_not_repeated() -> Result<()> {
    let world = World::start().await?;
    for operation in [Operation::Create, Operation::Confirm] {
        let order = format!("order-{operation:?}");
        world
            .gateway
            .set_fault(&order, Fault::once(FaultMode::Refuse).on(operation));
        failed(world.charge(&order, 1).await)?.is("GATEWAY_ERROR", false)?;
        let settled = done(world.lookup(&order, 1).await)?;
        assert!(
            !settled.success && settled.decline_code.is_none(),
            "{settled:?}"
        );
        assert_eq!(world.times_charged(&order), 0, "{order}");
    }
    Ok(())
}

#[tokio::test]
async fn a_decline_is_an_answer_and_is_not_charged_again() -> Result<()> {
    let world = World::start().await?;
    world
        .gateway
        .set_fault("order-1", Fault::once(decline("insufficient_funds")));
    let declined = done(world.charge("order-1", 1).await)?;
    assert!(!declined.success);
    assert_eq!(declined.decline_code.as_deref(), Some("insufficient_funds"));
    assert!(
        declined
            .error
            .as_deref()
            .is_some_and(|error| error.contains("insufficient_funds"))
    );

    world.gateway.prune_keys();
    assert_eq!(done(world.charge("order-1", 1).await)?, declined);
    assert_eq!(done(world.lookup("order-1", 1).await)?, declined);
    assert!(!done(world.refund("order-1").await)?.refunded);
    assert_eq!(
        (
            world.times_charged("order-1"),
            world.calls(Operation::Confirm)
        ),
        (0, 1)
    );
    Ok(())
}

#[tokio::test]
async fn a_charge_with_other_parameters_is_refused_for_good() -> Result<()> {
    let world = World::start().await?;
    let transaction = world.charged("order-1").await?;
    let input = || charge_input("order-1", 1);
    let changed = [
        ProcessPaymentGatewayInput {
            amount: Money::from_minor(PRICE + 1, Currency::USD).amount(),
            ..input()
        },
        ProcessPaymentGatewayInput {
            currency: Currency::EUR,
            ..input()
        },
        ProcessPaymentGatewayInput {
            payment_method: PaymentMethod::Wallet,
            ..input()
        },
        ProcessPaymentGatewayInput {
            user_id: "ben".to_owned(),
            ..input()
        },
    ];
    for input in changed {
        let what = format!("{input:?}");
        failed(world.payments.charge(input.into()).await)?
            .is("VALIDATION_ERROR", false)
            .context(what)?;
    }
    assert_eq!(world.charged("order-1").await?, transaction);
    assert_eq!(world.kept("order-1"), PRICE);
    Ok(())
}

#[tokio::test]
async fn nothing_that_is_not_a_payable_amount_reaches_the_gateway() -> Result<()> {
    let world = World::start().await?;
    for (amount, currency) in [
        ("0", "USD"),
        ("-1", "USD"),
        ("1.005", "EUR"),
        ("\"1\"", "USD"),
        ("1", "XAU"),
    ] {
        let input = format!(
            r#"{{"orderId":"order-1","amount":{amount},"currency":"{currency}","paymentMethod":"card","userId":"ana"}}"#
        );
        let failure = failed(world.payments.charge(json(&input)).await)?;
        failure.is("VALIDATION_ERROR", false).context(input)?;
    }
    assert_eq!(world.calls(Operation::Create), 0);
    Ok(())
}

#[tokio::test]
async fn a_charge_is_found_again_after_the_gateway_forgot_its_keys() -> Result<()> {
    let world = World::start().await?;
    let lost = [
        Fault::once(FaultMode::DropAfterCommit).on(Operation::Create),
        Fault::once(FaultMode::DropAfterCommit).on(Operation::Confirm),
        Fault::once(FaultMode::DropBeforeCommit).on(Operation::Confirm),
    ];
    for (number, fault) in lost.into_iter().enumerate() {
        let order = format!("order-{number}");
        world.gateway.set_fault(&order, fault);
        failed(world.charge(&order, 1).await)?.is("GATEWAY_ERROR", true)?;
        world.gateway.prune_keys();
        let transaction = world.charged(&order).await?;
        world.gateway.prune_keys();
        assert_eq!(world.charged(&order).await?, transaction);
        assert_eq!(
            (world.times_charged(&order), world.kept(&order)),
            (1, PRICE),
            "{order}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn after_a_decline_a_new_attempt_is_charged_and_the_old_answer_stays() -> Result<()> {
    let world = World::start().await?;
    world
        .gateway
        .set_fault("order-1", Fault::once(decline("expired_card")));
    let declined = done(world.charge("order-1", 1).await)?;
    let charged = done(world.charge("order-1", 2).await)?;
    assert!(charged.success, "{charged:?}");
    assert_eq!(done(world.charge("order-1", 1).await)?, declined);
    assert_eq!(done(world.charge("order-1", 2).await)?, charged);
    assert_eq!(
        (world.times_charged("order-1"), world.kept("order-1")),
        (1, PRICE)
    );
    Ok(())
}

#[tokio::test]
async fn an_attempt_is_refused_while_another_may_take_the_money() -> Result<()> {
    let world = World::start().await?;
    let standing: [(&str, Option<Fault>); 3] = [
        (
            "created",
            Some(Fault::once(FaultMode::Error).on(Operation::Create)),
        ),
        ("submitted", Some(Fault::once(FaultMode::DropBeforeCommit))),
        ("succeeded", None),
    ];
    for (state, fault) in standing {
        if let Some(fault) = fault {
            world.gateway.set_fault(state, fault);
            failed(world.charge(state, 2).await)?;
        } else {
            done(world.charge(state, 2).await)?;
        }
        assert_eq!(
            world
                .text("SELECT state FROM charges WHERE subject_id = $1", state)
                .await?,
            state
        );
        for other in [1, 3] {
            let failure = failed(world.charge(state, other).await)
                .with_context(|| format!("{state}, {other}"))?;
            failure.is("PAYMENT_FAILED", false)?;
        }
        assert!(done(world.charge(state, 2).await)?.success);
        assert_eq!(world.times_charged(state), 1, "{state}");
    }
    Ok(())
}

#[tokio::test]
async fn two_workers_with_the_same_charge_make_it_once() -> Result<()> {
    let world = World::start().await?;
    for order in ["order-1", "order-2", "order-3"] {
        let workers = (0..4).map(|_| until_done(async || world.charge(order, 1).await));
        let results = try_join_all(workers).await?;
        assert!(
            results.iter().all(|result| *result == results[0]),
            "{results:?}"
        );
        assert_eq!(
            (world.times_charged(order), world.kept(order)),
            (1, PRICE),
            "{order}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn two_attempts_at_once_charge_one_of_them() -> Result<()> {
    let world = World::start().await?;
    for order in ["order-1", "order-2", "order-3"] {
        let attempts = (1..=4).map(|attempt| world.charge(order, attempt));
        let results = futures::future::join_all(attempts).await;
        let charged = results
            .iter()
            .flatten()
            .filter(|result| result.success)
            .count();
        assert_eq!(
            (charged, world.times_charged(order)),
            (1, 1),
            "{order}: {results:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_unconfirmed_charge_that_is_settled_can_never_be_made() -> Result<()> {
    let world = World::start().await?;
    world
        .gateway
        .set_fault("order-1", Fault::once(FaultMode::DropBeforeCommit));
    failed(world.charge("order-1", 1).await)?.is("GATEWAY_ERROR", true)?;
    for _ in 0..2 {
        let settled = done(world.lookup("order-1", 1).await)?;
        assert!(
            !settled.success && settled.decline_code.is_none(),
            "{settled:?}"
        );
    }
    let payment = world.gateway.payments_of("order-1").remove(0);
    assert_eq!(payment.state, IntentStatus::Canceled);
    let late = world
        .stripe
        .confirm_payment(&payment.id, Presence::Present, "a late worker's")
        .await;
    assert!(
        matches!(late, Err(GatewayError::UnexpectedState { .. })),
        "{late:?}"
    );
    failed(world.charge("order-1", 1).await)?.is("PAYMENT_FAILED", false)?;
    assert_eq!(world.times_charged("order-1"), 0);
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_is_settled_before_it_was_sent_can_never_be_made() -> Result<()> {
    let world = World::start().await?;
    world.order("never-tried", &[]).await?;
    world.order("only-written-down", &[]).await?;
    world.gateway.set_fault(
        "only-written-down",
        Fault::once(FaultMode::Error).on(Operation::Create),
    );
    failed(world.charge("only-written-down", 1).await)?;
    for order in ["never-tried", "only-written-down"] {
        for _ in 0..2 {
            assert!(!done(world.lookup(order, 1).await)?.success);
        }
        // The worker that was thought dead, and was only slow.
        let late = failed(world.charge(order, 1).await).context(order)?;
        late.is("PAYMENT_FAILED", false)?;
        assert_eq!(world.times_charged(order), 0);
        assert!(
            done(world.charge(order, 2).await)?.success,
            "the next attempt is free"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_attempt_of_0_is_the_first_for_every_activity() -> Result<()> {
    let world = World::start().await?;
    let charged = done(world.charge("order-1", 0).await)?;
    let found = done(world.lookup("order-1", 0).await)?;
    assert!(charged.success);
    assert_eq!(found.transaction_id, charged.transaction_id);
    Ok(())
}

#[tokio::test]
async fn looking_up_a_lost_charge_finds_it_under_every_fault() -> Result<()> {
    let world = World::start().await?;
    for (number, mode) in interruptions().into_iter().enumerate() {
        let order = format!("order-{number}");
        let lost = Fault::once(FaultMode::DropAfterCommit);
        world.gateway.set_faults(
            &order,
            vec![lost, Fault::once(mode).on(Operation::Retrieve)],
        );
        failed(world.charge(&order, 1).await)?.is("GATEWAY_ERROR", true)?;
        let first = until_done(async || world.lookup(&order, 1).await).await?;
        assert!(first.success, "{first:?}");
        assert_eq!(done(world.lookup(&order, 1).await)?, first);
        assert_eq!(world.times_charged(&order), 1);
    }
    Ok(())
}

/// Refunds under faults, again and again; then once more.
async fn refund_through(world: &World, order: &str, fault: Fault) -> Result<()> {
    let what = format!("{fault:?}");
    world.gateway.set_fault(order, fault);
    let first = until_done(async || world.refund(order).await)
        .await
        .context(what.clone())?;
    world.gateway.prune_keys();
    let again = done(world.refund(order).await)?;
    ensure!(
        first.refunded && first == again,
        "{what}: {first:?}, then {again:?}"
    );
    let payments = world.gateway.payments_of(order);
    ensure!(
        payments.iter().map(|payment| payment.refunded).sum::<i64>() == PRICE,
        "{what}: {payments:?}"
    );
    ensure!(world.kept(order) == 0, "{what}: {payments:?}");
    Ok(())
}

#[tokio::test]
async fn exactly_what_was_taken_goes_back_whatever_happens_to_the_refund() -> Result<()> {
    let world = World::start().await?;
    for (number, mode) in interruptions().into_iter().enumerate() {
        let order = format!("order-{number}");
        world.charged(&order).await?;
        refund_through(
            &world,
            &order,
            Fault::new(mode).on(Operation::Refund).times(2),
        )
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_refund_that_is_answered_too_late_is_made_once() -> Result<()> {
    let world = World::with_client_timeout(IMPATIENT).await?;
    until_done(async || world.charge("order-1", 1).await).await?;
    refund_through(&world, "order-1", Fault::once(SLOW).on(Operation::Refund)).await
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_found_after_the_keys_are_forgotten() -> Result<()> {
    let world = World::start().await?;
    world.charged("order-1").await?;
    world.gateway.set_fault(
        "order-1",
        Fault::once(FaultMode::DropAfterCommit).on(Operation::Refund),
    );
    failed(world.refund("order-1").await)?.is("GATEWAY_ERROR", true)?;
    world.gateway.prune_keys();
    assert!(done(world.refund("order-1").await)?.refunded);
    assert_eq!(
        (world.kept("order-1"), world.calls(Operation::Refund)),
        (0, 1)
    );
    Ok(())
}

#[tokio::test]
async fn a_charge_of_unknown_outcome_is_found_and_given_back() -> Result<()> {
    let world = World::start().await?;
    world
        .gateway
        .set_fault("order-1", Fault::once(FaultMode::DropAfterCommit));
    failed(world.charge("order-1", 1).await)?.is("GATEWAY_ERROR", true)?;
    assert_eq!(world.kept("order-1"), PRICE);
    for _ in 0..2 {
        assert!(done(world.refund("order-1").await)?.refunded);
        assert_eq!(world.kept("order-1"), 0);
    }
    failed(world.charge("order-1", 1).await)?.is("PAYMENT_FAILED", false)?;
    assert!(!done(world.lookup("order-1", 1).await)?.success);
    Ok(())
}

#[tokio::test]
async fn two_workers_with_the_same_refund_make_it_once() -> Result<()> {
    let world = World::start().await?;
    world.charged("order-1").await?;
    try_join_all((0..4).map(|_| until_done(async || world.refund("order-1").await))).await?;
    let payment = world.gateway.payments_of("order-1").remove(0);
    assert_eq!((payment.received, payment.refunded), (PRICE, PRICE));
    Ok(())
}

#[tokio::test]
async fn what_somebody_gave_back_by_hand_is_not_given_back_again() -> Result<()> {
    let world = World::start().await?;
    let by_hand = Money::from_minor(PRICE / 5, Currency::USD);
    // Once before the refund is asked for, once between its first try and its second.
    world.gateway.set_fault(
        "order-2",
        Fault::once(FaultMode::Error).on(Operation::Refund),
    );
    for order in ["order-1", "order-2"] {
        let transaction = world.charged(order).await?;
        if order == "order-2" {
            failed(world.refund(order).await)?.is("GATEWAY_ERROR", true)?;
        }
        world
            .stripe
            .refund_payment(&transaction, by_hand, &format!("by hand {order}"))
            .await?;
        assert!(done(world.refund(order).await)?.refunded);
        assert_eq!(world.kept(order), 0, "{order}");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_was_taken_so_nothing_goes_back() -> Result<()> {
    let world = World::start().await?;
    for _ in 0..2 {
        assert!(!done(world.refund("never-charged").await)?.refunded);
    }
    world
        .gateway
        .set_fault("unconfirmed", Fault::once(FaultMode::DropBeforeCommit));
    failed(world.charge("unconfirmed", 1).await)?;
    for _ in 0..2 {
        assert!(!done(world.refund("unconfirmed").await)?.refunded);
    }
    assert_eq!(
        world.gateway.payments_of("unconfirmed")[0].state,
        IntentStatus::Canceled
    );
    assert_eq!(world.calls(Operation::Refund), 0);
    Ok(())
}

#[tokio::test]
async fn the_answer_names_what_was_taken() -> Result<()> {
    let world = World::start().await?;
    let charged = done(world.charge("order-1", 1).await)?;
    assert_eq!(
        (charged.amount, charged.currency),
        (Some(price()), Some(Currency::USD))
    );
    assert_eq!(
        charged.transaction_id,
        Some(world.gateway.payments_of("order-1").remove(0).id)
    );
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_charged_and_not_marked_paid_is_found_after_an_hour() -> Result<()> {
    let world = World::start().await?;
    for order in ["forgotten", "paid", "declined"] {
        world.order(order, &[]).await?;
    }
    world
        .gateway
        .set_fault("declined", Fault::once(decline("lost_card")));
    for order in ["forgotten", "paid", "declined"] {
        done(world.charge(order, 1).await)?;
    }
    sqlx::query("UPDATE orders SET status = 'paid', transaction_id = 'pi_paid' WHERE id = 'paid'")
        .execute(&world.pool)
        .await?;
    let charges = ChargeRepository::new(world.pool.clone());
    assert_eq!(charges.unfinished_orders().await?, (Vec::new(), 0));
    sqlx::query("UPDATE charges SET updated_at = now() - interval '2 hours'")
        .execute(&world.pool)
        .await?;
    let found = (vec!["forgotten".to_owned()], 1);
    assert_eq!(charges.unfinished_orders().await?, found);
    Ok(())
}
