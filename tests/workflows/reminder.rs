//! `reminderWorkflow`.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_local::inbox::{MailFault, MailFaultMode};
use partner_tests::branches::send_notification::REFUSE_MAIL;
use partner_tests::faults::ActivityFault;
use partner_tests::history;
use partner_tests::reminders::{REMINDER, checked, input};
use partner_tests::stage::{PATIENCE, Stage, on_stage, payload};
use partner_tests::users::Person;
use serde_json::{Value, json};

/// In seconds.
const DAY: i64 = 24 * 3_600;

async fn in_days(stage: &Stage, days: i64) -> Result<DateTime<Utc>> {
    Ok(stage.now().await? + TimeDelta::days(days))
}

/// The person was reminded once on every channel, and it is on record.
async fn reminded_once(stage: &Stage, person: &Person, title: &str) -> Result<()> {
    assert_eq!(stage.subjects(person), [title]);
    assert_eq!(stage.in_app(person).await?.len(), 1);
    assert_eq!(stage.reminded(person).await?.len(), 1);
    Ok(())
}

async fn not_reminded(stage: &Stage, person: &Person) -> Result<()> {
    assert!(stage.subjects(person).is_empty());
    assert!(stage.in_app(person).await?.is_empty());
    assert!(stage.reminded(person).await?.is_empty());
    Ok(())
}

#[test]
fn reminds_at_its_time_also_after_years() -> Result<()> {
    on_stage(async |stage| {
        for days in [0, 1, 3 * 365, 150 * 365] {
            let person = stage.person().await?;
            let time = in_days(stage, days).await?;
            let process = stage.remind(&input(&person, time)).await?;
            let result = stage.result(&process).await?;
            assert_eq!(result["success"], true, "{result}");
            assert_eq!(result["userId"], person.id);
            assert_eq!(result["reminderType"], "viewing");
            let sent_at: DateTime<Utc> = serde_json::from_value(result["sentAt"].clone())?;
            assert!(sent_at >= time, "{sent_at} {time}");
            assert_eq!(stage.reminded(&person).await?.len(), 1);
            reminded_once(stage, &person, "Reminder: viewing").await?;
            let passed = history::seconds(&process.history().await?);
            assert!(
                (days * DAY - 1..(days + 1) * DAY).contains(&passed),
                "{passed} s"
            );
        }
        Ok(())
    })
}

#[test]
fn a_time_that_has_passed_reminds_at_once() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let time = in_days(stage, -400).await?;
        let process = stage.remind(&input(&person, time)).await?;
        assert_eq!(stage.result(&process).await?["success"], true);
        reminded_once(stage, &person, "Reminder: viewing").await
    })
}

#[test]
fn costs_at_most_26_events_and_7_billable_actions() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let time = in_days(stage, 30).await?;
        let process = stage.remind(&input(&person, time)).await?;
        stage.result(&process).await?;
        let cost = process.cost().await?;
        assert!(cost.events <= 26 && cost.actions <= 7, "{cost:?}");
        Ok(())
    })
}

#[test]
fn what_is_paid_or_renewed_meanwhile_reminds_nobody() -> Result<()> {
    on_stage(async |stage| {
        let order = stage.order("owed").await?;
        let person = Person {
            id: order.user_id.clone(),
            email: order.email.clone(),
        };
        let metadata = json!({ "orderId": order.id });
        let time = in_days(stage, 9).await?;
        let reminder = checked(&person, time, "payment_due", &metadata);
        let process = stage.waiting_reminder(&reminder).await?;
        sqlx::query("UPDATE orders SET status = 'cancelled' WHERE id = $1")
            .bind(&order.id)
            .execute(stage.shop.pool())
            .await?;
        stage.skip_time(&process).await?;
        let expected = json!({ "success": false, "message": "Reminder is no longer valid" });
        assert_eq!(stage.result(&process).await?, expected);
        assert!(stage.reminded(&person).await?.is_empty());

        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        stage.shop.renew_listing(&listing.id, Some(time)).await?;
        let metadata = json!({ "listingId": listing.id, "expirationDate": time });
        let reminder = checked(&listing.owner, time, "listing_renewal", &metadata);
        let process = stage.waiting_reminder(&reminder).await?;
        let later = time + TimeDelta::days(30);
        stage.shop.renew_listing(&listing.id, Some(later)).await?;
        stage.skip_time(&process).await?;
        assert_eq!(stage.result(&process).await?, expected);
        assert!(stage.reminded(&listing.owner).await?.is_empty());
        Ok(())
    })
}

