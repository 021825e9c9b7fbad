//! Any history of a listing: whatever is tried, in whatever order, the trail is whole, and tells how
//! the listing came to stand as it does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use anyhow::{Context, Result, bail, ensure};
use partner_listing::model::{Decision, ListingStatus};
use partner_listing::repository::AuditEntry;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::answers::{Answer, constraint, failure};
use crate::support::{World, edited};

/// How many histories there are.
const HISTORIES: u32 = 48;

/// Something that somebody tries.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(u32),
    Become(ListingStatus),
    Decide(Decision, Option<i32>),
    /// Publishes what was submitted last, or this edit whatever was.
    Publish(Option<u32>),
    Remove,
    Renew(u32),
    Expire(Option<u32>),
    Escalate,
    /// Another service writes a status.
    Write(ListingStatus),
}

fn step() -> impl Strategy<Value = Step> {
    let edit = || 1..4_u32;
    let day = || 1..29_u32;
    let status = || select(ListingStatus::ALL);
    let decision = select(vec![Decision::Approve, Decision::Approve, Decision::Reject]);
    prop_oneof![
        3 => edit().prop_map(Step::Submit),
        6 => Just(Step::Become(ListingStatus::PendingReview)),
        1 => status().prop_map(Step::Become),
        6 => (decision, option::weighted(0.2, 1..4_i32))
            .prop_map(|(decision, version)| Step::Decide(decision, version)),
        6 => option::weighted(0.2, edit()).prop_map(Step::Publish),
        3 => Just(Step::Remove),
        4 => day().prop_map(Step::Renew),
        1 => option::of(day()).prop_map(Step::Expire),
        2 => Just(Step::Escalate),
        1 => status().prop_map(Step::Write),
    ]
}

/// What was tried may be refused, but only by a rule of the domain.
fn tried<T: Debug>(answer: Answer<T>) -> Result<()> {
    if answer.is_ok() {
        return Ok(());
    }
    let failure = failure(answer)?;
    ensure!(failure.code == "VALIDATION_ERROR", "{failure:?}");
    Ok(())
}

async fn attempt(world: &World, step: Step) -> Result<()> {
    let offer = |edit| json!({"propertyData": edited(&format!("Edit number {edit}"))});
    let date = |day| json!({"expirationDate": format!("2027-03-{day:02}T12:00:00Z")});
    match step {
        Step::Submit(edit) => tried(world.submit(offer(edit)).await),
        Step::Become(status) => tried(world.update(json!({"status": status})).await),
        Step::Decide(decision, version) => {
            let version = json!({"listingVersion": version});
            tried(world.decide(decision, version).await)
        }
        Step::Publish(Some(edit)) => tried(world.publish(offer(edit)).await),
        Step::Publish(None) => {
            let latest = latest(world).await?;
            tried(world.publish(json!({"propertyData": latest})).await)
        }
        Step::Remove => tried(world.remove(json!({})).await),
        Step::Renew(day) => tried(world.renew(date(day)).await),
        Step::Expire(day) => {
            let date = day.map_or_else(|| json!({}), date);
            tried(world.expire(date).await)
        }
        Step::Escalate => {
            let urgent = json!({"urgent": true, "listingVersion": null});
            tried(world.notify(urgent).await)
        }
        Step::Write(status) => write(world, status).await,
    }
}

/// What was submitted last; null if nothing was.
async fn latest(world: &World) -> Result<Value> {
    world
        .find(
            "SELECT jsonb_agg(data ORDER BY version DESC) -> 0
             FROM listing_versions WHERE listing_id = $1",
        )
        .await
}

async fn write(world: &World, status: ListingStatus) -> Result<()> {
    let written = sqlx::query("UPDATE listings SET status = $2 WHERE id = $1")
        .bind(&world.id)
        .bind(status.as_str())
        .execute(&world.pool)
        .await;
    if written.is_ok() {
        return Ok(());
    }
    match constraint(written)?.as_str() {
        "listings_status_step" | "listings_decided" => Ok(()),
        other => bail!("refused by {other}"),
    }
}

/// How a listing stands.
#[derive(Debug, Default, PartialEq)]
struct Standing {
    status: Value,
    version: Value,
    live_version: Value,
    decisions: usize,
}

/// How a listing must stand after all that.
fn follow(entries: &[AuditEntry]) -> Result<Standing> {
    let mut standing = Standing::default();
    for (place, entry) in (1..).zip(entries) {
        ensure!(entry.sequence == place, "a gap before {entry:?}");
        let details = &entry.details;
        match entry.action.as_str() {
            "created" => {
                standing.status = details["status"].clone();
                standing.version = json!(entry.version);
            }
            "version_submitted" => standing.version = json!(entry.version),
            "status_changed" => {
                ensure!(
                    details["from"] == standing.status,
                    "{entry:?}: {standing:?}"
                );
                standing.status = details["to"].clone();
            }
            "published" => standing.live_version = json!(entry.version),
            "taken_down" => standing.live_version = Value::Null,
            "decided" => standing.decisions += 1,
            "expiration_changed" | "escalated" => {}
            other => bail!("{other} is not known"),
        }
    }
    Ok(standing)
}

/// How it does stand.
async fn look(world: &World) -> Result<Standing> {
    let row = world.listing().await?;
    Ok(Standing {
        status: row["status"].clone(),
        version: row["version"].clone(),
        live_version: row["live_version"].clone(),
        decisions: world.decisions().await?.len(),
    })
}

/// Lets all that happen to the listing, and looks at what is left of it; tells what happened.
async fn live_through(world: &World, steps: &[Step]) -> Result<Vec<AuditEntry>> {
    for &step in [Step::Submit(1)].iter().chain(steps) {
        attempt(world, step).await.context(format!("{step:?}"))?;
    }
    let broken = world.audit.first_broken(&world.id).await?;
    ensure!(broken.is_none(), "broken at {broken:?}");
    let entries = world.audit.list(&world.id).await?;
    let (told, found) = (follow(&entries)?, look(world).await?);
    ensure!(
        told == found,
        "the trail tells {told:?}, and it is {found:?}"
    );
    let is_shown = world.index.document(&world.id).is_some();
    ensure!(
        is_shown != found.live_version.is_null(),
        "{found:?}: {is_shown}"
    );
    Ok(entries)
}

#[test]
fn the_trail_of_any_history_is_whole_and_tells_how_the_listing_stands() -> Result<()> {
    let runtime = Runtime::new()?;
    let start = runtime.block_on(World::start())?;
    let happened = RefCell::new(BTreeMap::<String, usize>::new());
    let mut runner = TestRunner::new(Config {
        cases: HISTORIES,
        failure_persistence: None,
        ..Config::default()
    });
    runner.run(&vec(step(), 1..60), |steps| {
        let entries = runtime
            .block_on(live_through(&start.beside(), &steps))
            .map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        let mut happened = happened.borrow_mut();
        for entry in entries {
            *happened.entry(entry.action).or_default() += 1;
        }
        Ok(())
    })?;
    // Or this says little.
    let happened = happened.into_inner();
    assert_eq!(happened.len(), 8, "{happened:?}");
    Ok(())
}
