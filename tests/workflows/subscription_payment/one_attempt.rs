//! One attempt a run: whoever starts the workflow decides when the next is made.

use anyhow::Result;
use futures::future::try_join_all;
use partner_core::error::ErrorCode;
use partner_local::gateway::{Fault, FaultMode};
use partner_tests::branches::process_payment::{
    cancelled_while_looking, charged_and_unreachable, charged_silently,
};
use partner_tests::branches::send_notification::REFUSE_MAIL;
use partner_tests::branches::subscription_payment::{
    bill, bill_with_signal, decline, decline_for_good, held_while_charging,
};
use partner_tests::faults::ActivityFault;
use partner_tests::history;
use partner_tests::stage::{Stage, on_stage};
use partner_tests::subscriptions::{PRICE, Subscription};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

async fn billed(stage: &Stage, subscription: &Subscription, run: &str) -> Result<Value> {
    let process = bill(stage, subscription, run).await?;
    stage.result(&process).await
}

fn states(charges: &[(String, String, String)]) -> Vec<(&str, &str)> {
    charges
        .iter()
        .map(|(period, _, state)| (period.as_str(), state.as_str()))
        .collect()
}

#[test]
fn an_unknown_outcome_is_found_out_although_the_run_is_cancelled() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let id = &subscription.id;
        let gateway = &stage.platform.gateway;
        gateway.set_faults(id, charged_and_unreachable());
        let process = bill(stage, &subscription, "1").await?;
        cancelled_while_looking(stage, &process, id, "lookupSubscriptionCharge").await?;
        stage.ended(&process).await?;
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::ActivityTaskCanceled), 0);
        // The charge was made before anyone called it off: the period is paid.
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        let charges = stage.charges(&subscription).await?;
        assert_eq!(states(&charges), [("2026-01-31", "succeeded")]);
        Ok(())
    })
}

#[test]
fn charges_what_is_due_and_sets_the_next_date() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let result = billed(stage, &subscription, "1").await?;
        let payment = &stage.platform.gateway.payments_of(&subscription.id)[0];
        let expected = json!({
            "success": true,
            "subscriptionId": subscription.id,
            "transactionId": payment.id,
            "nextPaymentDate": "2026-02-28T09:00:00Z",
            "message": "Subscription payment processed successfully",
        });
        assert_eq!(result, expected);
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(
            (row.status.as_str(), row.failed_payment_count),
            ("active", 0)
        );
        assert!(row.last_payment_date.is_some());
        let mails = stage.platform.inbox.mails_to(&subscription.user.email);
        assert_eq!(mails.len(), 1);
        let html = mails[0].html.as_deref().unwrap_or_default();
        assert!(
            html.contains("9.99 EUR") && html.contains("28 February 2026"),
            "{html}"
        );
        let told = stage.in_app(&subscription.user).await?;
        assert_eq!(told, ["subscription_charged"]);
        Ok(())
    })
}

#[test]
fn dates_are_counted_from_the_anchor_and_do_not_drift() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let mut next = Vec::new();
        for run in ["1", "2", "3"] {
            let result = billed(stage, &subscription, run).await?;
            next.push(
                result["nextPaymentDate"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
        let expected = ["2026-02-28", "2026-03-31", "2026-04-30"];
        assert_eq!(next, expected.map(|day| format!("{day}T09:00:00Z")));
        Ok(())
    })
}

#[test]
fn costs_at_most_26_events_and_7_billable_actions() -> Result<()> {
    on_stage(async |stage| {
        for fault in [None, Some(decline()), Some(decline_for_good())] {
            let subscription = stage.subscription().await?;
            if let Some(fault) = fault {
                stage.platform.gateway.set_fault(&subscription.id, fault);
            }
            let process = bill(stage, &subscription, "1").await?;
            stage.result(&process).await?;
            let cost = process.cost().await?;
            assert!(cost.events <= 26 && cost.actions <= 7, "{cost:?}");
            assert!(
                cost.events <= 19 && cost.actions <= 5,
                "the module's head says less: {cost:?}"
            );
        }
        Ok(())
    })
}

