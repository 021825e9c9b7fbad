//! `approveListing`, `rejectListing`, and the statuses that are decisions: one a version, whoever
//! races for it.

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use partner_listing::model::{Decision, ListingStatus, Provenance};
use serde_json::{Value, json};

use crate::answers::{done, failure, refused};
use crate::support::{LISTING, WORKFLOW, World, edited, property, with};

use Decision::{Approve, Reject};

/// What is on record of the only decision that there is.
async fn the_decision(world: &World) -> Result<Value> {
    let mut decisions = world.decisions().await?;
    ensure!(decisions.len() == 1, "not one decision: {decisions:?}");
    decisions.pop().context("no decision")
}

#[tokio::test]
async fn a_decision_is_kept_as_it_was_taken() -> Result<()> {
    let world = World::start().await?;
    for (decision, status) in [(Approve, "approved"), (Reject, "rejected")] {
        let world = world.beside().under_review().await?;
        let given = json!({
            "reviewComment": "As seen",
            "listingVersion": 1,
            "reviewer": "rita",
            "score": 0.85,
            "decidedAt": "2027-03-01T12:00:00.000001Z",
        });
        let result = done(world.decide(decision, given).await)?;
        assert!(result.success);
        assert_eq!(result.listing_id, world.id);
        assert_eq!(
            serde_json::to_value(&result.decision)?,
            json!({
                "decision": decision,
                "provenance": "human",
                "reviewer": "rita",
                "comment": "As seen",
                "listingVersion": 1,
                "score": 0.85,
                "decidedAt": "2027-03-01T12:00:00.000001Z",
            })
        );
        let kept = the_decision(&world).await?;
        assert_eq!(kept["workflow_id"], WORKFLOW);
        assert_eq!(kept["score"], 85);
        let listing = world.listing().await?;
        assert_eq!(listing["status"], status);
        assert_eq!(listing["review_comment"], "As seen");
    }
    Ok(())
}

#[tokio::test]
async fn a_decision_without_details_is_that_of_a_person_now() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let result = done(world.decide(Approve, json!({"reviewComment": null})).await)?;
    let decision = result.decision;
    assert_eq!(
        (
            decision.provenance,
            decision.listing_version,
            decision.score
        ),
        (Provenance::Human, 1, None)
    );
    assert!(decision.reviewer.is_empty() && decision.comment.is_empty());
    let is_now = world
        .find(
            "SELECT to_jsonb(decided_at BETWEEN now() - interval '1 hour' AND now())
             FROM review_decisions
             WHERE listing_id = $1",
        )
        .await?;
    assert_eq!(is_now, true);
    Ok(())
}

#[tokio::test]
async fn one_of_many_decisions_wins_and_the_others_learn_who_took_it() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let race = (0..20).map(|number| {
        let decision = if number % 2 == 0 { Approve } else { Reject };
        let reviewer = format!("reviewer-{number}");
        let world = &world;
        async move {
            let input = json!({"reviewer": reviewer, "listingVersion": 1});
            (decision, world.decide(decision, input).await)
        }
    });
    let answers = join_all(race).await;

    let kept = the_decision(&world).await?;
    let winner = kept["reviewer"].as_str().context("nobody")?;
    let status = world.column("status").await?;
    for (decision, answer) in answers {
        if kept["decision"] == decision.as_str() {
            let decided = done(answer)?.decision;
            assert_eq!(decided.reviewer, winner);
            assert_eq!(status, decision.status().as_str());
        } else {
            let error = refused(answer)?;
            let says = format!(
                "version 1 of listing {LISTING} was {} by {winner} already",
                status.as_str().context("no status")?
            );
            assert_eq!(error, says);
        }
    }
    assert_eq!(world.times("decided").await?, 1);
    Ok(())
}

