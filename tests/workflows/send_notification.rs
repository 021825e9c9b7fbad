//! `sendNotificationWorkflow`.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_local::inbox::{MailFault, MailFaultMode};
use partner_local::push::{PushFault, PushFaultMode};
use partner_tests::branches::send_notification::{REFUSE_MAIL, WORKFLOW, id, input, unrecorded};
use partner_tests::faults::ActivityFault;
use partner_tests::history;
use partner_tests::stage::{Stage, on_stage, payload};
use partner_tests::users::Person;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

/// What the result says of a channel.
fn channel<'a>(result: &'a Value, name: &str) -> Option<&'a Value> {
    let channels = result["channels"].as_array()?;
    channels.iter().find(|outcome| outcome["channel"] == name)
}

async fn send(stage: &Stage, person: &Person) -> Result<Value> {
    let process = stage
        .start(WORKFLOW, &id(stage, person), &input(&person.id))
        .await?;
    stage.result(&process).await
}

#[test]
fn tells_a_user_by_mail_and_in_the_app() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let result = send(stage, &person).await?;
        assert_eq!(result["success"], true);
        assert_eq!(result["emailSent"], true);
        assert_eq!(result["notificationProcessed"], true);
        assert_eq!(stage.subjects(&person).len(), 1);
        let mail = &stage.platform.inbox.mails_to(&person.email)[0];
        for part in [&mail.html, &mail.text] {
            let part = part.as_deref().unwrap_or_default();
            assert!(part.contains("The roof is leaking."), "{part}");
        }
        assert_eq!(stage.in_app(&person).await?, ["warning"]);
        assert_eq!(stage.notification_status(&person).await?, ["sent"]);
        Ok(())
    })
}

#[test]
fn costs_at_most_16_events_and_5_billable_actions() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let device = stage.platform.push.device(&stage.unique("device"));
        stage
            .shop
            .add_push_subscription(&person.id, &device)
            .await?;
        let process = stage
            .start(WORKFLOW, &id(stage, &person), &input(&person.id))
            .await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["channels"].as_array().map(Vec::len), Some(3));
        let cost = process.cost().await?;
        assert!(cost.events <= 16 && cost.actions <= 5, "{cost:?}");
        Ok(())
    })
}

#[test]
fn pushes_to_every_device_and_forgets_one_that_is_gone() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let push = &stage.platform.push;
        let devices = ["phone", "laptop"].map(|name| stage.unique(name));
        for device in &devices {
            let subscription = push.device(device);
            stage
                .shop
                .add_push_subscription(&person.id, &subscription)
                .await?;
        }
        let gone = PushFault {
            mode: PushFaultMode::Gone,
            times: Some(1),
            retry_after_seconds: None,
        };
        push.set_fault(&devices[1], gone);
        for expected in [1, 2] {
            send(stage, &person).await?;
            assert_eq!(push.messages_of(&devices[0]).len(), expected);
        }
        // It would have taken the second one.
        assert!(push.messages_of(&devices[1]).is_empty());
        Ok(())
    })
}

#[test]
fn reaches_someone_without_an_account_by_mail() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let process = stage
            .start(WORKFLOW, &id(stage, &person), &input(&person.email))
            .await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["emailSent"], true);
        assert_eq!(stage.subjects(&person).len(), 1);
        Ok(())
    })
}

#[test]
fn refuses_bad_input_at_once() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let broken = [
            (json!({ "userId": person.id, "message": "x" }), "type"),
            (
                json!({ "userId": person.id, "message": "x", "type": "loud" }),
                "type",
            ),
            (
                json!({ "userId": person.id, "message": " ", "type": "info" }),
                "message",
            ),
            (
                json!({ "userId": 7, "message": "x", "type": "info" }),
                "userId",
            ),
            (
                json!({ "userId": "nobody", "message": "x", "type": "info" }),
                "nobody",
            ),
        ];
        for (input, named) in broken {
            let id = id(stage, &person);
            let process = stage
                .start_raw(WORKFLOW, &id, vec![payload(&input)], |_| {})
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(named), "{named}: {message}");
        }
        assert!(stage.subjects(&person).is_empty());
        Ok(())
    })
}

#[test]
fn waits_for_the_end_of_the_quiet_hours() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        stage.quiet_for(&person, 8).await?;
        let id = id(stage, &person);
        let process = stage
            .start_skipping_time(WORKFLOW, &id, &input(&person.id))
            .await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["emailSent"], true);
        let events = process.history().await?;
        assert_eq!(history::count(&events, EventType::TimerFired), 1);
        let waited = history::seconds(&events);
        assert!((7 * 3_600..=8 * 3_600 + 60).contains(&waited), "{waited} s");
        let cost = process.cost().await?;
        // One event more than in production: that the server skipped the time.
        assert!(cost.events <= 19 && cost.actions <= 5, "{cost:?}");
        Ok(())
    })
}

#[test]
fn what_is_critical_does_not_wait_and_cannot_be_muted() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        stage.quiet_for(&person, 8).await?;
        stage
            .shop
            .set_preference(&person.id, "*", "*", false)
            .await?;
        let mut input = input(&person.id);
        input["critical"] = json!(true);
        let process = stage.start(WORKFLOW, &id(stage, &person), &input).await?;
        assert_eq!(stage.result(&process).await?["emailSent"], true);
        assert_eq!(
            history::count(&process.history().await?, EventType::TimerStarted),
            0
        );
        Ok(())
    })
}