#[test]
fn a_period_is_charged_once_whoever_starts_what() -> Result<()> {
    on_stage(async |stage| {
        // The period that has just begun; the next one is a month away.
        let subscription = stage.subscription_from(stage.now().await?, None).await?;
        let runs = (0..8).map(|run| {
            let run = format!("copy-{run}");
            let subscription = &subscription;
            async move { billed(stage, subscription, &run).await }
        });
        let results = try_join_all(runs).await?;
        let paid = &results[0]["transactionId"];
        assert!(paid.is_string());
        for result in &results {
            assert_eq!(result["success"], true, "{result}");
            assert_eq!(&result["transactionId"], paid);
            assert_eq!(result["nextPaymentDate"], results[0]["nextPaymentDate"]);
        }
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        assert_eq!(stage.subjects(&subscription.user).len(), 1, "one receipt");
        Ok(())
    })
}

#[test]
fn a_decline_counts_up_and_the_third_suspends() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        stage
            .platform
            .gateway
            .set_fault(&subscription.id, decline());
        for failures in 1..=3 {
            let result = billed(stage, &subscription, &failures.to_string()).await?;
            assert_eq!(result["success"], false);
            assert_eq!(result["retryCount"], failures);
            let row = stage.shop.subscription(&subscription.id).await?;
            assert_eq!(row.failed_payment_count, failures);
            let suspended = failures == 3;
            assert_eq!(row.status == "suspended", suspended, "{row:?}");
            assert_eq!(row.retry_at.is_none(), suspended, "{row:?}");
        }
        let inactive = json!({ "success": false, "message": "Subscription is not active" });
        assert_eq!(billed(stage, &subscription, "4").await?, inactive);
        assert_eq!(stage.held(&subscription), (0, 0));
        let told = stage.in_app(&subscription.user).await?;
        let failed = "subscription_payment_failed";
        assert_eq!(told, [failed, failed, "subscription_suspended"]);
        assert_eq!(stage.subjects(&subscription.user).len(), 3);
        Ok(())
    })
}

#[test]
fn a_decline_that_will_not_pass_suspends_at_once() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline_for_good());
        let result = billed(stage, &subscription, "1").await?;
        assert_eq!(result["retryCount"], 1);
        assert_eq!(
            stage.shop.subscription(&subscription.id).await?.status,
            "suspended"
        );
        let told = stage.in_app(&subscription.user).await?;
        assert_eq!(told, ["subscription_suspended"]);
        Ok(())
    })
}

#[test]
fn success_forgets_the_failures() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline().times(2));
        for run in ["1", "2", "3"] {
            billed(stage, &subscription, run).await?;
        }
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(
            (row.status.as_str(), row.failed_payment_count),
            ("active", 0)
        );
        assert_eq!(row.retry_at, None);
        let charges = stage.charges(&subscription).await?;
        let period = "2026-01-31";
        let expected = ["declined", "declined", "succeeded"].map(|state| (period, state));
        assert_eq!(states(&charges), expected);
        Ok(())
    })
}

#[test]
fn retry_payment_settles_what_a_suspended_subscription_owes() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline().times(3));
        for run in ["1", "2", "3"] {
            billed(stage, &subscription, run).await?;
        }
        let process = bill_with_signal(stage, &subscription, "retryPayment").await?;
        assert_eq!(stage.result(&process).await?["success"], true);
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(
            (row.status.as_str(), row.failed_payment_count),
            ("active", 0)
        );
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        Ok(())
    })
}

#[test]
fn another_payment_method_settles_what_a_suspended_subscription_owes() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, decline_for_good().times(1));
        billed(stage, &subscription, "1").await?;
        assert_eq!(billed(stage, &subscription, "2").await?["success"], false);
        let card = Some("cus_1/pm_card_visa");
        stage.shop.set_stored_method(&subscription.id, card).await?;
        assert_eq!(billed(stage, &subscription, "3").await?["success"], true);
        assert_eq!(
            stage.shop.subscription(&subscription.id).await?.status,
            "active"
        );
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        Ok(())
    })
}

#[test]
fn cancel_payment_before_the_charge_takes_nothing() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let process = bill_with_signal(stage, &subscription, "cancelPayment").await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["success"], false);
        assert_eq!(
            result["message"],
            "Subscription payment cancelled: asked for"
        );
        assert_eq!(process.query("getStatus").await?["status"], "cancelled");
        assert!(stage.charges(&subscription).await?.is_empty());
        Ok(())
    })
}