#[test]
fn what_still_holds_goes_out_under_a_headline_of_its_own() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        let time = in_days(stage, 9).await?;
        let expires = time + TimeDelta::days(7);
        stage.shop.renew_listing(&listing.id, Some(expires)).await?;
        let metadata = json!({ "listingId": listing.id, "expirationDate": expires });
        let reminder = checked(&listing.owner, time, "listing_renewal", &metadata);
        let process = stage.remind(&reminder).await?;
        assert_eq!(stage.result(&process).await?["success"], true);
        let subjects = stage.subjects(&listing.owner);
        assert_eq!(
            subjects.last().map(String::as_str),
            Some("Your listing expires soon")
        );
        assert_eq!(stage.reminded(&listing.owner).await?.len(), 1);
        Ok(())
    })
}

#[test]
fn a_reminder_can_be_moved_until_it_goes_out() -> Result<()> {
    on_stage(async |stage| {
        for (days, in_an_object) in [(2, true), (90, false), (-1, false)] {
            let person = stage.person().await?;
            let process = stage
                .waiting_reminder(&input(&person, in_days(stage, 30).await?))
                .await?;
            let time = json!(in_days(stage, days).await?);
            let payload = if in_an_object {
                json!({ "scheduledTime": time })
            } else {
                time
            };
            process.signal("reschedule", &payload).await?;
            stage.skip_time(&process).await?;
            assert_eq!(stage.result(&process).await?["success"], true);
            let passed = history::seconds(&process.history().await?);
            let days = days.max(0);
            assert!(
                (days * DAY - 60..(days + 1) * DAY).contains(&passed),
                "{passed} s"
            );
            reminded_once(stage, &person, "Reminder: viewing").await?;
        }
        Ok(())
    })
}

#[test]
fn a_move_that_cannot_be_read_is_told_and_ignored() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let process = stage
            .waiting_reminder(&input(&person, in_days(stage, 30).await?))
            .await?;
        for payload in [json!("soon"), Value::Null, json!({ "time": 7 })] {
            process.signal("reschedule", &payload).await?;
        }
        stage.signal_raw(&process, "reschedule", vec![]).await?;
        let told = |details: &Value| details["ignoredReschedule"].is_string();
        let details = stage.details(&process, "ignored nothing", told).await?;
        assert_eq!(details["reschedules"], 0);
        stage.skip_time(&process).await?;
        assert_eq!(stage.result(&process).await?["success"], true);
        Ok(())
    })
}

/// Moved more often than one run's history shall hold.
#[test]
fn a_reminder_that_is_moved_very_often_goes_on_in_a_new_run() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let process = stage
            .waiting_reminder(&input(&person, in_days(stage, 30).await?))
            .await?;
        let first = process.history().await?;
        // Whichever run it is that goes on.
        let process = stage.client.process(&process.id);
        let time = in_days(stage, 60).await?;
        for minutes in 0..101 {
            let time = json!(time + TimeDelta::minutes(minutes));
            process.signal("reschedule", &time).await?;
            let moved = |details: &Value| details["scheduledTime"] == time;
            stage.details(&process, "was not moved", moved).await?;
        }
        stage.skip_time(&process).await?;
        assert_eq!(stage.result(&process).await?["success"], true);
        let last = process.history().await?;
        assert_ne!(first.first(), last.first(), "it is another run");
        reminded_once(stage, &person, "Reminder: viewing").await
    })
}

#[test]
fn a_reminder_can_be_called_off_with_a_reason_or_without() -> Result<()> {
    on_stage(async |stage| {
        for (payload, message) in [
            (
                json!("they met already"),
                "Reminder cancelled: they met already",
            ),
            (Value::Null, "Reminder cancelled"),
            (json!({ "by": "ana" }), "Reminder cancelled"),
        ] {
            let person = stage.person().await?;
            let process = stage
                .waiting_reminder(&input(&person, in_days(stage, 30).await?))
                .await?;
            process.signal("cancel", &payload).await?;
            let expected = json!({ "success": false, "message": message });
            assert_eq!(stage.result(&process).await?, expected);
            assert_eq!(process.query("getStatus").await?["status"], "cancelled");
            not_reminded(stage, &person).await?;
        }
        Ok(())
    })
}

#[test]
fn cancelled_through_temporal_it_closes_as_cancelled() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let process = stage
            .waiting_reminder(&input(&person, in_days(stage, 30).await?))
            .await?;
        process.cancel().await?;
        stage.cancelled(&process).await?;
        not_reminded(stage, &person).await
    })
}

