//! `listingExpirationWorkflow`.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use partner_core::error::ErrorCode;
use partner_tests::branches::listing_expiration::{expire, input, wait_for};
use partner_tests::branches::send_notification::REFUSE_MAIL;
use partner_tests::faults::ActivityFault;
use partner_tests::history;
use partner_tests::listings::{EXPIRATION, Listing, Shown, TITLE};
use partner_tests::stage::{Stage, on_stage, payload};
use serde_json::{Value, json};

/// What was decided before each of these listings expires.
const DECIDED: &[&str] = &["1 approve human ana"];

/// In seconds.
const DAY: i64 = 24 * 3_600;

/// A listing that is live.
async fn live(stage: &Stage) -> Result<Listing> {
    let listing = stage.listing().await?;
    stage.approved(&listing).await?;
    Ok(listing)
}

async fn in_days(stage: &Stage, days: i64) -> Result<DateTime<Utc>> {
    Ok(stage.now().await? + TimeDelta::days(days))
}

/// What the owner was told since the approval, in the app.
async fn told(stage: &Stage, listing: &Listing) -> Result<Vec<String>> {
    let mut told = stage.in_app(&listing.owner).await?;
    told.remove(0);
    Ok(told)
}

#[test]
fn reminds_twice_and_expires_at_its_date() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let process = expire(stage, &listing, in_days(stage, 30).await?).await?;
        let expected = json!({
            "success": true,
            "listingId": listing.id,
            "status": "expired",
            "message": "Listing expired",
        });
        assert_eq!(stage.result(&process).await?, expected);
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("expired", 1, DECIDED)
        );
        let expected = ["listing_expiring", "listing_expiring", "listing_expired"];
        assert_eq!(told(stage, &listing).await?, expected);
        let subjects = stage.subjects(&listing.owner);
        assert_eq!(subjects.len(), 4, "{subjects:?}");
        let passed = history::seconds(&process.history().await?);
        assert!((30 * DAY..31 * DAY).contains(&passed), "{passed} s");
        Ok(())
    })
}

#[test]
fn costs_at_most_50_events_and_10_billable_actions_with_both_reminders() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let process = expire(stage, &listing, in_days(stage, 30).await?).await?;
        stage.result(&process).await?;
        let cost = process.cost().await?;
        assert!(cost.events <= 50 && cost.actions <= 10, "{cost:?}");
        Ok(())
    })
}

#[test]
fn reminders_that_are_past_are_skipped() -> Result<()> {
    on_stage(async |stage| {
        for (days, reminders) in [(5, 1), (0, 0), (-3, 0)] {
            let listing = live(stage).await?;
            let process = expire(stage, &listing, in_days(stage, days).await?).await?;
            stage.result(&process).await?;
            let mut expected = vec!["listing_expiring"; reminders];
            expected.push("listing_expired");
            assert_eq!(told(stage, &listing).await?, expected, "{days} days");
        }
        Ok(())
    })
}

#[test]
fn a_renewal_by_signal_is_followed_to_the_new_date() -> Result<()> {
    on_stage(async |stage| {
        for in_an_object in [false, true] {
            let listing = live(stage).await?;
            let process = wait_for(stage, &listing, in_days(stage, 30).await?).await?;
            let date = in_days(stage, 60).await?;
            let payload = if in_an_object {
                json!({ "expirationDate": date })
            } else {
                json!(date)
            };
            process.signal("renew", &payload).await?;
            let followed = |details: &Value| details["expirationDate"] == json!(date);
            let details = stage
                .details(&process, "has the old date", followed)
                .await?;
            assert_eq!(details["renewals"], 1);
            stage.skip_time(&process).await?;
            assert_eq!(stage.result(&process).await?["status"], "expired");
            let passed = history::seconds(&process.history().await?);
            assert!((60 * DAY..61 * DAY).contains(&passed), "{passed} s");
            let audit = stage.audit(&listing).await?;
            assert!(
                audit.contains(&"expiration_changed".to_owned()),
                "{audit:?}"
            );
        }
        Ok(())
    })
}

/// The owner renews in the listing service, which knows nothing of workflows.
#[test]
fn a_renewal_in_the_database_is_followed_when_it_is_seen() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let date = in_days(stage, 90).await?;
        sqlx::query("UPDATE listings SET expires_at = $2, renewed_at = now() WHERE id = $1")
            .bind(&listing.id)
            .bind(date)
            .execute(stage.shop.pool())
            .await?;
        let process = expire(stage, &listing, in_days(stage, 30).await?).await?;
        assert_eq!(stage.result(&process).await?["status"], "expired");
        let passed = history::seconds(&process.history().await?);
        assert!((90 * DAY..91 * DAY).contains(&passed), "{passed} s");
        // Nobody is reminded of a date that does not hold.
        let expected = ["listing_expiring", "listing_expiring", "listing_expired"];
        assert_eq!(told(stage, &listing).await?, expected);
        Ok(())
    })
}

