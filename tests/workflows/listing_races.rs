//! Approve, reject, decide, edit and the deadline, all at once, in an order that chance decides: one
//! decision for each version, none lost, none doubled, the index where the database says.

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use partner_core::client::{Process, Updated};
use partner_tests::listings::{Listing, REVIEWERS, decide, poor_property, property};
use partner_tests::stage::{Stage, on_stage};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// How many races there are, and how many run at once.
const RACES: u64 = 1_000;
const AT_ONCE: usize = 25;

/// What happens in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Approve,
    Reject,
    /// By the update, with the version that is there when it is sent, or without one.
    Decide {
        approve: bool,
        bound: bool,
    },
    Edit {
        breaks_rules: bool,
    },
    Deadline,
}

impl Event {
    fn any(random: &mut StdRng) -> Self {
        match random.random_range(0..10) {
            0 | 1 => Self::Approve,
            2 | 3 => Self::Reject,
            4..=6 => Self::Decide {
                approve: random.random(),
                bound: random.random(),
            },
            7 | 8 => Self::Edit {
                breaks_rules: random.random_ratio(1, 5),
            },
            _ => Self::Deadline,
        }
    }
}

/// Lets a race happen, and tells which decisions were confirmed to whoever made them.
async fn race(stage: &Stage, listing: &Listing, seed: u64) -> Result<Vec<Value>> {
    let mut random = StdRng::seed_from_u64(seed);
    let first = if random.random() {
        property("Flat by the lake")
    } else {
        poor_property("Flat by the lake")
    };
    let process = stage.submit(listing, &first).await?;
    let mut events: Vec<Event> = (0..random.random_range(2..6))
        .map(|_| Event::any(&mut random))
        .collect();
    // In the end somebody decides, or nobody does.
    events.push(Event::Deadline);
    events.shuffle(&mut random);
    let at_once = random.random_range(1..=events.len());
    let confirmed: Vec<Option<Value>> = stream::iter(events.iter().enumerate())
        .map(|(number, event)| happen(stage, &process, listing, *event, number))
        .buffer_unordered(at_once)
        .try_collect()
        .await
        .with_context(|| format!("seed {seed}: {events:?}"))?;
    settle(stage, listing)
        .await
        .with_context(|| format!("seed {seed}: {events:?}"))?;
    Ok(confirmed.into_iter().flatten().collect())
}

async fn happen(
    stage: &Stage,
    process: &Process,
    listing: &Listing,
    event: Event,
    number: usize,
) -> Result<Option<Value>> {
    match event {
        // A run that is over has nobody to signal.
        Event::Approve => drop(process.signal("approve", &Value::Null).await),
        Event::Reject => drop(process.signal("reject", &Value::Null).await),
        Event::Edit { breaks_rules } => {
            let title = if breaks_rules {
                "Short".to_owned()
            } else {
                format!("Flat number {number} by the lake")
            };
            drop(process.signal("listingUpdated", &property(&title)).await);
        }
        Event::Deadline => drop(stage.skip_time(process).await),
        Event::Decide { approve, bound } => {
            let mut decision = decide(
                if approve { "approve" } else { "reject" },
                &format!("reviewer {number}"),
            );
            if bound {
                let version: Option<i32> =
                    sqlx::query_scalar("SELECT version FROM listings WHERE id = $1")
                        .bind(&listing.id)
                        .fetch_optional(stage.shop.pool())
                        .await?;
                decision["listingVersion"] = json!(version);
            }
            if let Ok(Updated::Accepted(answer)) = process.update("decide", &decision, None).await {
                // Who is told that a decision counts is told of their own.
                let is_own = answer["reviewer"] == decision["reviewer"]
                    && answer["decision"] == decision["decision"];
                ensure!(is_own, "{decision} was answered with {answer}");
                return Ok(Some(answer));
            }
        }
    }
    Ok(None)
}

/// Waits until no run of the approval goes on any more: an edit after the decision has its own.
async fn settle(stage: &Stage, listing: &Listing) -> Result<()> {
    let last = stage.client.process(&listing.approval_id());
    // The next run, if there is one, has to be told that time may pass.
    drop(stage.skip_time(&last).await);
    stage.ended(&last).await?;
    Ok(())
}

/// What must hold however a race went.
async fn check(stage: &Stage, listing: &Listing, confirmed: &[Value]) -> Result<()> {
    // The trail verifies, and the index agrees with the database.
    let shown = stage.shown(listing).await?;
    let decided: Vec<(i32, String, String)> = sqlx::query_as(
        "SELECT version, decision, reviewer FROM review_decisions WHERE listing_id = $1 ORDER BY version",
    )
    .bind(&listing.id)
    .fetch_all(stage.shop.pool())
    .await?;
    let last = decided
        .iter()
        .find(|(version, ..)| *version == shown.version);
    let expected = match last {
        Some((_, decision, _)) if decision == "approve" => "approved",
        Some(_) => "rejected",
        None => "validation_failed",
    };
    ensure!(shown.status == expected, "{shown:?}, {decided:?}");
    ensure!(
        shown.found.is_some() == (expected == "approved"),
        "{shown:?}, {decided:?}"
    );
    // Whoever was told that their decision counts finds it on record, for that version.
    for answer in confirmed {
        let (version, decision, reviewer) = (
            answer["listingVersion"].as_i64(),
            answer["decision"].as_str(),
            answer["reviewer"].as_str(),
        );
        let stands = decided.iter().any(|row| {
            Some(i64::from(row.0)) == version
                && Some(row.1.as_str()) == decision
                && Some(row.2.as_str()) == reviewer
        });
        ensure!(stands, "{answer} is not in {decided:?}");
    }
    let audited: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM listing_audit WHERE listing_id = $1 AND action = 'decided'",
    )
    .bind(&listing.id)
    .fetch_one(stage.shop.pool())
    .await?;
    ensure!(
        audited == i64::try_from(decided.len())?,
        "{audited} in the trail, {decided:?}"
    );
    Ok(())
}

#[test]
fn of_a_thousand_races_each_ends_in_one_decision_a_version() -> Result<()> {
    on_stage(async |stage| {
        // Mails cost more time than the races; whether they come is for other tests.
        stage.listing().await?;
        for reviewer in REVIEWERS {
            stage
                .shop
                .set_preference(reviewer, "*", "email", false)
                .await?;
        }
        let raced: Vec<()> = stream::iter(0..RACES)
            .map(|seed| async move {
                let listing = stage.listing().await?;
                stage
                    .shop
                    .set_preference(&listing.owner.id, "*", "email", false)
                    .await?;
                let confirmed = race(stage, &listing, seed).await?;
                check(stage, &listing, &confirmed)
                    .await
                    .with_context(|| format!("seed {seed}"))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        assert_eq!(raced.len() as u64, RACES);
        Ok(())
    })
}
