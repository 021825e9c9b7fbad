//! `dueSubscriptionsWorkflow`.

use anyhow::Result;
use chrono::TimeDelta;
use partner_core::error::ErrorCode;
use partner_tests::branches::due_subscriptions::WORKFLOW;
use partner_tests::branches::subscription_payment::{self, DURABLE, bill_durably, decline};
use partner_tests::history;
use partner_tests::stage::{Stage, on_stage};
use partner_tests::subscriptions::{PRICE, Subscription};
use partner_tests::sweeps::{AS_OF, UNSERVED, counts, long_ago};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

async fn sweep(stage: &Stage) -> Result<Value> {
    stage.sweep(WORKFLOW, &json!({})).await
}

/// Waits for the end of the payment that a sweep started, under the contract's id.
async fn paid(stage: &Stage, subscription: &Subscription, name: &str) -> Result<Value> {
    let process = stage.client.process(&subscription.run(name));
    stage.result(&process).await
}

#[test]
fn begins_each_attempt_once() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let paying = stage.due_subscription().await?;
        let declined = stage.due_subscription().await?;
        stage.platform.gateway.set_fault(&declined.id, decline());
        assert_eq!(sweep(stage).await?, counts(2, 2, 0, 0, 0));
        assert_eq!(paid(stage, &paying, "2001-01-01").await?["success"], true);
        let refused = paid(stage, &declined, "2001-01-01").await?;
        assert_eq!(refused["retryCount"], 1);

        // One is paid for, and the other's next attempt has its day.
        assert_eq!(sweep(stage).await?, counts(0, 0, 0, 0, 0));
        sqlx::query("UPDATE subscriptions SET retry_at = $2 WHERE id = $1")
            .bind(&declined.id)
            .bind(long_ago())
            .execute(stage.shop.pool())
            .await?;
        assert_eq!(sweep(stage).await?, counts(1, 1, 0, 0, 0));
        let refused = paid(stage, &declined, "2001-01-01-2").await?;
        assert_eq!(refused["retryCount"], 2);
        assert_eq!(stage.held(&paying), (PRICE, 1));
        assert_eq!(stage.held(&declined), (0, 0));
        Ok(())
    })
}

#[test]
fn leaves_what_runs_and_what_was_called_off() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let called_off = stage.due_subscription().await?;
        let id = called_off.run("2001-01-01");
        let (workflow, input) = (subscription_payment::WORKFLOW, called_off.input());
        let process = stage
            .client
            .start_with_signal(workflow, &id, &input, "cancelPayment", &Value::Null)
            .await?;
        stage.result(&process).await?;
        let running = stage.due_subscription().await?;
        stage
            .start_in(
                UNSERVED,
                workflow,
                &running.run("2001-01-01"),
                &running.input(),
            )
            .await?;
        let mut swept = sweep(stage).await?;
        let problems = swept["problems"].take();
        assert_eq!(problems.as_array().map(Vec::len), Some(1), "{problems}");
        let problem = problems[0].as_str().unwrap_or_default();
        assert!(problem.contains(&id), "{problem}");
        swept["problems"] = json!([]);
        assert_eq!(swept, counts(2, 0, 1, 0, 1));
        assert_eq!(stage.held(&called_off), (0, 0));
        Ok(())
    })
}

#[test]
fn begins_again_what_was_ended_by_force() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let subscription = stage.due_subscription().await?;
        let id = subscription.run("2001-01-01");
        let input = subscription.input();
        let process = stage
            .start_in(UNSERVED, subscription_payment::WORKFLOW, &id, &input)
            .await?;
        stage.end_at_once(&process).await?;
        assert_eq!(sweep(stage).await?, counts(1, 1, 0, 0, 0));
        assert_eq!(
            paid(stage, &subscription, "2001-01-01").await?["success"],
            true
        );
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        Ok(())
    })
}

#[test]
fn what_cannot_be_read_keeps_nobody_waiting() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let broken = stage.due_subscription().await?;
        sqlx::query("UPDATE users SET time_zone = 'Mars/Olympus' WHERE id = $1")
            .bind(&broken.user.id)
            .execute(stage.shop.pool())
            .await?;
        let sound = stage.due_subscription().await?;
        let process = stage.start_sweep(WORKFLOW, &json!({})).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["success"], false);
        assert_eq!(
            (&result["counts"]["started"], &result["counts"]["failed"]),
            (&json!(1), &json!(1))
        );
        let problem = result["counts"]["problems"][0].as_str().unwrap_or_default();
        assert!(
            problem.contains(&broken.id) && problem.contains("Mars/Olympus"),
            "{problem}"
        );
        assert_eq!(paid(stage, &sound, "2001-01-01").await?["success"], true);
        Ok(())
    })
}

