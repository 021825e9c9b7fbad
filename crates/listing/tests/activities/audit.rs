//! The audit trail: it has everything that happens, whoever does it, in one order.

use anyhow::{Context, Result};
use futures::future::join_all;
use partner_listing::model::{Decision, ListingStatus};
use partner_listing::repository::AuditEntry;
use serde_json::{Value, json};

use crate::answers::{constraint, done, refused};
use crate::support::{EXPIRATION, LISTING, WORKFLOW, World, edited};

/// What happened, to which version, by whom, and what else is known of it.
fn words(entries: &[AuditEntry]) -> Value {
    entries
        .iter()
        .map(|entry| json!([entry.action, entry.version, entry.actor, entry.details]))
        .collect()
}

/// Who somebody is who writes SQL.
async fn database_user(world: &World) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT session_user::text")
        .fetch_one(&world.pool)
        .await?)
}

#[tokio::test]
async fn everything_that_happens_is_on_record_with_the_workflow_that_did_it() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let review = json!({"status": "pending_review", "reason": "as usual"});
    done(world.update(review).await)?;
    done(world.notify(json!({"urgent": true})).await)?;
    let decision = json!({"reviewer": "rita", "reviewComment": "Nice", "score": 0.9});
    done(world.decide(Decision::Approve, decision).await)?;
    done(world.publish(json!({})).await)?;
    for day in ["2027-03-01", "2027-04-01"] {
        let date = json!({"expirationDate": format!("{day}T12:00:00Z")});
        done(world.renew(date).await)?;
    }
    done(world.expire(json!({})).await)?;
    done(world.remove(json!({})).await)?;
    let edit = json!({"propertyData": edited("Flat by the sea")});
    done(world.submit_by("another", edit).await)?;

    let (march, april) = ("2027-03-01T12:00:00+00:00", "2027-04-01T12:00:00+00:00");
    let entries = world.audit.list(LISTING).await?;
    assert_eq!(
        words(&entries),
        json!([
            ["created", 0, WORKFLOW, {"status": "draft", "userId": "ana"}],
            ["version_submitted", 1, WORKFLOW, {}],
            ["status_changed", 1, WORKFLOW,
             {"from": "draft", "to": "pending_review", "reason": "as usual"}],
            ["escalated", 1, WORKFLOW, {}],
            ["decided", 1, WORKFLOW,
             {"decision": "approve", "provenance": "human", "reviewer": "rita",
              "comment": "Nice", "score": 90}],
            ["status_changed", 1, WORKFLOW, {"from": "pending_review", "to": "approved"}],
            ["published", 1, WORKFLOW, {}],
            ["expiration_changed", 1, EXPIRATION, {"to": march}],
            ["expiration_changed", 1, EXPIRATION, {"from": march, "to": april}],
            ["status_changed", 1, EXPIRATION, {"from": "approved", "to": "expired"}],
            ["taken_down", 1, WORKFLOW, {}],
            ["version_submitted", 2, "another", {}],
        ])
    );
    assert_eq!(world.audit.first_broken(LISTING).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_foreign_writer_is_on_record_as_their_database_user() -> Result<()> {
    let world = World::start().await?;
    let user = database_user(&world).await?;
    let mut connection = world.pool.acquire().await?;
    // Who acted in an earlier transaction of the connection does not act in this.
    let mut transaction = sqlx::Connection::begin(&mut *connection).await?;
    sqlx::query("SELECT set_config('partner.actor', 'somebody', true)")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    for statement in [
        "INSERT INTO listings (id, user_id, expires_at)
         VALUES ('listing-1', 'ana', '2027-03-01T12:00:00Z')",
        "UPDATE listings SET status = 'pending_review', expires_at = NULL",
        "INSERT INTO listing_versions (listing_id, version, data) VALUES ('listing-1', 1, '{}')",
        "UPDATE listings SET version = 1, escalated_at = now()",
        "INSERT INTO review_decisions (listing_id, version, decision, provenance)
         VALUES ('listing-1', 1, 'approve', 'human')",
        "UPDATE listings SET status = 'approved', status_reason = 'nice', live_version = 1",
        "UPDATE listings SET live_version = NULL",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    drop(connection);

    let march = "2027-03-01T12:00:00+00:00";
    let entries = world.audit.list(LISTING).await?;
    assert_eq!(
        words(&entries),
        json!([
            ["created", 0, user, {"status": "draft", "userId": "ana", "expiresAt": march}],
            ["status_changed", 0, user, {"from": "draft", "to": "pending_review"}],
            ["expiration_changed", 0, user, {"from": march}],
            ["version_submitted", 1, user, {}],
            ["escalated", 1, user, {}],
            ["decided", 1, user,
             {"decision": "approve", "provenance": "human", "reviewer": "", "comment": ""}],
            ["status_changed", 1, user,
             {"from": "pending_review", "to": "approved", "reason": "nice"}],
            ["published", 1, user, {}],
            ["taken_down", 1, user, {}],
        ])
    );
    assert_eq!(world.audit.first_broken(LISTING).await?, None);
    Ok(())
}

#[tokio::test]
async fn what_changes_nothing_and_what_is_refused_leave_no_entry() -> Result<()> {
    let world = World::start().await?.live().await?;
    let before = world.audit.list(LISTING).await?;
    done(world.submit(json!({})).await)?;
    done(world.update(json!({"status": "approved"})).await)?;
    done(world.publish(json!({})).await)?;
    world
        .run("UPDATE listings SET status = status, version = version")
        .await?;
    refused(world.submit(json!({"userId": "eve"})).await)?;
    refused(world.decide(Decision::Reject, json!({})).await)?;
    let lost = sqlx::query("UPDATE listings SET status = 'rejected', expires_at = now()");
    constraint(lost.execute(&world.pool).await)?;
    assert_eq!(world.audit.list(LISTING).await?, before);
    assert_eq!(world.audit.first_broken(LISTING).await?, None);
    Ok(())
}

#[tokio::test]
async fn the_trail_has_no_gaps_whoever_writes_at_once() -> Result<()> {
    let world = World::start().await?.approved().await?;
    for number in 2..=9 {
        let offer = edited(&format!("Edit number {number}"));
        done(world.submit(json!({"propertyData": offer})).await)?;
    }
    let before = world.audit.list(LISTING).await?.len();
    for change in join_all((0..32).map(|number| change(&world, number))).await {
        change?;
    }

    let entries = world.audit.list(LISTING).await?;
    let sequence: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
    let last = i64::try_from(before + 32)?;
    assert_eq!(sequence, (1..=last).collect::<Vec<_>>());
    assert_eq!(world.audit.first_broken(LISTING).await?, None);
    let user = database_user(&world).await?;
    for (actor, entries_of) in [(WORKFLOW, 8), (EXPIRATION, 8), (user.as_str(), 16)] {
        let written = entries[before..]
            .iter()
            .filter(|entry| entry.actor == actor);
        assert_eq!(written.count(), entries_of, "{actor}");
    }
    Ok(())
}

/// One of 32 changes that leave an entry each: of two workflows, and of a foreign writer who locks
/// the listing's row, or does not.
async fn change(world: &World, number: i32) -> Result<()> {
    let date = format!("2027-03-01T12:{number:02}:00Z");
    match number % 4 {
        0 => done(world.renew(json!({"expirationDate": date})).await).map(drop),
        1 => {
            let offer = edited(&format!("Another edit, number {number}"));
            done(world.submit(json!({"propertyData": offer})).await).map(drop)
        }
        2 => {
            let update = sqlx::query("UPDATE listings SET expires_at = $1::text::timestamptz");
            update.bind(date).execute(&world.pool).await?;
            Ok(())
        }
        _ => {
            let decide = sqlx::query(
                "INSERT INTO review_decisions (listing_id, version, decision, provenance)
                 VALUES ('listing-1', $1, 'reject', 'human')",
            );
            let version = 2 + number / 4;
            decide.bind(version).execute(&world.pool).await?;
            Ok(())
        }
    }
}

#[tokio::test]
async fn the_hash_that_comes_with_a_decision_is_the_head_at_that_moment() -> Result<()> {
    let world = World::start().await?.under_review().await?;
    let answer = done(world.decide(Decision::Approve, json!({})).await)?;
    let head = answer.audit_hash.context("no hash")?;
    assert_eq!(world.audit.head(LISTING).await?.as_ref(), Some(&head));
    let last = world.audit.list(LISTING).await?.pop().context("no trail")?;
    assert_eq!(head, format!("{:x}", Hex(&last.hash)));

    // It stays in the trail as the trail goes on.
    done(world.publish(json!({})).await)?;
    let later = world.audit.head(LISTING).await?;
    assert_ne!(later.as_ref(), Some(&head));
    let entries = world.audit.list(LISTING).await?;
    assert!(entries.contains(&last));
    let again = done(world.decide(Decision::Approve, json!({})).await)?;
    assert_eq!(again.audit_hash, later);
    Ok(())
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[tokio::test]
async fn each_listing_has_a_trail_of_its_own() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    let other = json!({"listingId": "listing-2"});
    done(world.submit(other.clone()).await)?;
    world.become_status(ListingStatus::PendingReview).await?;
    let entries = world.audit.list("listing-2").await?;
    let sequence: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequence, [1, 2]);
    assert_ne!(
        world.audit.head(LISTING).await?,
        world.audit.head("listing-2").await?
    );
    Ok(())
}

#[tokio::test]
async fn of_an_unknown_listing_there_is_no_trail() -> Result<()> {
    let world = World::start().await?.submitted().await?;
    assert_eq!(world.audit.list("listing-2").await?, []);
    assert_eq!(world.audit.head("listing-2").await?, None);
    assert_eq!(world.audit.first_broken("listing-2").await?, None);
    Ok(())
}
