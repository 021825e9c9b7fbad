//! `userOnboardingWorkflow`.

use anyhow::Result;
use partner_core::error::ErrorCode;
use partner_tests::branches::send_notification::REFUSE_MAIL;
use partner_tests::branches::user_onboarding::{
    WORKFLOW, held_at_the_welcome_package, id, input, onboard,
};
use partner_tests::faults::ActivityFault;
use partner_tests::stage::{Stage, on_stage, payload};
use partner_tests::users::Person;
use serde_json::json;

/// The subjects of the two mails, in their order.
const MAILS: [&str; 2] = [
    "Welcome, Ana: your first steps as a partner",
    "Your partner account is active",
];

/// Everything that an onboarding sends is there, once.
async fn is_onboarded(stage: &Stage, person: &Person) -> Result<()> {
    assert_eq!(
        stage.shop.user_status(&person.id).await?,
        ("active".to_owned(), None)
    );
    assert_eq!(stage.subjects(person), MAILS);
    assert_eq!(stage.in_app(person).await?, ["onboarding_started"]);
    Ok(())
}

#[test]
fn makes_someone_unknown_a_partner() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let process = onboard(stage, &person).await?;
        let expected = json!({
            "success": true,
            "userId": person.id,
            "message": "User onboarded successfully",
        });
        assert_eq!(stage.result(&process).await?, expected);
        is_onboarded(stage, &person).await?;
        let welcome = &stage.platform.inbox.mails_to(&person.email)[1];
        let html = welcome.html.as_deref().unwrap_or_default();
        assert!(html.contains("https://"), "{html}");
        assert_eq!(welcome.attachments.len(), 1);
        Ok(())
    })
}

#[test]
fn costs_at_most_22_events_and_6_billable_actions() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let process = onboard(stage, &person).await?;
        stage.result(&process).await?;
        let cost = process.cost().await?;
        assert!(cost.events <= 22 && cost.actions <= 6, "{cost:?}");
        Ok(())
    })
}

#[test]
fn starting_twice_joins_the_running_one() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let first = held_at_the_welcome_package(stage, &person).await?;
        let second = onboard(stage, &person).await?;
        stage.platform.inbox.release(&person.email);
        assert_eq!(stage.result(&first).await?, stage.result(&second).await?);
        is_onboarded(stage, &person).await
    })
}

#[test]
fn under_another_id_it_sends_nothing_twice_either() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let first = held_at_the_welcome_package(stage, &person).await?;
        let second = stage
            .start(WORKFLOW, &stage.unique("another-id"), &input(&person))
            .await?;
        stage.platform.inbox.release(&person.email);
        stage.result(&first).await?;
        stage.result(&second).await?;
        is_onboarded(stage, &person).await
    })
}

#[test]
fn a_partner_who_is_active_stays_so_and_gets_no_mail() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        let result = stage.result(&onboard(stage, &person).await?).await?;
        assert_eq!(result["success"], true);
        assert_eq!(result["message"], "User is already active");
        assert!(stage.subjects(&person).is_empty());
        assert_eq!(stage.shop.user_status(&person.id).await?.0, "active");
        Ok(())
    })
}

#[test]
fn someone_who_is_suspended_is_refused_and_stays_suspended() -> Result<()> {
    on_stage(async |stage| {
        let person = stage.person().await?;
        stage.move_user(&person, "suspended").await?;
        let process = onboard(stage, &person).await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert!(message.contains("suspended"), "{message}");
        assert_eq!(stage.shop.user_status(&person.id).await?.0, "suspended");
        assert!(stage.subjects(&person).is_empty());
        Ok(())
    })
}

#[test]
fn bad_input_fails_at_once_and_names_the_field() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        for (field, value) in [
            ("email", json!("nowhere")),
            ("email", json!("a@x.com\r\nBcc: b@x.com")),
            ("name", json!(7)),
            ("userId", json!("")),
        ] {
            let mut input = input(&person);
            input[field] = value;
            let process = stage
                .start_raw(WORKFLOW, &id(&person), vec![payload(&input)], |_| {})
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(field), "{field}: {message}");
        }
        Ok(())
    })
}

