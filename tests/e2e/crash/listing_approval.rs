//! `listingApprovalWorkflow`: the listing is decided once, is found exactly if it is approved, and its
//! owner is told once.

use std::future::ready;

use futures::future::join_all;
use partner_adapters::PostgresSearchIndex;
use partner_core::client::Process;
use partner_core::ports::search_index::SearchIndex;
use partner_listing::repository::AuditRepository;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use super::trap::Stop;
use super::{crash, crash_later, expect_attempts};
use crate::support::{Host, Stage, on_platform};

const WORKFLOW: &str = "listingApprovalWorkflow";
const TITLE: &str = "Flat by the lake";

/// Reviewers are everybody's. Whoever submits a listing reads this; whoever becomes a reviewer, whose
/// mail is then trapped, writes it, and so is told of no other listing.
static REVIEWERS: RwLock<()> = RwLock::const_new(());

/// The listing's row.
pub(super) const LISTING: Stop = Stop::Lock("SELECT FROM listings WHERE id = $1 FOR UPDATE");

/// Its place in the search index.
pub(super) const INDEXED: Stop =
    Stop::Lock("SELECT FROM search_documents WHERE listing_id = $1 FOR UPDATE");

/// The same, where it is not indexed yet.
const NOT_INDEXED: Stop =
    Stop::Lock("INSERT INTO search_documents (listing_id, version, removed) VALUES ($1, 0, true)");

/// When the worker dies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// On the way to the review.
    Before,
    /// On the way from an approval.
    Approved,
    /// On the way from a rejection, of a listing that is live.
    RejectedWhileLive,
}

/// One crash.
struct Row {
    /// What the worker is doing.
    at: &'static str,
    trap: &'static [Stop],
    when: When,
    /// In which attempts the notice to the owner comes to its end.
    told: i32,
    /// How its mail stands then.
    mail: &'static str,
}

const fn row(at: &'static str, trap: &'static [Stop], when: When) -> Row {
    Row {
        at,
        trap,
        when,
        told: 1,
        mail: "sent",
    }
}

const ROWS: [Row; 8] = [
    row(
        "creating",
        &[Stop::Lock(
            "INSERT INTO listings (id, user_id) VALUES ($1, 'other')",
        )],
        When::Before,
    ),
    row("recording", &[LISTING], When::Approved),
    row("publishing", &[NOT_INDEXED], When::Approved),
    Row {
        told: 2,
        ..row(
            "telling-before-data",
            &[Stop::MailBeforeData],
            When::Approved,
        )
    },
    Row {
        told: 2,
        mail: "possibly_delivered",
        ..row("telling-after-data", &[Stop::MailAfterData], When::Approved)
    },
    row("rejecting", &[LISTING], When::RejectedWhileLive),
    row("taking-down", &[INDEXED], When::RejectedWhileLive),
    Row {
        told: 2,
        ..row(
            "telling-rejected",
            &[Stop::MailBeforeData],
            When::RejectedWhileLive,
        )
    },
];

pub(super) fn property(title: &str) -> Value {
    json!({
        "title": title,
        "description": "A quiet flat with a view over the lake. ".repeat(6),
        "price": 450_000,
        "location": { "address": "Seestrasse 1", "city": "Zug", "state": "ZG" },
        "images": ["https://cdn.example.com/1.jpg"],
    })
}

pub(super) fn input(stage: &Stage, title: &str) -> Value {
    json!({ "listingId": stage.name, "userId": stage.name, "propertyData": property(title) })
}

/// Lets the stage's listing be live before anything crashes.
pub(super) async fn approve(stage: &Stage) {
    let _nobody_is_trapped = REVIEWERS.read().await;
    let worker = stage.worker().await;
    let process = stage
        .start(WORKFLOW, "listing-approval", &input(stage, TITLE))
        .await;
    decide(&process, "approve").await;
    stage.result(&process).await;
    worker.stop().await.expect("the worker stops");
}

async fn decide(process: &Process, decision: &str) {
    process
        .signal(decision, &Value::Null)
        .await
        .expect("a running workflow");
}

/// The title under which the public finds the stage's listing. Whatever it is, the audit trail is
/// whole.
pub(super) async fn found(stage: &Stage) -> Option<String> {
    let pool = stage.shop().pool();
    let audit = AuditRepository::new(pool.clone());
    let broken = audit.first_broken(&stage.name).await.expect("the trail");
    assert_eq!(broken, None, "{}", stage.name);
    let index = PostgresSearchIndex::new(pool.clone());
    let found = index.lookup(&stage.name).await.expect("the index");
    found.map(|found| found.title)
}