/// Cancelled while the mail is on its way: it is marked as sent, as it was.
#[test]
fn a_reminder_that_went_out_is_marked_also_if_it_is_cancelled_then() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let held = MailFault {
            mode: MailFaultMode::HoldAfterData,
            times: None,
        };
        stage.platform.inbox.set_fault(&person.email, held);
        let process = stage
            .remind(&input(&person, in_days(stage, 1).await?))
            .await?;
        let inbox = &stage.platform.inbox;
        inbox.wait_until_held(&person.email, PATIENCE).await?;
        process.cancel().await?;
        process.signal("cancel", &Value::Null).await?;
        inbox.release(&person.email);
        assert_eq!(stage.result(&process).await?["success"], true);
        reminded_once(stage, &person, "Reminder: viewing").await
    })
}

#[test]
fn who_cannot_be_told_for_good_was_not_reminded() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL);
        let mut input = input(&person, in_days(stage, 1).await?);
        input["userId"] = json!(person.email);
        let process = stage.remind(&input).await?;
        stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert!(stage.reminded(&person).await?.is_empty());
        Ok(())
    })
}

#[test]
fn steps_whose_answers_are_lost_are_repeated_with_one_effect() -> Result<()> {
    on_stage(async |stage| {
        for activity in ["validateReminder", "sendNotification", "markReminderSent"] {
            let person = stage.person().await?;
            let id = stage.unique("reminder");
            stage
                .faults
                .set(&id, activity, ActivityFault::answer_lost());
            let input = input(&person, in_days(stage, 1).await?);
            let process = stage.start_skipping_time(REMINDER, &id, &input).await?;
            assert_eq!(stage.result(&process).await?["success"], true, "{activity}");
            reminded_once(stage, &person, "Reminder: viewing").await?;
        }
        Ok(())
    })
}

/// The same id and time are the same reminder, also for a run that is started after its end.
#[test]
fn a_second_run_of_the_same_reminder_tells_nobody_again() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let id = stage.unique("reminder");
        let input = input(&person, in_days(stage, -1).await?);
        let mut results = Vec::new();
        for _ in 0..2 {
            let process = stage.start_skipping_time(REMINDER, &id, &input).await?;
            results.push(stage.result(&process).await?);
        }
        assert_eq!(results[0], results[1]);
        reminded_once(stage, &person, "Reminder: viewing").await
    })
}

#[test]
fn input_that_breaks_a_rule_is_refused_at_once_by_name() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let time = in_days(stage, 1).await?;
        for (field, value, expected) in [
            ("userId", Value::Null, "userId: "),
            ("userId", json!(""), "userId: "),
            ("reminderType", json!("*"), "reminderType: "),
            ("reminderType", json!(7), "reminderType: "),
            ("reminderType", json!("payment_due"), "metadata: "),
            (
                "reminderType",
                json!("listing_renewal"),
                "metadata.listingId: ",
            ),
            ("message", json!(" "), "message: "),
            ("scheduledTime", json!("tomorrow"), "scheduledTime: "),
            ("scheduledTime", json!(7), "scheduledTime: "),
            ("metadata", json!("x"), "metadata: "),
            (
                "metadata",
                json!({ "room": "a\u{0}" }),
                "metadata: must not",
            ),
            ("message", json!("a\u{0}"), "message: "),
        ] {
            let mut input = input(&person, time);
            input[field] = value;
            let id = stage.unique("reminder");
            let process = stage.start(REMINDER, &id, &input).await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.starts_with(expected), "{message}");
        }
        let id = stage.unique("reminder");
        let binary = vec![payload(&json!("{"))];
        let process = stage.start_raw(REMINDER, &id, binary, |_| {}).await?;
        stage.failure(&process, ErrorCode::ValidationError).await?;
        not_reminded(stage, &person).await
    })
}

#[test]
fn tells_how_it_stands_while_it_waits_and_at_its_end() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let time = in_days(stage, 30).await?;
        let process = stage.waiting_reminder(&input(&person, time)).await?;
        let status = process.query("getStatus").await?;
        assert_eq!(
            status,
            json!({ "status": "in_progress", "step": "waiting" })
        );
        let progress = process.query("getProgress").await?;
        assert_eq!(
            (&progress["completed"], &progress["total"]),
            (&json!(0), &json!(4))
        );
        let details = process.query("getDetails").await?;
        assert_eq!(details["scheduledTime"], json!(time));
        stage.skip_time(&process).await?;
        stage.result(&process).await?;
        expect_completed(&process).await
    })
}

async fn expect_completed(process: &Process) -> Result<()> {
    let status = process.query("getStatus").await?;
    assert_eq!(status, json!({ "status": "completed", "step": "done" }));
    assert_eq!(process.query("getProgress").await?["percent"], 100);
    Ok(())
}
