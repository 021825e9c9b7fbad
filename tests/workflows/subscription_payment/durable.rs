//! The durable schedule, at its real durations on a server that skips the time in between.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta};
use chrono_tz::Europe::Berlin;
use chrono_tz::UTC;
use partner_core::client::Process;
use partner_local::gateway::{Fault, FaultMode};
use partner_payment::billing_calendar::{BillingCalendar, BillingPeriod};
use partner_tests::branches::subscription_payment::{
    bill, bill_durably, decline, decline_for_good,
};
use partner_tests::history;
use partner_tests::stage::{PATIENCE, Stage, on_stage};
use partner_tests::subscriptions::{PRICE, Subscription};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

const DAY: i64 = 24 * 3_600;

/// Waits until a subscription has been charged so often.
async fn charged(stage: &Stage, subscription: &Subscription, times: usize) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let reached = async {
        while stage.held(subscription).1 < times {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .with_context(|| format!("{} of {times} charges", stage.held(subscription).1))
}

/// Ends a schedule whose last period is paid.
async fn end(stage: &Stage, process: &Process) -> Result<Value> {
    stage.reached(process, "waiting").await?;
    process.signal("cancelPayment", &Value::Null).await?;
    stage.result(process).await
}

#[test]
fn declined_twice_it_is_retried_on_the_configured_days_and_then_suspended() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        stage
            .platform
            .gateway
            .set_fault(&subscription.id, decline());
        let process = bill_durably(stage, &subscription, 10).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["success"], false);
        assert_eq!(result["retryCount"], 3);
        assert_eq!(
            stage.shop.subscription(&subscription.id).await?.status,
            "suspended"
        );
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::TimerFired), 3);
        // 3 days, 5 days, and the window in which it could still have been paid.
        let waited = history::seconds(&events);
        assert!((38 * DAY..38 * DAY + 600).contains(&waited), "{waited} s");
        assert_eq!(stage.charges(&subscription).await?.len(), 3);
        Ok(())
    })
}

#[test]
fn a_decline_that_will_not_pass_is_not_retried() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline_for_good());
        let process = bill_durably(stage, &subscription, 10).await?;
        assert_eq!(stage.result(&process).await?["retryCount"], 1);
        assert_eq!(stage.charges(&subscription).await?.len(), 1);
        Ok(())
    })
}

#[test]
fn retry_payment_wakes_a_suspended_subscription_and_the_schedule_goes_on() -> Result<()> {
    on_stage(async |stage| {
        // Its next period is far away: once it is paid, nothing else is due.
        let now = stage.now().await?;
        let subscription = stage.subscription_from(now, None).await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline_for_good().times(1));
        let process = bill_durably(stage, &subscription, 0).await?;
        stage.reached(&process, "waiting").await?;
        assert_eq!(
            stage.shop.subscription(&subscription.id).await?.status,
            "suspended"
        );
        process.signal("retryPayment", &Value::Null).await?;
        charged(stage, &subscription, 1).await?;
        let result = end(stage, &process).await?;
        assert_eq!(result["success"], true);
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(
            (row.status.as_str(), row.failed_payment_count),
            ("active", 0)
        );
        Ok(())
    })
}

#[test]
fn cancel_payment_ends_a_schedule_that_waits_for_a_retry() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        stage
            .platform
            .gateway
            .set_fault(&subscription.id, decline());
        let process = bill_durably(stage, &subscription, 0).await?;
        let result = end(stage, &process).await?;
        assert_eq!(result["success"], false);
        assert_eq!(process.query("getStatus").await?["status"], "cancelled");
        assert_eq!(stage.charges(&subscription).await?.len(), 1);
        Ok(())
    })
}

/// Twelve months by the calendar of Berlin, from the 31st on, one of them with a decline: each month
/// is charged once, on its own day, and no day drifts.
#[test]
fn a_year_of_billing_charges_every_month_once_on_its_day() -> Result<()> {
    on_stage(async |stage| {
        let anchor = DateTime::parse_from_rfc3339("2025-01-31T07:30:00Z")?.to_utc();
        let calendar = BillingCalendar::new(anchor, Berlin, BillingPeriod::Monthly);
        let first = calendar.index_at(stage.now().await?) + 1;
        let due = calendar.start(first);
        let subscription = stage.subscription_from(anchor, Some(due)).await?;
        sqlx::query("UPDATE users SET time_zone = 'Europe/Berlin' WHERE id = $1")
            .bind(&subscription.user.id)
            .execute(stage.shop.pool())
            .await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline().times(1));
        // Until the first month begins, three days for the decline, and eleven months.
        let process = bill_durably(stage, &subscription, 13).await?;
        charged(stage, &subscription, 12).await?;
        let result = end(stage, &process).await?;
        assert_eq!(result["success"], true, "{result}");

        let charges = stage.charges(&subscription).await?;
        let paid: Vec<_> = charges
            .iter()
            .filter(|(_, _, state)| state == "succeeded")
            .map(|(period, ..)| period.clone())
            .collect();
        let expected: Vec<_> = (first..first + 12).map(|k| calendar.name(k)).collect();
        assert_eq!(paid, expected);
        assert_eq!(charges.len(), 13, "{charges:?}");
        assert_eq!(stage.held(&subscription), (12 * PRICE, 12));
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(row.next_payment_date, Some(calendar.start(first + 12)));
        let last = row.last_payment_date.context("it was paid")?;
        let late = last - calendar.start(first + 11);
        assert!(
            (TimeDelta::zero()..TimeDelta::minutes(10)).contains(&late),
            "{late}"
        );
        // Thirteen attempts, and the user was told of each.
        assert_eq!(stage.subjects(&subscription.user).len(), 13);
        Ok(())
    })
}

