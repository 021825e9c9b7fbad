//! Exactly one decision counts: the first, about the version that its reviewer saw.

use anyhow::Result;
use futures::future::join_all;
use partner_core::client::Updated;
use partner_tests::listings::{APPROVAL, Shown, TITLE, decide, property};
use partner_tests::stage::{on_stage, payload};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// What a signal may carry and nobody has to understand.
fn malformed() -> Vec<Vec<Payload>> {
    vec![
        Vec::new(),
        vec![payload(&Value::Null)],
        vec![payload(&json!({ "comment": "in an object" }))],
        vec![payload(&json!([1, 2]))],
        vec![payload(&json!(7))],
        vec![Payload {
            data: vec![9; 64],
            ..Payload::default()
        }],
        vec![Payload::default()],
    ]
}

#[test]
fn a_second_decision_is_refused_and_says_who_was_first() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        // Both are in the same task, or nearly: only one may win.
        let votes = ["approve", "reject"].map(|decision| {
            let process = &process;
            async move {
                process
                    .update("decide", &decide(decision, decision), None)
                    .await
            }
        });
        let answers = join_all(votes).await;
        let mut accepted = Vec::new();
        let mut refused = Vec::new();
        for answer in answers {
            match answer? {
                Updated::Accepted(answer) => accepted.push(answer),
                Updated::Rejected { message, .. } => refused.push(message),
            }
        }
        assert_eq!((accepted.len(), refused.len()), (1, 1), "{refused:?}");
        let winner = accepted[0]["reviewer"].as_str().unwrap_or_default();
        assert!(
            refused[0].contains(&format!("by {winner} already")),
            "{refused:?}"
        );
        let result = stage.result(&process).await?;
        let status = if winner == "approve" {
            "approved"
        } else {
            "rejected"
        };
        assert_eq!(result["status"], status);
        let decisions = [format!("1 {winner} human {winner}")];
        assert_eq!(stage.shown(&listing).await?.decisions, decisions);
        Ok(())
    })
}

#[test]
fn the_same_update_twice_is_one_decision() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        let id = Some("decision-1".to_owned());
        let decision = decide("approve", "ana");
        let first = process.update("decide", &decision, id.clone()).await?;
        let again = process.update("decide", &decision, id).await?;
        assert_eq!(first, again);
        stage.result(&process).await?;
        Ok(())
    })
}

#[test]
fn a_decision_about_an_older_version_is_refused() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        let edited = property("Flat by the river");
        process.signal("listingUpdated", &edited).await?;
        stage
            .details(&process, "has not the new version", |details| {
                details["version"] == 2
            })
            .await?;
        stage.reached(&process, "reviewing").await?;
        let mut decision = decide("approve", "ana");
        decision["listingVersion"] = json!(1);
        let refused = stage.refused_update(&process, "decide", &decision).await?;
        assert!(refused.contains("has version 2 now, not 1"), "{refused}");
        decision["listingVersion"] = json!(2);
        stage.update(&process, "decide", &decision).await?;
        stage.result(&process).await?;
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(2, "Flat by the river", &["2 approve human ana"])
        );
        Ok(())
    })
}

#[test]
fn a_decision_that_cannot_be_read_is_refused_and_names_the_field() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        for (decision, named) in [
            (Value::Null, "input is missing"),
            (json!({ "reviewer": "ana" }), "decision"),
            (
                json!({ "decision": "maybe", "reviewer": "ana" }),
                "decision",
            ),
            (json!({ "decision": "approve" }), "reviewer"),
            (
                json!({ "decision": "approve", "reviewer": " " }),
                "reviewer",
            ),
            (
                json!({ "decision": "approve", "reviewer": "a\nb" }),
                "reviewer",
            ),
            (
                json!({ "decision": "approve", "reviewer": "ana", "comment": "x".repeat(5_001) }),
                "comment",
            ),
            (
                json!({ "decision": "approve", "reviewer": "ana", "listingVersion": "1" }),
                "listingVersion",
            ),
        ] {
            let refused = stage.refused_update(&process, "decide", &decision).await?;
            assert!(
                refused.contains("VALIDATION_ERROR") && refused.contains(named),
                "{decision}: {refused}"
            );
        }
        // None of that is in history, and the review goes on.
        assert_eq!(process.query("getStatus").await?["step"], "reviewing");
        stage
            .update(&process, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&process).await?;
        Ok(())
    })
}

#[test]
fn a_signal_decides_with_any_payload() -> Result<()> {
    on_stage(async |stage| {
        for (signal, status) in [("approve", "approved"), ("reject", "rejected")] {
            for payloads in malformed() {
                let listing = stage.listing().await?;
                let process = stage.under_review(&listing, &property(TITLE)).await?;
                stage.signal_raw(&process, signal, payloads).await?;
                let result = stage.result(&process).await?;
                assert_eq!(result["status"], status);
                assert_eq!(result["reviewComment"], "");
            }
        }
        Ok(())
    })
}

#[test]
fn a_signals_comment_is_told_to_the_owner() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process
            .signal("reject", &json!("The pictures are dark."))
            .await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["reviewComment"], "The pictures are dark.");
        let mail = &stage.platform.inbox.mails_to(&listing.owner.email)[0];
        let text = mail.text.as_deref().unwrap_or_default();
        assert!(text.contains("The pictures are dark."), "{text}");
        Ok(())
    })
}

#[test]
fn a_signal_that_is_there_before_the_review_begins_counts() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage
            .client
            .start_with_signal(
                APPROVAL,
                &listing.approval_id(),
                &listing.input(&property(TITLE)),
                "approve",
                &json!("Seen."),
            )
            .await?;
        // The task queue of the client is the stage's own.
        let result = stage.result(&process).await?;
        assert_eq!(result["status"], "approved");
        assert_eq!(result["reviewComment"], "Seen.");
        assert_eq!(
            stage.shown(&listing).await?,
            Shown::live(1, TITLE, &["1 approve human"])
        );
        Ok(())
    })
}

#[test]
fn of_several_signals_the_first_counts() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        process.signal("reject", &json!("first")).await?;
        process.signal("approve", &json!("second")).await.ok();
        process.signal("reject", &json!("third")).await.ok();
        let result = stage.result(&process).await?;
        assert_eq!(result["status"], "rejected");
        assert_eq!(result["reviewComment"], "first");
        Ok(())
    })
}

#[test]
fn unknown_signals_never_stick_the_workflow() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &property(TITLE)).await?;
        for payloads in malformed() {
            stage.signal_raw(&process, "noSuchSignal", payloads).await?;
        }
        process.signal("approve", &Value::Null).await?;
        stage.result(&process).await?;
        Ok(())
    })
}
