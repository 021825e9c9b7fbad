//! `chargeSubscription` and `lookupSubscriptionCharge`: a period is paid once, and the subscription
//! moves on with the charge or not at all.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use futures::future::{join_all, try_join_all};
use partner_local::gateway::{Fault, FaultMode, IntentStatus, Operation};
use partner_payment::activities::subscription::{
    Billing, ChargeSubscriptionInput, ChargeSubscriptionResult, GetSubscriptionDetailsInput,
};
use partner_payment::model::SubscriptionStatus;

use crate::support::{Answer, PRICE, World, done, failed, until_done};

const PERIOD: &str = "2026-01-31";

fn anchor() -> DateTime<Utc> {
    let anchor = Utc.with_ymd_and_hms(2026, 1, 31, 8, 0, 0);
    anchor.single().unwrap_or_default()
}

fn day(day: i64) -> DateTime<Utc> {
    anchor() + TimeDelta::days(day)
}

fn start_of(month_day: &str) -> Option<DateTime<Utc>> {
    format!("{month_day}T08:00:00Z").parse().ok()
}

/// Monthly subscriptions that were never paid.
async fn world_of(ids: &[&str]) -> Result<World> {
    let world = World::start().await?;
    for id in ids {
        subscribe(&world, id).await?;
    }
    Ok(world)
}

async fn subscribe(world: &World, id: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO subscriptions (id, user_id, amount_minor, currency, billing_period, payment_method,
                                    anchor_date)
         VALUES ($1, 'ana', $2, 'USD', 'monthly', 'card', $3)",
    )
    .bind(id)
    .bind(PRICE)
    .bind(anchor())
    .execute(&world.pool)
    .await?;
    Ok(())
}

fn input(id: &str, period: &str, attempt: u32, as_of: DateTime<Utc>) -> ChargeSubscriptionInput {
    ChargeSubscriptionInput {
        subscription_id: id.to_owned(),
        period: period.to_owned(),
        attempt,
        as_of,
        settle: false,
    }
}

async fn charge(world: &World, id: &str, attempt: u32) -> Answer<ChargeSubscriptionResult> {
    let input = input(id, PERIOD, attempt, anchor());
    world.subscriptions.charge(input.into()).await
}

async fn lookup(world: &World, id: &str, attempt: u32) -> Answer<ChargeSubscriptionResult> {
    let input = input(id, PERIOD, attempt, anchor());
    world.subscriptions.lookup(input.into()).await
}

async fn billing(world: &World, id: &str, as_of: DateTime<Utc>, settle: bool) -> Result<Billing> {
    let input = GetSubscriptionDetailsInput {
        subscription_id: id.to_owned(),
        expected: None,
        as_of: Some(as_of),
        settle,
    };
    Ok(done(world.subscriptions.details(input.into()).await)?.billing)
}

/// One run of the workflow at this time: what is billable is charged, twice with the same answer.
async fn run(
    world: &World,
    id: &str,
    as_of: DateTime<Utc>,
    settle: bool,
) -> Result<ChargeSubscriptionResult> {
    let billing = billing(world, id, as_of, settle).await?;
    ensure!(billing.billable, "{billing:?}");
    let input = input(id, &billing.period, billing.attempt, as_of);
    let input = || {
        ChargeSubscriptionInput {
            settle,
            ..input.clone()
        }
        .into()
    };
    let first = done(world.subscriptions.charge(input()).await)?;
    let again = done(world.subscriptions.charge(input()).await)?;
    let found = done(world.subscriptions.lookup(input()).await)?;
    ensure!(
        first == again && again == found,
        "{first:?}, {again:?}, {found:?}"
    );
    Ok(first)
}

fn decline(code: &str) -> Fault {
    Fault::once(FaultMode::Decline {
        code: code.to_owned(),
    })
}

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