#[test]
fn a_charge_that_cannot_be_read_keeps_nobody_waiting() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let broken = stage.due_subscription().await?;
        sqlx::query(
            "INSERT INTO charges (subject_kind, subject_id, period, purpose, parameters_hash, user_id,
                                  amount_minor, currency, state)
             VALUES ('subscription', $1, '2001-01-01', 'nonsense', '', $2, 999, 'EUR', 'abandoned')",
        )
        .bind(&broken.id)
        .bind(&broken.user.id)
        .execute(stage.shop.pool())
        .await?;
        let sound = stage.due_subscription().await?;
        let swept = sweep(stage).await?;
        assert_eq!(
            (&swept["started"], &swept["failed"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(paid(stage, &sound, "2001-01-01").await?["success"], true);
        Ok(())
    })
}

#[test]
fn begins_again_what_found_the_subscription_suspended() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        let subscription = stage.due_subscription().await?;
        stage.become_(&subscription, "suspended").await?;
        let (workflow, input) = (subscription_payment::WORKFLOW, subscription.input());
        let process = stage
            .start(workflow, &subscription.run("2001-01-01"), &input)
            .await?;
        assert_eq!(stage.result(&process).await?["success"], false);
        assert_eq!(sweep(stage).await?, counts(0, 0, 0, 0, 0));
        stage.become_(&subscription, "active").await?;
        assert_eq!(sweep(stage).await?, counts(1, 1, 0, 0, 0));
        assert_eq!(
            paid(stage, &subscription, "2001-01-01").await?["success"],
            true
        );
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        Ok(())
    })
}

#[test]
fn what_is_not_due_yet_is_not_begun_ahead() -> Result<()> {
    on_stage(async |stage| {
        let tomorrow = stage.now().await? + TimeDelta::days(1);
        let process = stage
            .start_sweep(WORKFLOW, &json!({ "asOf": tomorrow }))
            .await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert!(message.contains("asOf"), "{message}");
        Ok(())
    })
}

#[test]
fn many_pages_are_several_short_histories() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        stage.due_subscriptions(103).await?;
        let input = json!({ "pageSize": 1, "taskQueue": UNSERVED });
        let process = stage.start_sweep(WORKFLOW, &input).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["counts"], counts(103, 103, 0, 0, 0));
        // A run has a hundred of them; the last one, a page of nothing, tells that there are no more.
        let last = stage.client.process(&process.id);
        for (run, pages) in [(&process, 100), (&last, 4)] {
            let events = run.history().await?;
            let started = EventType::ActivityTaskScheduled;
            assert_eq!(history::count(&events, started), pages);
            assert!(events.len() <= 6 * pages + 5, "{} events", events.len());
        }
        let progress = last.query("getProgress").await?;
        assert_eq!(
            (&progress["completed"], &progress["total"]),
            (&json!(103), &json!(103))
        );
        Ok(())
    })
}

#[test]
fn says_how_it_stands_and_what_it_did() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        stage.due_subscriptions(3).await?;
        let input = json!({ "pageSize": 2, "taskQueue": UNSERVED });
        let process = stage.start_sweep(WORKFLOW, &input).await?;
        stage.result(&process).await?;
        let expected = json!({ "status": "completed", "step": "done" });
        assert_eq!(process.query("getStatus").await?, expected);
        let progress = process.query("getProgress").await?;
        assert_eq!(
            (&progress["completed"], &progress["percent"]),
            (&json!(3), &json!(100))
        );
        let details = process.query("getDetails").await?;
        assert_eq!(
            details,
            json!({ "asOf": AS_OF, "total": 3, "counts": counts(3, 3, 0, 0, 0) })
        );
        Ok(())
    })
}

#[test]
fn a_page_of_hundreds_is_one_activity() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        stage.due_subscriptions(600).await?;
        let input = json!({ "taskQueue": UNSERVED });
        let process = stage.start_sweep(WORKFLOW, &input).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["counts"], counts(600, 600, 0, 0, 0));
        let cost = process.cost().await?;
        assert!(cost.events <= 17, "{cost:?}");
        assert!(cost.actions <= 3, "{cost:?}");
        Ok(())
    })
}

#[test]
fn a_durable_schedule_needs_none() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.sweep_alone().await?;
        // Its worker is started by the first that needs it.
        let subscription = stage.subscription().await?;
        stage
            .platform
            .gateway
            .set_fault(&subscription.id, decline());
        let durable = bill_durably(stage, &subscription, 0).await?;
        let id = stage.unique("sweep");
        let process = stage
            .start_in(DURABLE, WORKFLOW, &id, &json!({ "asOf": AS_OF }))
            .await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert!(message.contains("subscription.schedule"), "{message}");
        stage.end_at_once(&durable).await?;
        Ok(())
    })
}

#[test]
fn what_no_sweep_can_do_is_refused() -> Result<()> {
    on_stage(async |stage| {
        for (field, value) in [
            ("pageSize", json!(0)),
            ("pageSize", json!(5_001)),
            ("pageSize", json!("all")),
            ("taskQueue", json!("where-nobody-works")),
            ("asOf", json!("0000-01-01T00:00:00Z")),
        ] {
            let process = stage
                .start_sweep(WORKFLOW, &json!({ field: value }))
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(field), "{message}");
        }
        Ok(())
    })
}