async fn run(stage: &Stage, row: &Row) -> Process {
    let _nobody_is_trapped = REVIEWERS.read().await;
    let title = match row.when {
        When::Before | When::Approved => TITLE,
        When::RejectedWhileLive => "Flat by the river",
    };
    let input = input(stage, title);
    // The version that was rejected has an id of its own: the contract's was started before.
    let prefix = match row.when {
        When::Before | When::Approved => "listing-approval",
        When::RejectedWhileLive => "listing-approval-again",
    };
    let begin = async {
        let process = stage.start(WORKFLOW, prefix, &input).await;
        stage.reached(&process, "reviewing").await;
        process
    };
    match row.when {
        When::Before => {
            let start = async {
                let process = stage.start(WORKFLOW, prefix, &input).await;
                decide(&process, "approve").await;
                process
            };
            crash(stage, row.trap, start, ready(())).await
        }
        When::Approved => {
            crash_later(stage, row.trap, begin, async |process| {
                decide(process, "approve").await;
            })
            .await
        }
        When::RejectedWhileLive => {
            crash_later(stage, row.trap, begin, async |process| {
                decide(process, "reject").await;
            })
            .await
        }
    }
}

async fn survives(host: &'static Host, row: &Row) {
    let stage = Stage::new(host, &format!("crash-approval-{}", row.at)).await;
    let name = &stage.name;
    stage.add_user("active").await;
    let was_live = row.when == When::RejectedWhileLive;
    if was_live {
        approve(&stage).await;
    }
    let process = run(&stage, row).await;

    let (status, decision) = if was_live {
        ("rejected", "reject")
    } else {
        ("approved", "approve")
    };
    let result = stage.result(&process).await;
    assert_eq!(result["status"], status, "{name}: {result}");
    let listing = stage.shop().listing(name).await.expect("the listing");
    let listing = listing.expect("it is known");
    assert_eq!(listing.status, status, "{name}");
    let title = found(&stage).await;
    assert_eq!(title.as_deref(), (!was_live).then_some(TITLE), "{name}");
    let decisions = stage.shop().decisions(name).await.expect("decisions");
    let last = decisions.last().expect("a decision");
    assert_eq!(
        (decisions.len(), last.decision.as_str()),
        (1 + usize::from(was_live), decision)
    );
    // What the relay took without saying so is not sent again, and the books do not claim more.
    let mut expected = vec![("email".to_owned(), row.mail.to_owned())];
    expected.push(("in_app".to_owned(), "sent".to_owned()));
    if was_live {
        expected.insert(0, ("email".to_owned(), "sent".to_owned()));
        expected.push(("in_app".to_owned(), "sent".to_owned()));
    }
    assert_eq!(stage.deliveries().await, expected, "{name}");
    expect_attempts(&stage, &process, "sendNotification", row.told).await;
}

#[test]
fn a_worker_killed_in_the_middle_of_an_approval_leaves_one_decision_and_an_index_that_agrees() {
    on_platform(async |host| {
        join_all(ROWS.iter().map(|row| survives(host, row))).await;
    });
}

#[test]
fn a_worker_killed_while_it_tells_the_reviewers_tells_each_once() {
    on_platform(async |host| {
        let _alone = REVIEWERS.write().await;
        for (at, trap, mail) in [
            ("before-data", Stop::MailBeforeData, "sent"),
            ("after-data", Stop::MailAfterData, "possibly_delivered"),
        ] {
            let stage = Stage::new(host, &format!("crash-reviewers-{at}")).await;
            tells_reviewers(&stage, trap, mail).await;
        }
    });
}

async fn tells_reviewers(stage: &Stage, trap: Stop, mail: &str) {
    let name = &stage.name;
    stage.add_user("active").await;
    stage
        .shop()
        .add_reviewer(name, false)
        .await
        .expect("a reviewer");
    // The listing is another's, so that the stage's user is told as a reviewer only.
    let input = json!({
        "listingId": name,
        "userId": format!("owner-of-{name}@example.com"),
        "propertyData": property(TITLE),
    });
    let start = async {
        let process = stage.start(WORKFLOW, "listing-approval", &input).await;
        decide(&process, "approve").await;
        process
    };
    let trap: &'static [Stop] = Box::leak(Box::new([trap]));
    let process = crash(stage, trap, start, ready(())).await;
    sqlx::query("UPDATE reviewers SET is_active = false WHERE user_id = $1")
        .bind(name)
        .execute(stage.shop().pool())
        .await
        .expect("the reviewer leaves");
    assert_eq!(stage.result(&process).await["status"], "approved", "{name}");
    let mut own: Vec<_> = stage
        .shop()
        .deliveries(&format!("listing/{name}/listing_review_requested/v1"))
        .await
        .expect("the ledger")
        .into_iter()
        .map(|row| (row.channel, row.state))
        .collect();
    own.sort_unstable();
    let expected = [("email", mail), ("in_app", "sent")];
    assert_eq!(
        own,
        expected.map(|(channel, state)| (channel.to_owned(), state.to_owned())),
        "{name}"
    );
    expect_attempts(stage, &process, "notifyReviewers", 2).await;
}