#[tokio::test]
async fn the_same_decision_again_is_the_one_that_stands() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let first = json!({"reviewer": "rita", "reviewComment": "Nice", "score": 0.9});
    let first = done(world.decide(Approve, first).await)?;
    let before = world.everything().await?;
    for again in [
        json!({}),
        json!({"listingVersion": 1}),
        json!({"reviewer": "ben", "reviewComment": "Fine", "decidedAt": "2027-03-01T12:00:00Z"}),
        json!({"provenance": "rule", "score": 0.8}),
    ] {
        assert_eq!(
            done(world.decide(Approve, again.clone()).await)?,
            first,
            "{again}"
        );
        assert_eq!(world.everything().await?, before, "{again}");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_is_late_learns_what_the_decision_rests_on() -> Result<()> {
    let world = World::start().await?;
    for (decision, given, late, says) in [
        (
            Approve,
            json!({"reviewer": "rita"}),
            Reject,
            "approved by rita",
        ),
        (
            Reject,
            json!({}),
            Approve,
            "rejected by a reviewer who was not named",
        ),
        (
            Approve,
            json!({"provenance": "rule"}),
            Reject,
            "approved by its score, when nobody had decided in time",
        ),
        (
            Reject,
            json!({"provenance": "timeout"}),
            Approve,
            "rejected because nobody had decided in time",
        ),
    ] {
        let world = world.beside().under_review().await?;
        done(world.decide(decision, given).await)?;
        let before = world.everything().await?;
        let error = refused(world.decide(late, json!({"reviewer": "ben"})).await)?;
        assert_eq!(
            error,
            format!("version 1 of listing {} was {says} already", world.id)
        );
        assert_eq!(world.everything().await?, before);
    }
    Ok(())
}

#[tokio::test]
async fn a_decision_about_another_version_than_the_latest_is_refused() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    done(
        world
            .submit(json!({"propertyData": edited("Flat by the sea")}))
            .await,
    )?;
    let before = world.everything().await?;
    for given in [1, 3, 0, -1] {
        for decision in [Approve, Reject] {
            let error = refused(
                world
                    .decide(decision, json!({"listingVersion": given}))
                    .await,
            )?;
            assert_eq!(
                error,
                format!("listing {LISTING} has version 2 now, not {given}: look at it again")
            );
        }
    }
    assert_eq!(world.everything().await?, before);
    let latest = done(world.decide(Approve, json!({"listingVersion": 2})).await)?;
    assert_eq!(latest.decision.listing_version, 2);
    Ok(())
}

#[tokio::test]
async fn a_listing_without_any_version_cannot_be_decided() -> Result<()> {
    let world = World::start().await?;
    world
        .run("INSERT INTO listings (id, user_id, status) VALUES ($1, 'ana', 'pending_review')")
        .await?;
    for version in [json!({}), json!({"listingVersion": 0})] {
        for decision in [Approve, Reject] {
            let error = refused(world.decide(decision, version.clone()).await)?;
            assert!(error.contains("submit it first"), "{error}");
        }
    }
    assert_eq!(world.column("status").await?, "pending_review");
    Ok(())
}

#[tokio::test]
async fn a_listing_that_is_not_under_review_cannot_be_decided() -> Result<()> {
    let world = World::start().await?;
    for status in [ListingStatus::Draft, ListingStatus::ValidationFailed] {
        let world = world.beside().under_review().await?;
        world.become_status(status).await?;
        let before = world.everything().await?;
        for decision in [Approve, Reject] {
            let error = refused(world.decide(decision, json!({})).await)?;
            let says = format!("is {status}, it cannot become {}", decision.status());
            assert!(error.contains(&says), "{error}");
        }
        assert_eq!(world.everything().await?, before);
    }
    Ok(())
}

#[tokio::test]
async fn an_approval_does_not_bring_back_what_was_taken_down_since() -> Result<()> {
    let world = World::start().await?;
    for status in [
        ListingStatus::Expired,
        ListingStatus::Draft,
        ListingStatus::ValidationFailed,
    ] {
        let world = world.beside().approved().await?;
        world.become_status(status).await?;
        let before = world.everything().await?;
        let error = refused(world.decide(Approve, json!({"listingVersion": 1})).await)?;
        assert!(error.contains("cannot become approved"), "{error}");
        assert_eq!(world.everything().await?, before);
    }
    Ok(())
}