async fn set(world: &World, change: &'static str, id: &str) -> Result<()> {
    sqlx::query(change).bind(id).execute(&world.pool).await?;
    Ok(())
}

async fn cancel(world: &World, id: &str) -> Result<()> {
    set(
        world,
        "UPDATE subscriptions SET status = 'cancelled' WHERE id = $1",
        id,
    )
    .await
}

/// How the subscription stands, as text.
async fn row(world: &World, id: &str) -> Result<String> {
    world
        .text(
            "SELECT concat_ws(' ', status, failed_payment_count, retry_at, last_payment_date,
                              next_payment_date)
             FROM subscriptions WHERE id = $1",
            id,
        )
        .await
}

#[tokio::test]
async fn a_charge_moves_the_subscription_on_in_one_step() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let paid = run(&world, "sub-1", day(1), false).await?;
    let payment = world.gateway.payments_of("sub-1").remove(0);
    assert_eq!(
        paid,
        ChargeSubscriptionResult {
            success: true,
            transaction_id: Some(payment.id),
            error: None,
            decline_code: None,
            subscription_status: SubscriptionStatus::Active,
            failed_payment_count: 0,
            next_payment_date: start_of("2026-02-28"),
            retry_at: None,
            refunded: false,
        }
    );
    let reference = payment.reference.as_deref();
    assert_eq!(reference, Some("subscription/sub-1/2026-01-31/payment/1"));
    assert_eq!(
        (world.times_charged("sub-1"), world.kept("sub-1")),
        (1, PRICE)
    );

    let next = billing(&world, "sub-1", day(2), true).await?;
    assert!(!next.billable);
    assert_eq!((next.period.as_str(), next.attempt), ("2026-02-28", 1));
    assert_eq!(next.transaction_id, paid.transaction_id);
    Ok(())
}

#[tokio::test]
async fn every_period_of_a_year_is_paid_once_on_its_day() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let mut days = Vec::new();
    let mut as_of = anchor();
    for _ in 0..13 {
        let period = billing(&world, "sub-1", as_of, false).await?.period;
        let paid = run(&world, "sub-1", as_of, false).await?;
        ensure!(paid.success, "{paid:?}");
        days.push(period[5..].to_owned());
        as_of = paid.next_payment_date.context("no next date")?;
    }
    assert_eq!(
        days,
        [
            "01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30",
            "10-31", "11-30", "12-31", "01-31"
        ]
    );
    assert_eq!(world.times_charged("sub-1"), 13);
    Ok(())
}