#[test]
fn a_listing_that_does_not_expire_any_more_ends_as_renewed() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        sqlx::query("UPDATE listings SET expires_at = NULL, renewed_at = now() WHERE id = $1")
            .bind(&listing.id)
            .execute(stage.shop.pool())
            .await?;
        let process = expire(stage, &listing, in_days(stage, 30).await?).await?;
        let result = stage.result(&process).await?;
        assert_eq!(
            (&result["success"], &result["status"]),
            (&json!(true), &json!("renewed"))
        );
        assert_eq!(stage.shown(&listing).await?, Shown::live(1, TITLE, DECIDED));
        assert!(told(stage, &listing).await?.is_empty());
        Ok(())
    })
}

#[test]
fn a_listing_that_is_not_shown_at_its_date_stays_as_it_is() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        sqlx::query("UPDATE listings SET status = 'draft' WHERE id = $1")
            .bind(&listing.id)
            .execute(stage.shop.pool())
            .await?;
        let process = expire(stage, &listing, in_days(stage, 30).await?).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["success"], false);
        assert_eq!(
            result["message"],
            "Listing is draft: there is nothing to expire"
        );
        assert!(told(stage, &listing).await?.is_empty());
        Ok(())
    })
}

/// The date is that of the version which is found, also while another one is reviewed.
#[test]
fn a_listing_whose_edit_is_under_review_at_its_date_is_not_found_any_more() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let edited = partner_tests::listings::property("Flat by the river");
        let review = stage.under_review(&listing, &edited).await?;
        let process = expire(stage, &listing, in_days(stage, 2).await?).await?;
        assert_eq!(stage.result(&process).await?["success"], false);
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("pending_review", 2, DECIDED)
        );
        review.signal("approve", &Value::Null).await?;
        stage.result(&review).await?;
        assert_eq!(
            stage.shown(&listing).await?.found.as_deref(),
            Some("Flat by the river")
        );
        Ok(())
    })
}

#[test]
fn renewals_that_cannot_count_are_ignored_and_shown() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let process = wait_for(stage, &listing, in_days(stage, 30).await?).await?;
        let past = in_days(stage, -1).await?;
        for (payloads, reason) in [
            (vec![], "input is missing"),
            (vec![payload(&json!("soon"))], "expirationDate: expected"),
            (
                vec![payload(&json!({ "date": 7 }))],
                "expirationDate: expected",
            ),
            (vec![payload(&json!(past))], "has passed"),
        ] {
            stage.signal_raw(&process, "renew", payloads).await?;
            let ignored = |details: &Value| {
                let ignored = details["ignoredRenewal"].as_str().unwrap_or_default();
                ignored.contains(reason)
            };
            stage.details(&process, reason, ignored).await?;
        }
        assert_eq!(process.query("getDetails").await?["renewals"], 0);
        stage.skip_time(&process).await?;
        assert_eq!(stage.result(&process).await?["status"], "expired");
        Ok(())
    })
}

#[test]
fn many_renewals_go_on_in_a_new_run() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let process = wait_for(stage, &listing, in_days(stage, 30).await?).await?;
        let first = process.history().await?;
        for days in 31..=72 {
            let process = stage.client.process(&listing.expiration_id());
            let date = in_days(stage, days).await?;
            process.signal("renew", &json!(date)).await?;
            let followed = |details: &Value| details["expirationDate"] == json!(date);
            stage
                .details(&process, "has the old date", followed)
                .await?;
        }
        let last = stage.client.process(&listing.expiration_id());
        let events = last.history().await?;
        assert_ne!(
            events.first().map(|event| event.event_time),
            first.first().map(|event| event.event_time),
            "the same run"
        );
        assert!(events.len() < 100, "{}", events.len());
        last.cancel().await?;
        stage.cancelled(&last).await
    })
}

#[test]
fn cancelled_it_leaves_the_listing_as_it_is() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let process = wait_for(stage, &listing, in_days(stage, 30).await?).await?;
        process.cancel().await?;
        stage.cancelled(&process).await?;
        assert_eq!(stage.shown(&listing).await?, Shown::live(1, TITLE, DECIDED));
        assert!(told(stage, &listing).await?.is_empty());
        Ok(())
    })
}