#[test]
fn cancelling_in_the_middle_of_a_charge_does_not_lose_the_payment() -> Result<()> {
    on_stage(async |stage| {
        for by_temporal in [false, true] {
            let subscription = stage.subscription().await?;
            let process = held_while_charging(stage, &subscription).await?;
            if by_temporal {
                process.cancel().await?;
            } else {
                process.signal("cancelPayment", &Value::Null).await?;
            }
            stage.platform.gateway.release(&subscription.id);
            assert_eq!(stage.result(&process).await?["success"], true);
            assert_eq!(stage.held(&subscription), (PRICE, 1));
            let row = stage.shop.subscription(&subscription.id).await?;
            assert!(row.last_payment_date.is_some(), "{row:?}");
        }
        Ok(())
    })
}

#[test]
fn the_money_goes_back_if_the_subscription_ended_during_the_charge() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let process = held_while_charging(stage, &subscription).await?;
        stage.become_(&subscription, "cancelled").await?;
        stage.platform.gateway.release(&subscription.id);
        let result = stage.result(&process).await?;
        assert_eq!(result["message"], "Subscription is not active");
        assert_eq!(stage.held(&subscription), (0, 1));
        assert_eq!(
            stage.shop.subscription(&subscription.id).await?.status,
            "cancelled"
        );
        Ok(())
    })
}

#[test]
fn an_unknown_outcome_is_looked_up_and_never_charged_again() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let gateway = &stage.platform.gateway;
        gateway.set_faults(&subscription.id, charged_silently());
        assert_eq!(billed(stage, &subscription, "1").await?["success"], true);
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(row.failed_payment_count, 0);
        Ok(())
    })
}

#[test]
fn a_gateway_that_cannot_be_used_is_no_failure_of_the_user() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let gateway = &stage.platform.gateway;
        gateway.set_fault(&subscription.id, Fault::new(FaultMode::Refuse).times(1));
        let process = bill(stage, &subscription, "1").await?;
        stage.failure(&process, ErrorCode::GatewayError).await?;
        let row = stage.shop.subscription(&subscription.id).await?;
        assert_eq!(
            (row.status.as_str(), row.failed_payment_count),
            ("active", 0)
        );
        assert!(stage.subjects(&subscription.user).is_empty());
        assert_eq!(billed(stage, &subscription, "2").await?["success"], true);
        assert_eq!(stage.held(&subscription), (PRICE, 1));
        Ok(())
    })
}

#[test]
fn a_user_who_cannot_be_told_has_paid_all_the_same() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
        let run = subscription.run("1");
        stage.faults.set(&run, "sendNotification", fault);
        stage
            .platform
            .inbox
            .set_fault(&subscription.user.email, REFUSE_MAIL);
        let result = billed(stage, &subscription, "1").await?;
        assert_eq!(result["success"], true);
        let message = result["message"].as_str().unwrap_or_default();
        assert!(message.contains("could not be told"), "{message}");
        Ok(())
    })
}

#[test]
fn a_run_sets_no_timers() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        stage
            .platform
            .gateway
            .set_fault(&subscription.id, decline());
        let process = bill(stage, &subscription, "1").await?;
        stage.result(&process).await?;
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::TimerStarted), 0);
        Ok(())
    })
}

#[test]
fn queries_tell_how_far_it_is() -> Result<()> {
    on_stage(async |stage| {
        let subscription = stage.subscription().await?;
        let process = held_while_charging(stage, &subscription).await?;
        let status = process.query("getStatus").await?;
        assert_eq!(
            status,
            json!({ "status": "in_progress", "step": "charging" })
        );
        let details = process.query("getDetails").await?;
        assert_eq!(details["period"], "2026-01-31");
        assert_eq!(details["attempt"], 1);
        stage.platform.gateway.release(&subscription.id);
        stage.result(&process).await?;
        let progress = process.query("getProgress").await?;
        let all = json!({ "completed": 3, "total": 3, "percent": 100, "message": "done" });
        assert_eq!(progress, all);
        Ok(())
    })
}
