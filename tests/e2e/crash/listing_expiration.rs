//! `listingExpirationWorkflow`: the listing expires once, is not found any more, and its owner is told
//! once.

use chrono::TimeDelta;
use futures::future::join_all;
use partner_core::client::Process;
use partner_local::time_skipping::skip_time;
use serde_json::json;

use super::listing_approval::{INDEXED, LISTING, approve, found};
use super::trap::Stop;
use super::{crash_later, expect_attempts};
use crate::support::{Host, Stage, on_platform};

const WORKFLOW: &str = "listingExpirationWorkflow";

/// One crash.
struct Row {
    /// What the worker is doing.
    at: &'static str,
    trap: &'static [Stop],
    /// In how many days the listing expires: a reminder is due on the way, or none.
    days: i64,
    /// Whether it is renewed by that much first.
    renewed: bool,
    /// In which attempts reminding and telling come to their ends.
    attempts: (&'static [i32], &'static [i32]),
    /// How the owner's mails stand then, the approval's left out.
    mails: &'static [&'static str],
}

const fn row(at: &'static str, trap: &'static [Stop]) -> Row {
    Row {
        at,
        trap,
        days: 0,
        renewed: false,
        attempts: (&[], &[1]),
        mails: &["sent"],
    }
}

const ROWS: [Row; 7] = [
    Row {
        days: 2,
        attempts: (&[2], &[1]),
        mails: &["sent", "sent"],
        ..row("reminding-before-data", &[Stop::MailBeforeData])
    },
    Row {
        days: 2,
        attempts: (&[2], &[1]),
        mails: &["possibly_delivered", "sent"],
        ..row("reminding-after-data", &[Stop::MailAfterData])
    },
    Row {
        renewed: true,
        ..row("renewing", &[LISTING])
    },
    row("expiring", &[LISTING]),
    row("taking-down", &[INDEXED]),
    Row {
        attempts: (&[], &[2]),
        ..row("telling-before-data", &[Stop::MailBeforeData])
    },
    Row {
        attempts: (&[], &[2]),
        mails: &["possibly_delivered"],
        ..row("telling-after-data", &[Stop::MailAfterData])
    },
];

async fn go_on(stage: &Stage, process: &Process, row: &Row) {
    if row.renewed {
        let until = stage.shop().now().await.expect("the clock") + TimeDelta::hours(20);
        process
            .signal("renew", &json!(until))
            .await
            .expect("a running workflow");
    }
    skip_time(stage.temporal(), &process.id)
        .await
        .expect("a server that skips time");
}

async fn survives(host: &'static Host, row: &Row) {
    let stage = Stage::new(host, &format!("crash-expiration-{}", row.at)).await;
    let name = &stage.name;
    stage.add_user("active").await;
    approve(&stage).await;
    let now = stage.shop().now().await.expect("the clock");
    let date = now + TimeDelta::days(row.days) + TimeDelta::hours(10);
    let input = json!({ "listingId": name, "userId": name, "expirationDate": date });
    let start = async {
        let process = stage.start(WORKFLOW, "listing-expiration", &input).await;
        stage.reached(&process, "waiting").await;
        process
    };
    let process = crash_later(&stage, row.trap, start, async |process| {
        go_on(&stage, process, row).await;
    })
    .await;

    let result = stage.result(&process).await;
    assert_eq!(result["status"], "expired", "{name}: {result}");
    let listing = stage.shop().listing(name).await.expect("the listing");
    assert_eq!(listing.expect("it is known").status, "expired", "{name}");
    assert_eq!(found(&stage).await, None, "{name}");
    let mails = stage.deliveries().await;
    let mails: Vec<_> = mails
        .iter()
        .filter(|(channel, _)| channel == "email")
        .map(|(_, state)| state.as_str())
        .skip(1)
        .collect();
    assert_eq!(mails, row.mails, "{name}");
    let (reminding, telling) = row.attempts;
    for (activity, attempts) in [
        ("sendExpirationReminder", reminding),
        ("sendNotification", telling),
    ] {
        for &expected in attempts {
            expect_attempts(&stage, &process, activity, expected).await;
        }
    }
}

#[test]
fn a_worker_killed_in_the_middle_of_an_expiration_hides_the_listing_and_tells_the_owner_once() {
    on_platform(async |host| {
        join_all(ROWS.iter().map(|row| survives(host, row))).await;
    });
}