#[test]
fn systems_that_are_down_are_waited_for() -> Result<()> {
    on_stage(async |stage| {
        for activity in ["getListingStatus", "expireListing", "removeFromSearchIndex"] {
            let listing = live(stage).await?;
            let down = ActivityFault::times(ErrorCode::DatabaseError, 8);
            stage.faults.set(&listing.expiration_id(), activity, down);
            let process = expire(stage, &listing, in_days(stage, 2).await?).await?;
            stage.result(&process).await?;
            assert_eq!(
                stage.shown(&listing).await?,
                Shown::hidden("expired", 1, DECIDED),
                "{activity}"
            );
        }
        Ok(())
    })
}

#[test]
fn answers_that_are_lost_do_not_tell_the_owner_twice() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let id = listing.expiration_id();
        for activity in [
            "sendExpirationReminder",
            "expireListing",
            "removeFromSearchIndex",
            "sendNotification",
        ] {
            stage
                .faults
                .set(&id, activity, ActivityFault::answer_lost());
        }
        let process = expire(stage, &listing, in_days(stage, 30).await?).await?;
        stage.result(&process).await?;
        let expected = ["listing_expiring", "listing_expiring", "listing_expired"];
        assert_eq!(told(stage, &listing).await?, expected);
        assert_eq!(stage.subjects(&listing.owner).len(), 4);
        Ok(())
    })
}

#[test]
fn an_owner_who_cannot_be_told_does_not_keep_the_listing_up() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let email = &listing.owner.email;
        stage.platform.inbox.set_fault(email, REFUSE_MAIL);
        let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
        let id = listing.expiration_id();
        stage
            .faults
            .set(&id, "sendExpirationReminder", fault.repeated(2));
        stage.faults.set(&id, "sendNotification", fault);
        let process = expire(stage, &listing, in_days(stage, 30).await?).await?;
        let result = stage.result(&process).await?;
        let message = result["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("the owner could not be reminded"),
            "{message}"
        );
        assert!(message.contains("the owner could not be told"), "{message}");
        assert_eq!(stage.shown(&listing).await?.status, "expired");
        Ok(())
    })
}

#[test]
fn bad_input_fails_at_once_and_names_the_field() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let stranger = stage.person().await?;
        for (field, value, named) in [
            ("listingId", json!(""), "listingId"),
            ("listingId", json!("no-such-listing"), "does not exist"),
            ("userId", json!(7), "userId"),
            ("userId", json!(stranger.id), "does not belong to"),
            ("expirationDate", json!("tomorrow"), "expirationDate"),
            ("expirationDate", Value::Null, "expirationDate"),
        ] {
            let mut input = input(&listing, in_days(stage, 30).await?);
            input[field] = value;
            let id = stage.unique("bad-expiration");
            let process = stage
                .start_raw(EXPIRATION, &id, vec![payload(&input)], |_| {})
                .await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.contains(named), "{field}: {message}");
        }
        Ok(())
    })
}

#[test]
fn queries_tell_how_far_it_is() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let process = wait_for(stage, &listing, in_days(stage, 30).await?).await?;
        assert_eq!(
            process.query("getStatus").await?,
            json!({ "status": "in_progress", "step": "waiting" })
        );
        let progress = process.query("getProgress").await?;
        assert_eq!(
            (&progress["completed"], &progress["total"]),
            (&json!(1), &json!(5))
        );
        stage.skip_time(&process).await?;
        stage.result(&process).await?;
        let details = process.query("getDetails").await?;
        assert_eq!(details["reminders"], 2);
        assert_eq!(process.query("getProgress").await?["percent"], 100);
        Ok(())
    })
}

/// An edit that is approved tells the expiration that runs of its date.
#[test]
fn an_approval_with_another_date_is_followed() -> Result<()> {
    on_stage(async |stage| {
        let listing = live(stage).await?;
        let process = wait_for(stage, &listing, in_days(stage, 30).await?).await?;
        let date = in_days(stage, 60).await?;
        let mut input = listing.input(&partner_tests::listings::property("Flat by the river"));
        input["expirationDate"] = json!(date);
        let id = listing.approval_id();
        let approval = stage
            .start_raw(
                "listingApprovalWorkflow",
                &id,
                vec![payload(&input)],
                |_| {},
            )
            .await?;
        approval.signal("approve", &Value::Null).await?;
        stage.result(&approval).await?;
        let followed = |details: &Value| details["expirationDate"] == json!(date);
        stage
            .details(&process, "has the old date", followed)
            .await?;
        process.cancel().await?;
        stage.cancelled(&process).await
    })
}