#[tokio::test]
async fn what_could_not_be_published_is_approved_by_its_own_decision() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let first = done(world.decide(Approve, json!({"reviewer": "rita"})).await)?;
    world.become_status(ListingStatus::Error).await?;
    let again = done(world.decide(Approve, json!({"listingVersion": 1})).await)?;
    assert_eq!(again.decision, first.decision);
    assert_eq!(world.column("status").await?, "approved");
    assert_eq!(world.times("decided").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_status_that_decides_is_the_decision_of_a_person() -> Result<()> {
    let world = World::start().await?;
    for (status, decision) in [("approved", "approve"), ("rejected", "reject")] {
        for (comment, kept) in [
            (
                json!({"reviewComment": "As\0 seen", "reason": "whatever"}),
                "As seen",
            ),
            (json!({"reason": "No\0 pictures"}), "No pictures"),
            (json!({"errorMessage": "late"}), "late"),
            (json!({}), ""),
        ] {
            let world = world.beside().under_review().await?;
            let update = json!({"status": status, "autoCheckScore": 0.85});
            let update = with(update, comment);
            let first = done(world.update(update.clone()).await)?;
            assert_eq!(first.status.as_str(), status);
            let before = world.everything().await?;
            assert_eq!(done(world.update(update).await)?, first);
            assert_eq!(world.everything().await?, before);

            let decided = the_decision(&world).await?;
            assert_eq!(
                json!([
                    decided["decision"],
                    decided["provenance"],
                    decided["comment"]
                ]),
                json!([decision, "human", kept])
            );
            assert_eq!(
                (&decided["score"], &decided["version"]),
                (&json!(85), &json!(1))
            );
            let listing = world.listing().await?;
            assert_eq!(listing["status"], status);
            assert_eq!(listing["review_comment"], kept);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_decision_clears_the_reason_of_what_was_before() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let review = json!({"status": "pending_review", "reason": "edited"});
    done(world.update(review).await)?;
    done(world.decide(Reject, json!({})).await)?;
    assert_eq!(world.column("status_reason").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_rule_only_approves_and_a_timeout_only_rejects() -> Result<()> {
    let world = World::start().await?;
    for (decision, provenance, stands) in [
        (Approve, Provenance::Rule, true),
        (Reject, Provenance::Timeout, true),
        (Reject, Provenance::Rule, false),
        (Approve, Provenance::Timeout, false),
    ] {
        let world = world.beside().under_review().await?;
        let before = world.everything().await?;
        let answer = world
            .decide(decision, json!({"provenance": provenance}))
            .await;
        if stands {
            assert_eq!(done(answer)?.decision.provenance, provenance);
        } else {
            assert!(!failure(answer)?.retryable, "{decision} by {provenance}");
            assert_eq!(world.everything().await?, before);
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_no_text_holds_is_taken_out_of_what_people_say() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let given = json!({"reviewer": "ri\0ta", "reviewComment": "\0As seen\0"});
    let decision = done(world.decide(Approve, given).await)?.decision;
    assert_eq!(
        (decision.reviewer.as_str(), decision.comment.as_str()),
        ("rita", "As seen")
    );
    assert_eq!(world.column("review_comment").await?, "As seen");
    Ok(())
}

#[tokio::test]
async fn an_edit_is_decided_anew_and_both_decisions_are_kept() -> Result<()> {
    let world = World::start().await?.approved().await?;
    let edit = json!({"propertyData": edited("Flat by the sea")});
    done(world.submit(edit).await)?;
    world.become_status(ListingStatus::PendingReview).await?;
    done(world.decide(Reject, json!({})).await)?;
    let decisions = world.decisions().await?;
    let kept: Vec<_> = decisions
        .iter()
        .map(|decided| json!([decided["version"], decided["decision"]]))
        .collect();
    assert_eq!(kept, [json!([1, "approve"]), json!([2, "reject"])]);
    Ok(())
}

#[tokio::test]
async fn an_unknown_listing_and_input_of_another_shape_are_refused() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let before = world.everything().await?;
    for (says, changes) in [
        (
            "listing listing-2 does not exist",
            json!({"listingId": "listing-2"}),
        ),
        ("listingId", json!({"listingId": ""})),
        ("listingVersion", json!({"listingVersion": "1"})),
        ("listingVersion", json!({"listingVersion": 1.5})),
        ("provenance", json!({"provenance": "whim"})),
        ("reviewComment", json!({"reviewComment": 7})),
        ("score", json!({"score": 1.01})),
        ("decidedAt", json!({"decidedAt": "now"})),
        ("invalid type", json!(null)),
    ] {
        for decision in [Approve, Reject] {
            let error = refused(world.decide(decision, changes.clone()).await)?;
            assert!(error.contains(says), "{changes}: {error}");
        }
    }
    assert_eq!(world.everything().await?, before);
    assert_eq!(
        world.listings.version(LISTING, 1).await?,
        serde_json::from_value(property())?
    );
    Ok(())
}