#[tokio::test]
async fn a_period_is_charged_once_whatever_happens_to_its_calls() -> Result<()> {
    let world = World::start().await?;
    for (number, mode) in interruptions().into_iter().enumerate() {
        for operation in [Operation::Create, Operation::Confirm] {
            let id = format!("sub-{number}-{operation:?}");
            subscribe(&world, &id).await?;
            let fault = Fault::new(mode.clone()).on(operation).times(2);
            world.gateway.set_fault(&id, fault);
            let first = until_done(async || charge(&world, &id, 1).await)
                .await
                .with_context(|| id.clone())?;
            world.gateway.prune_keys();
            let again = done(charge(&world, &id, 1).await)?;
            assert!(
                first.success && first == again,
                "{id}: {first:?}, {again:?}"
            );
            assert_eq!(
                (world.times_charged(&id), world.kept(&id)),
                (1, PRICE),
                "{id}"
            );
            let expected = "active 0 2026-01-31 08:00:00+00 2026-02-28 08:00:00+00";
            assert_eq!(row(&world, &id).await?, expected, "{id}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn many_workers_with_the_same_attempt_charge_it_once() -> Result<()> {
    let world = world_of(&["paid", "declined"]).await?;
    world
        .gateway
        .set_fault("declined", decline("insufficient_funds"));
    for (id, expected) in [
        (
            "paid",
            "active 0 2026-01-31 08:00:00+00 2026-02-28 08:00:00+00",
        ),
        ("declined", "active 1 2026-02-03 08:00:00+00"),
    ] {
        let workers = (0..16).map(|_| until_done(async || charge(&world, id, 1).await));
        let results = try_join_all(workers).await?;
        assert!(
            results.iter().all(|result| *result == results[0]),
            "{results:?}"
        );
        assert_eq!(results[0].success, id == "paid");
        assert_eq!(world.times_charged(id), usize::from(id == "paid"));
        assert_eq!(row(&world, id).await?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn workers_that_charge_and_workers_that_give_up_agree_in_the_end() -> Result<()> {
    let ids = ["sub-1", "sub-2", "sub-3", "sub-4"];
    let world = world_of(&ids).await?;
    for id in ids {
        let workers = (0..8).map(|number| {
            let world = &world;
            until_done(async move || {
                if number % 2 == 0 {
                    charge(world, id, 1).await
                } else {
                    lookup(world, id, 1).await
                }
            })
        });
        let results = try_join_all(workers).await?;
        assert!(
            results.iter().all(|result| *result == results[0]),
            "{results:?}"
        );
        let is_paid = results[0].success;
        assert_eq!(world.times_charged(id), usize::from(is_paid));
        let next = results[0].next_payment_date;
        assert_eq!(next, start_of("2026-02-28").filter(|_| is_paid));
    }
    Ok(())
}

#[tokio::test]
async fn many_attempts_at_once_charge_one_of_them() -> Result<()> {
    let world = world_of(&["sub-1", "sub-2", "sub-3"]).await?;
    for id in ["sub-1", "sub-2", "sub-3"] {
        let attempts = (1..=8).map(|attempt| charge(&world, id, attempt));
        let results = join_all(attempts).await;
        let charged = results.iter().flatten().filter(|result| result.success);
        assert_eq!(
            (charged.count(), world.times_charged(id)),
            (1, 1),
            "{results:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_lookup_finds_a_lost_charge_and_moves_the_subscription_on() -> Result<()> {
    let world = World::start().await?;
    let lost = [FaultMode::DropAfterCommit, FaultMode::ErrorAfterCommit];
    for (number, mode) in lost.into_iter().enumerate() {
        let id = format!("sub-{number}");
        subscribe(&world, &id).await?;
        let retrieve = Fault::once(FaultMode::Error).on(Operation::Retrieve);
        world
            .gateway
            .set_faults(&id, vec![Fault::once(mode), retrieve]);
        failed(charge(&world, &id, 1).await)?.is("GATEWAY_ERROR", true)?;
        assert_eq!(row(&world, &id).await?, "active 0", "not known yet");
        failed(lookup(&world, &id, 1).await)?.is("GATEWAY_ERROR", true)?;
        let found = done(lookup(&world, &id, 1).await)?;
        assert!(found.success && found.next_payment_date == start_of("2026-02-28"));
        assert_eq!(done(lookup(&world, &id, 1).await)?, found);
        assert_eq!(done(charge(&world, &id, 1).await)?, found);
        assert_eq!(world.times_charged(&id), 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_is_looked_up_before_it_was_sent_can_never_be_made() -> Result<()> {
    let world = world_of(&["never-begun", "unconfirmed"]).await?;
    let fault = Fault::once(FaultMode::DropBeforeCommit);
    world.gateway.set_fault("unconfirmed", fault);
    failed(charge(&world, "unconfirmed", 1).await)?.is("GATEWAY_ERROR", true)?;
    for id in ["never-begun", "unconfirmed"] {
        let closed = done(lookup(&world, id, 1).await)?;
        assert!(!closed.success && !closed.refunded && closed.decline_code.is_none());
        assert_eq!(done(lookup(&world, id, 1).await)?, closed);
        // The worker that was thought dead, and was only slow.
        assert_eq!(done(charge(&world, id, 1).await)?, closed);
        assert_eq!(world.times_charged(id), 0);
        assert_eq!(row(&world, id).await?, "active 0", "nothing was declined");
        let next = billing(&world, id, anchor(), false).await?;
        assert_eq!((next.attempt, next.billable), (2, true));
        assert!(run(&world, id, anchor(), false).await?.success);
    }
    let state = world.gateway.payments_of("unconfirmed")[0].state;
    assert_eq!(state, IntentStatus::Canceled);
    Ok(())
}

#[tokio::test]
async fn the_third_decline_suspends_and_each_counts_once() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let codes = ["insufficient_funds", "do_not_honor", "processing_error"];
    let mut as_of = anchor();
    for (failures, code) in (1..).zip(codes) {
        world.gateway.set_fault("sub-1", decline(code));
        let declined = run(&world, "sub-1", as_of, false).await?;
        assert!(!declined.success && !declined.refunded);
        assert_eq!(declined.decline_code.as_deref(), Some(code));
        assert!(
            declined
                .error
                .as_deref()
                .is_some_and(|error| error.contains(code))
        );
        assert_eq!(declined.failed_payment_count, failures);
        let (status, retry_at) = match failures {
            1 => (SubscriptionStatus::Active, Some(day(3))),
            2 => (SubscriptionStatus::Active, Some(day(8))),
            _ => (SubscriptionStatus::Suspended, None),
        };
        assert_eq!(
            (declined.subscription_status, declined.retry_at),
            (status, retry_at)
        );
        as_of = retry_at.unwrap_or(as_of);
    }
    for settle in [false, true] {
        let owed = billing(&world, "sub-1", day(40), settle).await?;
        let answer = (owed.period.as_str(), owed.attempt, owed.billable);
        assert_eq!(answer, (PERIOD, 4, settle));
    }
    assert_eq!(world.times_charged("sub-1"), 0);
    Ok(())
}

#[tokio::test]
async fn a_decline_whose_answer_was_lost_counts_once() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let processing = FaultMode::Processing {
        retrieves: 1,
        then_decline: Some("insufficient_funds".to_owned()),
    };
    world.gateway.set_fault("sub-1", Fault::once(processing));
    failed(charge(&world, "sub-1", 1).await)?.is("GATEWAY_ERROR", true)?;
    let declined = until_done(async || lookup(&world, "sub-1", 1).await).await?;
    assert_eq!(declined.failed_payment_count, 1);
    assert_eq!(done(charge(&world, "sub-1", 1).await)?, declined);
    assert_eq!(
        row(&world, "sub-1").await?,
        "active 1 2026-02-03 08:00:00+00"
    );
    Ok(())
}

#[tokio::test]
async fn a_hard_decline_suspends_at_once_and_a_new_method_pays() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    world.gateway.set_fault("sub-1", decline("stolen_card"));
    let declined = run(&world, "sub-1", day(0), false).await?;
    assert_eq!(declined.subscription_status, SubscriptionStatus::Suspended);
    assert_eq!(
        (declined.failed_payment_count, declined.retry_at),
        (1, None)
    );
    assert!(!billing(&world, "sub-1", day(1), false).await?.billable);

    let new_method =
        "UPDATE subscriptions SET stored_method = 'cus_1/pm_card_mastercard' WHERE id = $1";
    set(&world, new_method, "sub-1").await?;
    world.gateway.set_fault("sub-1", decline("expired_card"));
    let declined = run(&world, "sub-1", day(1), false).await?;
    assert_eq!(declined.failed_payment_count, 2);
    assert!(
        !billing(&world, "sub-1", day(1), false).await?.billable,
        "it was declined too"
    );

    set(
        &world,
        "UPDATE subscriptions SET payment_method = 'wallet' WHERE id = $1",
        "sub-1",
    )
    .await?;
    let paid = run(&world, "sub-1", day(2), false).await?;
    assert!(paid.success);
    assert_eq!(paid.subscription_status, SubscriptionStatus::Active);
    assert_eq!(paid.failed_payment_count, 0);
    assert_eq!(paid.next_payment_date, start_of("2026-02-28"));
    Ok(())
}

#[tokio::test]
async fn settling_pays_what_is_owed_and_not_the_periods_without_service() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    world.gateway.set_fault("sub-1", decline("lost_card"));
    run(&world, "sub-1", day(0), false).await?;
    let paid = run(&world, "sub-1", day(70), true).await?;
    assert!(paid.success && paid.subscription_status == SubscriptionStatus::Active);
    // February's and March's were not served.
    assert_eq!(paid.next_payment_date, start_of("2026-04-30"));
    assert_eq!(
        (world.times_charged("sub-1"), world.kept("sub-1")),
        (1, PRICE)
    );
    assert!(!billing(&world, "sub-1", day(71), true).await?.billable);
    Ok(())
}

#[tokio::test]
async fn the_method_that_was_given_during_a_charge_is_not_the_declined_one() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let processing = FaultMode::Processing {
        retrieves: 1,
        then_decline: Some("lost_card".to_owned()),
    };
    world.gateway.set_fault("sub-1", Fault::once(processing));
    failed(charge(&world, "sub-1", 1).await)?.is("GATEWAY_ERROR", true)?;
    let new_method = "UPDATE subscriptions SET stored_method = 'pm_card_mastercard' WHERE id = $1";
    set(&world, new_method, "sub-1").await?;
    let declined = until_done(async || charge(&world, "sub-1", 1).await).await?;
    assert_eq!(declined.decline_code.as_deref(), Some("lost_card"));
    assert_eq!(declined.subscription_status, SubscriptionStatus::Suspended);
    assert!(run(&world, "sub-1", day(1), false).await?.success);
    Ok(())
}

#[tokio::test]
async fn another_price_in_the_middle_of_a_charge_takes_no_money_twice() -> Result<()> {
    let world = world_of(&["before", "after"]).await?;
    for (id, mode) in [
        ("before", FaultMode::DropBeforeCommit),
        ("after", FaultMode::DropAfterCommit),
    ] {
        world.gateway.set_fault(id, Fault::once(mode));
        failed(charge(&world, id, 1).await)?.is("GATEWAY_ERROR", true)?;
        set(
            &world,
            "UPDATE subscriptions SET amount_minor = 9900 WHERE id = $1",
            id,
        )
        .await?;
        let ended = done(charge(&world, id, 1).await)?;
        assert_eq!(ended.success, id == "after", "{ended:?}");
        assert_eq!(done(charge(&world, id, 1).await)?, ended);
    }
    assert_eq!(world.kept("after"), PRICE);
    assert!(run(&world, "before", anchor(), false).await?.success);
    assert_eq!(
        (world.times_charged("before"), world.kept("before")),
        (1, 9_900)
    );
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_ended_while_it_was_charged_gets_its_money_back() -> Result<()> {
    let world = World::start().await?;
    for (number, mode) in interruptions().into_iter().enumerate() {
        let id = format!("sub-{number}");
        subscribe(&world, &id).await?;
        let lost = Fault::once(FaultMode::DropAfterCommit);
        let refund = Fault::once(mode).on(Operation::Refund);
        world.gateway.set_faults(&id, vec![lost, refund]);
        failed(charge(&world, &id, 1).await)?.is("GATEWAY_ERROR", true)?;
        assert_eq!(world.kept(&id), PRICE);
        cancel(&world, &id).await?;
        failed(charge(&world, &id, 1).await)?.is("GATEWAY_ERROR", true)?;
        let ended = until_done(async || lookup(&world, &id, 1).await).await?;
        assert!(!ended.success && ended.refunded, "{ended:?}");
        assert!(ended.transaction_id.is_some() && ended.decline_code.is_none());
        assert_eq!(ended.subscription_status, SubscriptionStatus::Cancelled);
        assert_eq!(done(charge(&world, &id, 1).await)?, ended);
        assert_eq!(done(lookup(&world, &id, 1).await)?, ended);
        let payment = world.gateway.payments_of(&id).remove(0);
        assert_eq!((payment.received, payment.refunded), (PRICE, PRICE));
        assert_eq!(row(&world, &id).await?, "cancelled 0");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_paid_before_a_subscription_ended_stays_paid() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let paid = run(&world, "sub-1", anchor(), false).await?;
    cancel(&world, "sub-1").await?;
    for answer in [
        charge(&world, "sub-1", 1).await,
        lookup(&world, "sub-1", 1).await,
    ] {
        let again = done(answer)?;
        assert!(again.success && !again.refunded, "{again:?}");
        assert_eq!(again.transaction_id, paid.transaction_id);
    }
    assert_eq!(world.kept("sub-1"), PRICE);
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_ended_before_is_not_charged() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    cancel(&world, "sub-1").await?;
    for _ in 0..2 {
        let answer = done(charge(&world, "sub-1", 1).await)?;
        assert!(!answer.success && !answer.refunded);
        assert_eq!(answer.subscription_status, SubscriptionStatus::Cancelled);
    }
    assert_eq!(world.calls(Operation::Create), 0);
    Ok(())
}

#[tokio::test]
async fn only_what_is_due_is_begun() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let before = anchor() - TimeDelta::seconds(1);
    for (period, as_of) in [
        (PERIOD, before),
        ("2026-02-28", day(60)),
        ("2026-02-01", day(60)),
        ("2025-12-31", day(60)),
        ("31 January", day(60)),
        ("2026-1-31", day(60)),
        ("", day(60)),
    ] {
        let answer = world
            .subscriptions
            .charge(input("sub-1", period, 1, as_of).into())
            .await;
        let failure = failed(answer).context(period)?;
        failure.is("VALIDATION_ERROR", false)?;
        assert!(failure.message.contains("period"), "{failure:?}");
    }
    let unreadable = world
        .subscriptions
        .lookup(input("sub-1", "", 1, anchor()).into());
    failed(unreadable.await)?.is("VALIDATION_ERROR", false)?;
    for answer in [
        charge(&world, "sub-9", 1).await,
        lookup(&world, "sub-9", 1).await,
    ] {
        failed(answer)?.is("VALIDATION_ERROR", false)?;
    }
    assert_eq!(world.calls(Operation::Create), 0);
    Ok(())
}

#[tokio::test]
async fn a_user_who_moves_is_not_charged_twice_for_a_period() -> Result<()> {
    let world = World::with_client_timeout(Duration::from_secs(30)).await?;
    subscribe(&world, "sub-1").await?;
    set(
        &world,
        "UPDATE subscriptions SET anchor_date = '2026-01-31T20:00:00Z' WHERE id = $1",
        "sub-1",
    )
    .await?;
    let as_of = day(1);
    let first = billing(&world, "sub-1", as_of, false).await?;
    let charge = || input("sub-1", &first.period, first.attempt, as_of).into();
    world
        .gateway
        .set_fault("sub-1", Fault::once(FaultMode::DropAfterCommit));
    failed(world.subscriptions.charge(charge()).await)?.is("GATEWAY_ERROR", true)?;
    // There the period begins on 1 February, and would be named so.
    set(
        &world,
        "INSERT INTO users (id, email, time_zone) VALUES ('ana', $1, 'Asia/Kolkata')",
        "ana@example.com",
    )
    .await?;
    let again = billing(&world, "sub-1", as_of, false).await?;
    assert_eq!((&again.period, again.attempt), (&first.period, 1));
    let paid = done(world.subscriptions.charge(charge()).await)?;
    assert!(paid.success);
    let next = billing(&world, "sub-1", as_of, false).await?;
    assert_eq!((next.period.as_str(), next.billable), ("2026-03-01", false));
    assert_eq!(world.times_charged("sub-1"), 1);
    Ok(())
}

#[tokio::test]
async fn an_order_of_the_same_id_is_another_charge() -> Result<()> {
    let world = world_of(&["same"]).await?;
    world.order("same", &[]).await?;
    assert!(done(charge(&world, "same", 1).await)?.success);
    world.charged("same").await?;
    assert_eq!(
        (world.times_charged("same"), world.kept("same")),
        (2, 2 * PRICE)
    );
    assert!(done(world.refund("same").await)?.refunded);
    assert_eq!(world.kept("same"), PRICE, "the order's alone goes back");
    assert!(done(charge(&world, "same", 1).await)?.success);
    Ok(())
}

/// Suspends a subscription as an operator would.
async fn suspend(world: &World, id: &str) -> Result<()> {
    let input = format!(r#"{{"subscriptionId":"{id}","status":"suspended"}}"#);
    done(
        world
            .subscriptions
            .update(crate::support::json(&input))
            .await,
    )?;
    Ok(())
}

#[tokio::test]
async fn a_suspension_by_somebody_is_not_lifted_by_another_payment_method() -> Result<()> {
    let another_card =
        "UPDATE subscriptions SET stored_method = 'cus_1/pm_card_visa' WHERE id = $1";
    // Paid with the new card before it is suspended, or declined with the old one only.
    for is_paid_in_between in [true, false] {
        let world = world_of(&["sub-1"]).await?;
        world
            .gateway
            .set_fault("sub-1", decline("insufficient_funds"));
        run(&world, "sub-1", anchor(), false).await?;
        set(&world, another_card, "sub-1").await?;
        if is_paid_in_between {
            ensure!(run(&world, "sub-1", day(3), false).await?.success);
        }
        suspend(&world, "sub-1").await?;
        let charged = world.times_charged("sub-1");
        for (settle, expected) in [(false, false), (true, true)] {
            let owed = billing(&world, "sub-1", day(400), settle).await?;
            assert_eq!(owed.billable, expected, "{owed:?}");
        }
        assert_eq!(world.times_charged("sub-1"), charged);
    }
    Ok(())
}

#[tokio::test]
async fn suspended_after_the_caller_looked_it_is_not_charged() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let owed = billing(&world, "sub-1", anchor(), false).await?;
    ensure!(owed.billable, "{owed:?}");
    suspend(&world, "sub-1").await?;
    let answer = done(charge(&world, "sub-1", owed.attempt).await)?;
    assert!(!answer.success && !answer.refunded, "{answer:?}");
    assert_eq!(answer.subscription_status, SubscriptionStatus::Suspended);
    assert_eq!(world.times_charged("sub-1"), 0);
    // The attempt is closed; paying what is owed takes the next.
    let paid = run(&world, "sub-1", anchor(), true).await?;
    assert!(paid.success, "{paid:?}");
    assert_eq!(world.times_charged("sub-1"), 1);
    Ok(())
}

/// The run that charged is gone, and the subscription has ended since: the next run finds the money
/// and gives it back.
#[tokio::test]
async fn a_charge_that_nobody_heard_of_is_settled_after_the_subscription_ended() -> Result<()> {
    let world = world_of(&["sub-1"]).await?;
    let lost = Fault::once(FaultMode::DropAfterCommit);
    world.gateway.set_fault("sub-1", lost);
    failed(charge(&world, "sub-1", 1).await)?.is("GATEWAY_ERROR", true)?;
    cancel(&world, "sub-1").await?;
    let owed = billing(&world, "sub-1", day(40), false).await?;
    assert!(owed.billable, "it is not looked for: {owed:?}");
    let answer = done(charge(&world, "sub-1", owed.attempt).await)?;
    assert!(answer.refunded, "{answer:?}");
    assert!(!billing(&world, "sub-1", day(40), false).await?.billable);
    Ok(())
}