#[test]
fn a_durable_schedule_ends_with_the_subscription() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        stage.become_(&subscription, "cancelled").await?;
        let process = bill_durably(stage, &subscription, 10).await?;
        let expected = json!({ "success": false, "message": "Subscription is not active" });
        assert_eq!(stage.result(&process).await?, expected);
        Ok(())
    })
}

/// More periods than one run bills: the chain goes on where it was, and charges each of them once.
#[test]
fn a_long_schedule_goes_on_as_a_new_run() -> Result<()> {
    on_stage(async |stage| {
        let anchor = DateTime::parse_from_rfc3339("2020-01-31T09:00:00Z")?.to_utc();
        let calendar = BillingCalendar::new(anchor, UTC, BillingPeriod::Monthly);
        let last = calendar.index_at(stage.now().await?);
        let first = last - 29;
        let due = calendar.start(first);
        let subscription = stage.subscription_from(anchor, Some(due)).await?;
        let process = bill_durably(stage, &subscription, 0).await?;
        charged(stage, &subscription, 30).await?;
        assert_eq!(end(stage, &process).await?["success"], true);
        let charges = stage.charges(&subscription).await?;
        let periods: Vec<_> = charges.iter().map(|(period, ..)| period.clone()).collect();
        let expected: Vec<_> = (first..=last).map(|k| calendar.name(k)).collect();
        assert_eq!(periods, expected);
        // The second run's history is its own: six of the thirty periods.
        let events = process.history().await?;
        assert!(events.len() < 6 * 21 + 20, "{}", events.len());
        Ok(())
    })
}

#[test]
fn a_gateway_that_is_down_pauses_a_schedule_and_does_not_end_it() -> Result<()> {
    on_stage(async |stage| {
        let now = stage.now().await?;
        let subscription = stage.subscription_from(now, None).await?;
        let down = Fault::new(FaultMode::Refuse).times(1);
        stage.platform.gateway.set_fault(&subscription.id, down);
        let process = bill_durably(stage, &subscription, 1).await?;
        charged(stage, &subscription, 1).await?;
        assert_eq!(end(stage, &process).await?["success"], true);
        let waited = history::seconds(&process.history().await?);
        assert!((3_600..DAY).contains(&waited), "{waited} s");
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(row.failed_payment_count, 0);
        Ok(())
    })
}

/// The user gives another card while the subscription is suspended, and nobody tells the run.
#[test]
fn another_card_is_seen_when_the_window_ends() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription_from(stage.now().await?, None).await?;
        let statements = format!(
            "CREATE FUNCTION give_another_card() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 NEW.stored_method := 'cus_1/pm_card_visa';
                 NEW.payment_method_version := OLD.payment_method_version + 1;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER give_another_card BEFORE UPDATE OF status ON subscriptions FOR EACH ROW
                 WHEN (NEW.id = '{}' AND NEW.status = 'suspended')
                 EXECUTE FUNCTION give_another_card();",
            subscription.id
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
            .execute(stage.shop.pool())
            .await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline_for_good().times(1));
        let process = bill_durably(stage, &subscription, 1).await?;
        charged(stage, &subscription, 1).await?;
        assert_eq!(end(stage, &process).await?["success"], true);
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(row.status, "active");
        Ok(())
    })
}

/// Another run has just been declined: this one waits for the day of the next attempt.
#[test]
fn a_schedule_keeps_the_day_that_another_run_has_set() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription_from(stage.now().await?, None).await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline().times(1));
        let first = bill(stage, &subscription, "by-the-caller").await?;
        assert_eq!(stage.result(&first).await?["retryCount"], 1);
        let process = bill_durably(stage, &subscription, 1).await?;
        charged(stage, &subscription, 1).await?;
        assert_eq!(end(stage, &process).await?["success"], true);
        let waited = history::seconds(&process.history().await?);
        assert!(
            (3 * DAY - 600..3 * DAY + 600).contains(&waited),
            "{waited} s"
        );
        assert_eq!(stage.charges(&subscription).await?.len(), 2);
        Ok(())
    })
}
