//! `partner demo`: it proves what it claims, and leaves nothing, however it ends.

use futures::future::{join, join_all};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Answer, World};

/// The workflows, and how many rows each has; fewer would mean that some story is not told any more.
const FEWEST_ROWS: [(&str, usize); 10] = [
    ("payments", 15),
    ("notifications", 8),
    ("onboardings", 6),
    ("subscriptions", 9),
    ("approvals", 8),
    ("expirations", 4),
    ("reports", 6),
    ("cleanups", 6),
    ("reminders", 5),
    ("sweeps", 4),
];

fn expect_all_held(answer: &Answer) {
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let document = answer.document();
    assert_eq!(document["ok"], true, "{document}");
    for (workflow, fewest) in FEWEST_ROWS {
        let rows = document[workflow].as_array().expect(workflow);
        assert!(rows.len() >= fewest, "{workflow}: {document}");
        for row in rows {
            assert_eq!(row["problems"], Value::Array(Vec::new()), "{row}");
            for count in ["events", "billableActions"] {
                assert!(row[count].as_u64() > Some(0), "{count}: {row}");
            }
        }
    }
    assert_eq!(document["sums"]["moneyBalances"], true, "{document}");
    assert_eq!(document["sums"]["stockBalances"], true, "{document}");
}

#[tokio::test]
async fn two_demos_at_once_both_succeed_and_leave_nothing() {
    let (one, two) = (World::new(), World::new());
    let (json, text) = join(one.run(["demo", "--json"]), two.run(["demo"])).await;
    expect_all_held(&json);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.stdout.contains("Every expectation held."), "{text:?}");
    for world in [one, two] {
        world.is_left_clean(&[].into()).await;
    }
}

/// Ends a demo with a signal when it says this, and checks what is left.
async fn ends(moment: &str, signal: Signal) {
    let world = World::new();
    let mut demo = world.start(["demo", "--json"]);
    demo.says(moment).await;
    let family = demo.family();
    assert!(family.len() > 1, "it has started something: {family:?}");
    demo.signal(signal);
    let answer = demo.ended().await;
    let code = (signal != Signal::SIGKILL).then_some(130);
    assert_eq!(answer.code, code, "{moment} {signal}: {answer:?}");
    assert_eq!(answer.stdout, "", "{moment} {signal}");
    world.is_left_clean(&family).await;
}

#[tokio::test]
async fn a_demo_that_is_killed_or_interrupted_leaves_nothing() {
    join_all([
        ends("sending ", Signal::SIGKILL),
        ends("sending ", Signal::SIGINT),
        ends("starting the worker", Signal::SIGTERM),
    ])
    .await;
}

#[tokio::test]
async fn a_demo_that_is_killed_or_interrupted_while_it_starts_leaves_nothing() {
    join_all([
        ends("starting Temporal", Signal::SIGKILL),
        ends("starting Temporal", Signal::SIGINT),
    ])
    .await;
}