/// A failure at each step leaves the user failed with the reason, and the next run finishes the work
/// without doing any of it twice.
#[test]
fn a_failure_at_any_step_can_be_started_again() -> Result<()> {
    on_stage(async |stage| {
        let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
        for (activity, fault) in [
            ("sendWelcomePackage", fault),
            ("sendNotification", fault),
            ("updateUserStatus", fault.after(1)),
            ("sendEmail", fault),
        ] {
            let person = Person::stranger(stage);
            stage.faults.set(&id(&person), activity, fault);
            let process = onboard(stage, &person).await?;
            stage
                .failure(&process, ErrorCode::ExternalServiceError)
                .await?;
            let (status, reason) = stage.shop.user_status(&person.id).await?;
            assert_eq!(status, "onboarding_failed", "{activity}");
            assert!(
                reason.is_some_and(|reason| reason.contains("injected")),
                "{activity}"
            );
            assert_eq!(process.query("getStatus").await?["status"], "failed");
            let again = onboard(stage, &person).await?;
            stage.result(&again).await?;
            is_onboarded(stage, &person).await?;
        }
        Ok(())
    })
}

#[test]
fn a_welcome_package_that_cannot_be_delivered_fails_the_onboarding() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL);
        let process = onboard(stage, &person).await?;
        stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert_eq!(
            stage.shop.user_status(&person.id).await?.0,
            "onboarding_failed"
        );
        Ok(())
    })
}

#[test]
fn the_status_is_marked_failed_even_if_the_database_is_down_for_a_while() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        stage.platform.inbox.set_fault(&person.email, REFUSE_MAIL);
        let down = ActivityFault::times(ErrorCode::DatabaseError, 8).after(1);
        stage.faults.set(&id(&person), "updateUserStatus", down);
        let process = onboard(stage, &person).await?;
        stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert_eq!(
            stage.shop.user_status(&person.id).await?.0,
            "onboarding_failed"
        );
        Ok(())
    })
}

#[test]
fn cancelled_through_temporal_it_stops_before_the_next_step() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let process = held_at_the_welcome_package(stage, &person).await?;
        process.cancel().await?;
        stage.platform.inbox.release(&person.email);
        stage.cancelled(&process).await?;
        let (status, reason) = stage.shop.user_status(&person.id).await?;
        assert_eq!(status, "onboarding_failed");
        assert!(reason.is_some_and(|reason| reason.contains("cancelled")));
        assert_eq!(stage.subjects(&person), MAILS[..1]);
        assert!(stage.in_app(&person).await?.is_empty());
        Ok(())
    })
}

#[test]
fn someone_who_is_suspended_meanwhile_stays_suspended() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let process = held_at_the_welcome_package(stage, &person).await?;
        stage.move_user(&person, "suspended").await?;
        stage.platform.inbox.release(&person.email);
        stage.failure(&process, ErrorCode::ValidationError).await?;
        assert_eq!(stage.shop.user_status(&person.id).await?.0, "suspended");
        assert_eq!(stage.subjects(&person), MAILS[..1]);
        Ok(())
    })
}

#[test]
fn queries_tell_how_far_it_is() -> Result<()> {
    on_stage(async |stage| {
        let person = Person::stranger(stage);
        let process = held_at_the_welcome_package(stage, &person).await?;
        let status = process.query("getStatus").await?;
        let expected = json!({ "status": "in_progress", "step": "sending_welcome_package" });
        assert_eq!(status, expected);
        let details = process.query("getDetails").await?;
        assert_eq!(details["userStatus"], "onboarding");
        assert_eq!(details["userId"], json!(person.id));
        stage.platform.inbox.release(&person.email);
        stage.result(&process).await?;
        let progress = process.query("getProgress").await?;
        let all = json!({ "completed": 5, "total": 5, "percent": 100, "message": "done" });
        assert_eq!(progress, all);
        Ok(())
    })
}