#[test]
fn what_is_muted_is_not_sent_and_is_no_failure() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        stage
            .shop
            .set_preference(&person.id, "warning", "*", false)
            .await?;
        let result = send(stage, &person).await?;
        assert_eq!(result["success"], true);
        assert_eq!(result["emailSent"], false);
        assert!(stage.subjects(&person).is_empty());
        assert!(stage.in_app(&person).await?.is_empty());
        assert_eq!(stage.notification_status(&person).await?, ["muted"]);
        Ok(())
    })
}

#[test]
fn cancelled_while_it_waits_it_sends_nothing() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        stage.quiet_for(&person, 8).await?;
        let process = stage
            .start(WORKFLOW, &id(stage, &person), &input(&person.id))
            .await?;
        stage.reached(&process, "waiting_for_quiet_hours").await?;
        let details = process.query("getDetails").await?;
        assert!(details["deliverAt"].is_string(), "{details}");
        process.cancel().await?;
        stage.cancelled(&process).await?;
        assert!(stage.subjects(&person).is_empty());
        assert_eq!(process.query("getStatus").await?["status"], "cancelled");
        Ok(())
    })
}

#[test]
fn a_channel_that_fails_for_good_does_not_stop_the_others() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL);
        let result = send(stage, &person).await?;
        assert_eq!(result["success"], true);
        assert_eq!(result["emailSent"], false);
        let email = channel(&result, "email").expect("the mail's outcome");
        assert_eq!(email["status"], "failed");
        assert!(
            email["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty())
        );
        assert_eq!(
            channel(&result, "in_app").expect("its outcome")["status"],
            "sent"
        );
        assert_eq!(stage.in_app(&person).await?, ["warning"]);
        assert_eq!(
            stage.notification_status(&person).await?,
            ["partially_sent"]
        );
        Ok(())
    })
}

#[test]
fn fails_if_nobody_could_be_reached_at_all() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL);
        let process = stage
            .start(WORKFLOW, &id(stage, &person), &input(&person.email))
            .await?;
        stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert_eq!(process.query("getStatus").await?["status"], "failed");
        Ok(())
    })
}

#[test]
fn a_relay_that_is_busy_for_a_moment_gets_the_mail_once() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let busy = MailFault {
            mode: MailFaultMode::Defer,
            times: Some(2),
        };
        stage.platform.inbox.set_fault(&person.email, busy);
        assert_eq!(send(stage, &person).await?["emailSent"], true);
        assert_eq!(stage.subjects(&person).len(), 1);
        assert_eq!(stage.in_app(&person).await?, ["warning"]);
        Ok(())
    })
}

#[test]
fn what_may_have_arrived_is_said_so_and_not_sent_again() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let lost = MailFault {
            mode: MailFaultMode::DropAfterData,
            times: Some(1),
        };
        stage.platform.inbox.set_fault(&person.email, lost);
        let result = send(stage, &person).await?;
        let email = channel(&result, "email").expect("the mail's outcome");
        assert_eq!(email["status"], "possibly_delivered");
        assert_eq!(result["emailSent"], false);
        assert_eq!(stage.subjects(&person).len(), 1);
        Ok(())
    })
}

#[test]
fn what_was_sent_counts_even_if_no_answer_ever_comes_back() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let id = id(stage, &person);
        let lost = ActivityFault::answer_lost().repeated(3);
        stage.faults.set(&id, "sendNotification", lost);
        let process = stage.start(WORKFLOW, &id, &input(&person.id)).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["emailSent"], true, "{result}");
        assert_eq!(stage.subjects(&person).len(), 1);
        assert_eq!(stage.in_app(&person).await?, ["warning"]);
        Ok(())
    })
}

#[test]
fn the_same_id_and_words_are_sent_once_and_other_words_again() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let id = id(stage, &person);
        let mut input = input(&person.id);
        for expected in [1, 1, 2] {
            if expected == 2 {
                input["message"] = json!("The cellar is flooded.");
            }
            let process = stage
                .start_raw(WORKFLOW, &id, vec![payload(&input)], |_| {})
                .await?;
            assert_eq!(stage.result(&process).await?["emailSent"], true);
            assert_eq!(stage.subjects(&person).len(), expected);
            assert_eq!(stage.in_app(&person).await?.len(), expected);
        }
        Ok(())
    })
}

#[test]
fn says_so_if_what_became_of_it_could_not_be_written_down() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let id = id(stage, &person);
        stage.faults.set(&id, "processNotification", unrecorded());
        let process = stage.start(WORKFLOW, &id, &input(&person.id)).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["emailSent"], true);
        assert_eq!(result["notificationProcessed"], false);
        Ok(())
    })
}

#[test]
fn queries_tell_how_far_it_is() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let process = stage
            .start(WORKFLOW, &id(stage, &person), &input(&person.id))
            .await?;
        stage.result(&process).await?;
        let status = process.query("getStatus").await?;
        assert_eq!(status, json!({ "status": "completed", "step": "done" }));
        let progress = process.query("getProgress").await?;
        let all = json!({ "completed": 3, "total": 3, "percent": 100, "message": "done" });
        assert_eq!(progress, all);
        let details = process.query("getDetails").await?;
        assert_eq!(details["userId"], json!(person.id));
        assert_eq!(details["type"], "warning");
        assert_eq!(details["channels"].as_array().map(Vec::len), Some(2));
        Ok(())
    })
}
