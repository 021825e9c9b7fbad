//! Any history of a listing, delivered in any order and as often as it may happen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow, ensure};
use futures::future::join_all;
use partner_core::ports::search_index::{SearchDocument, SearchIndex, SearchIndexError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{text, titled};

/// How many histories are tried.
const CASES: u32 = 48;

/// What was done to a listing.
#[derive(Debug, Clone)]
struct History {
    /// By version: the first write has 1, the second 2, and so on.
    writes: BTreeMap<i64, Write>,
    /// The versions in the order in which they arrive, each at least once.
    deliveries: Vec<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Write {
    Publish,
    Remove,
}

fn histories() -> impl Strategy<Value = History> {
    let write = prop_oneof![Just(Write::Publish), Just(Write::Remove)];
    let writes = prop::collection::vec(write, 1..7)
        .prop_map(|writes| (1..).zip(writes).collect::<BTreeMap<i64, _>>());
    writes.prop_flat_map(|writes| {
        let versions: Vec<_> = writes.keys().copied().collect();
        let repeated = prop::sample::subsequence(versions.clone(), 0..=versions.len());
        repeated
            .prop_map(move |repeated| [versions.clone(), repeated].concat())
            .prop_shuffle()
            .prop_map(move |deliveries| History {
                writes: writes.clone(),
                deliveries,
            })
    })
}

pub(crate) async fn any_order_of_delivery_ends_in_the_newest_write(
    index: &dyn SearchIndex,
) -> Result<()> {
    for_any_history(|listing_id, history| async move {
        let mut newest_seen = 0;
        for &version in &history.deliveries {
            let outcome = deliver(index, &listing_id, &history, version).await;
            let superseded = matches!(&outcome, Err(error) if error.is_superseded());
            ensure!(
                superseded == (version < newest_seen) && (superseded || outcome.is_ok()),
                "version {version} after {newest_seen}: {outcome:?}"
            );
            newest_seen = newest_seen.max(version);
        }
        ends_in_the_newest(index, &listing_id, &history).await
    })
}

pub(crate) async fn writes_at_the_same_moment_end_in_the_newest(
    index: &dyn SearchIndex,
) -> Result<()> {
    for_any_history(|listing_id, history| async move {
        let deliveries = history.deliveries.iter();
        let outcomes =
            join_all(deliveries.map(|&version| deliver(index, &listing_id, &history, version)));
        for outcome in outcomes.await {
            let is_an_answer = match &outcome {
                Ok(()) => true,
                Err(error) => error.is_superseded(),
            };
            ensure!(is_an_answer, "{outcome:?}");
        }
        ends_in_the_newest(index, &listing_id, &history).await
    })
}

/// Runs a case for each history, on a listing of its own.
fn for_any_history<F: Future<Output = Result<()>>>(
    case: impl Fn(String, History) -> F,
) -> Result<()> {
    let listings = AtomicUsize::new(0);
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&histories(), |history| {
            let listing_id = format!("case{}", listings.fetch_add(1, Ordering::Relaxed));
            block_in_place(|| Handle::current().block_on(case(listing_id, history)))
                .map_err(|error| TestCaseError::fail(format!("{error:#}")))
        })
        .map_err(|failure| anyhow!("{failure}"))
}

fn published(listing_id: &str, version: i64) -> SearchDocument {
    let title = format!("{listing_id} revision{version}");
    titled(listing_id, version, &title)
}

async fn deliver(
    index: &dyn SearchIndex,
    listing_id: &str,
    history: &History,
    version: i64,
) -> Result<(), SearchIndexError> {
    match history.writes[&version] {
        Write::Publish => index.publish(&published(listing_id, version)).await,
        Write::Remove => index.remove(listing_id, version).await,
    }
}

/// The lookup and the searches agree with the write of the highest version.
async fn ends_in_the_newest(
    index: &dyn SearchIndex,
    listing_id: &str,
    history: &History,
) -> Result<()> {
    let newest = history.writes.last_key_value();
    let expected = newest.and_then(|(&version, write)| {
        (*write == Write::Publish).then(|| published(listing_id, version))
    });
    let looked_up = index.lookup(listing_id).await?;
    ensure!(looked_up == expected, "looked up {looked_up:?}");
    let hits = index.search(&text(listing_id)).await?.hits;
    ensure!(hits == Vec::from_iter(expected), "found {hits:?}");
    Ok(())
}
