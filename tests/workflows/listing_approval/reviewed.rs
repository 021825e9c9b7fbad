//! A review that goes well, whatever it comes to.

use anyhow::Result;
use partner_core::cost;
use partner_tests::history;
use partner_tests::listings::{REVIEWERS, Shown, TITLE, decide, poor_property, property};
use partner_tests::stage::{on_stage, payload};
use serde_json::{Value, json};

#[test]
fn goes_live_when_a_reviewer_approves() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("pending_review", 1, &[])
        );
        let mut decision = decide("approve", "ana");
        decision["comment"] = json!("Lovely.");
        let recorded = stage.update(&process, "decide", &decision).await?;
        assert_eq!(recorded["decision"], "approve");
        assert_eq!(recorded["provenance"], "human");
        assert_eq!(recorded["reviewer"], "ana");
        assert_eq!(recorded["listingVersion"], 1);
        assert_eq!(
            stage.result(&process).await?,
            json!({
                "success": true,
                "listingId": listing.id,
                "status": "approved",
                "reviewComment": "Lovely.",
            })
        );
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human ana"])
        );
        let mail = &stage.platform.inbox.mails_to(&listing.owner.email)[0];
        assert_eq!(
            mail.subject.as_deref(),
            Some("Your listing \"Flat by the lake\" is approved")
        );
        assert!(mail.text.as_deref().unwrap_or_default().contains("Lovely."));
        assert_eq!(stage.in_app(&listing.owner).await?, ["listing_approved"]);
        Ok(())
    })
}

#[test]
fn stays_hidden_when_a_reviewer_rejects() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &poor_property(TITLE)).await?;
        stage
            .update(&process, "decide", &decide("reject", "ben"))
            .await?;
        let result = stage.result(&process).await?;
        assert_eq!(
            (&result["success"], &result["status"]),
            (&json!(false), &json!("rejected"))
        );
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("rejected", 1, &["1 reject human ben"])
        );
        assert_eq!(stage.in_app(&listing.owner).await?, ["listing_rejected"]);
        Ok(())
    })
}

#[test]
fn tells_every_reviewer_once() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        stage.approved(&listing).await?;
        for reviewer in REVIEWERS {
            assert_eq!(
                stage.asked(reviewer, &listing).await?,
                ["listing_review_requested"]
            );
        }
        Ok(())
    })
}

/// All of them at once, and without an exception: the contract's result says it.
#[test]
fn broken_rules_end_it_without_a_review() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let mut property = property("Too short");
        property["price"] = json!(0);
        property["images"] = json!([]);
        property["location"] = json!({ "address": "Seestrasse 1" });
        let process = stage.submit(&listing, &property).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["success"], false);
        assert_eq!(result["status"], "validation_failed");
        let errors = result["errors"].as_array().map_or(0, Vec::len);
        assert_eq!(errors, 5, "{result}");
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::hidden("validation_failed", 1, &[])
        );
        let mail = &stage.platform.inbox.mails_to(&listing.owner.email)[0];
        let text = mail.text.as_deref().unwrap_or_default();
        for field in [
            "title:",
            "price:",
            "images:",
            "location.city:",
            "location.state:",
        ] {
            assert!(text.contains(field), "{field} in {text}");
        }
        assert!(stage.asked(REVIEWERS[0], &listing).await?.is_empty());
        Ok(())
    })
}

/// With an expiration date, which costs most.
#[test]
fn costs_at_most_38_events_and_9_billable_actions_when_a_person_approves() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let mut input = listing.input(&property(TITLE));
        input["expirationDate"] = json!("2090-01-01T00:00:00Z");
        let id = listing.approval_id();
        let process = stage
            .start_raw(
                "listingApprovalWorkflow",
                &id,
                vec![payload(&input)],
                |_| {},
            )
            .await?;
        // Not by queries: one that comes in the middle of a task makes the server split it.
        stage.asked_to_review(&listing).await?;
        stage
            .update(&process, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&process).await?;
        let events = process.history().await?;
        let cost = cost::of_history(&events);
        let types = history::types(&events);
        assert!(cost.events <= 38 && cost.actions <= 9, "{cost:?} {types:?}");
        let expiration = stage.client.process(&listing.expiration_id());
        stage.reached(&expiration, "waiting").await?;
        let details = expiration.query("getDetails").await?;
        assert_eq!(details["expirationDate"], "2090-01-01T00:00:00Z");
        expiration.cancel().await?;
        stage.cancelled(&expiration).await
    })
}

#[test]
fn the_trail_has_every_step_and_its_hash_is_in_the_history() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.approved(&listing).await?;
        assert_eq!(
            stage.audit(&listing).await?,
            [
                "created",
                "version_submitted",
                "status_changed",
                "decided",
                "status_changed",
                "published",
            ]
        );
        let actors: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT actor FROM listing_audit WHERE listing_id = $1")
                .bind(&listing.id)
                .fetch_all(stage.shop.pool())
                .await?;
        assert_eq!(actors, [listing.approval_id()]);
        let then: String = sqlx::query_scalar(
            "SELECT encode(hash, 'hex') FROM listing_audit WHERE listing_id = $1 AND sequence = 5",
        )
        .bind(&listing.id)
        .fetch_one(stage.shop.pool())
        .await?;
        let details = process.query("getDetails").await?;
        assert_eq!(details["auditHash"], Value::String(then));
        Ok(())
    })
}
