//! Recurring work, beside a platform that runs.

use serde_json::{Value, json};

use crate::dev::{beside, started, stop};
use crate::operate::{done, said, until};
use crate::support::World;

const SALES: &str = "partner-daily-report-sales";

/// A platform's operator, who wants sales reports and the cleanup of logs.
fn configured(endpoints: &Value) -> World {
    beside(endpoints)
        .with("PARTNER__SCHEDULES__TIME_ZONE", "Asia/Kolkata")
        .with("PARTNER__SCHEDULES__REPORTS__TYPES", r#"["sales"]"#)
        .with(
            "PARTNER__SCHEDULES__REPORTS__RECIPIENTS",
            r#"["ana@example.com"]"#,
        )
        .with("PARTNER__SCHEDULES__CLEANUPS__SESSIONS_DAYS", "0")
}

/// The schedule of this id, once it is listed as it shall be.
async fn listed(world: &World, id: &str, is_so: impl Fn(&Value) -> bool) {
    until(world, &["schedules", "list"], |document| {
        let schedules = document["schedules"].as_array();
        let found = schedules.into_iter().flatten();
        found
            .filter(|schedule| schedule["scheduleId"] == id)
            .any(&is_so)
    })
    .await;
}

/// How many were found; the clock may add one that nobody asked for.
fn count(found: &Value) -> usize {
    found["workflows"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn schedules_are_applied_twice_paused_triggered_backfilled_and_pruned() {
    let place = World::new();
    let (dev, endpoints) = started(&place, &[]).await;
    let world = configured(&endpoints);
    for applied in ["created", "updated"] {
        let document = done(&world, &["schedules", "apply"]).await;
        let schedules = document["schedules"].as_array().expect("schedules");
        assert_eq!(schedules.len(), 5, "{document}");
        for schedule in schedules {
            assert_eq!(schedule["applied"], applied, "{document}");
        }
    }
    // 08:00 in Kolkata is half past two in Greenwich, and at most the jitter later.
    listed(&world, SALES, |schedule| {
        let next = schedule["nextAt"].as_str().unwrap_or_default();
        schedule["workflowType"] == "dailyReportWorkflow"
            && (next.contains("T02:30:") || next.contains("T02:31:"))
    })
    .await;

    done(
        &world,
        &["schedules", "pause", SALES, "--reason", "a holiday"],
    )
    .await;
    done(&world, &["schedules", "apply"]).await;
    listed(&world, SALES, |schedule| {
        schedule["paused"] == true && schedule["note"] == "a holiday"
    })
    .await;
    done(&world, &["schedules", "resume", SALES]).await;
    listed(&world, SALES, |schedule| schedule["paused"] == false).await;

    done(&world, &["schedules", "trigger", SALES]).await;
    let reports = [
        "list",
        "--id",
        "daily-report-sales-",
        "--status",
        "completed",
    ];
    until(&world, &reports, |found| count(found) >= 1).await;
    let backfill = [
        "schedules",
        "backfill",
        SALES,
        "--from",
        "2026-11-20T00:00:00Z",
        "--to",
        "2026-11-21T23:59:00Z",
    ];
    done(&world, &backfill).await;
    until(&world, &reports, |found| count(found) >= 3).await;

    said(&world, &["schedules", "trigger", "no-such-schedule"])
        .await
        .fails_with(1, &["no-such-schedule", "partner schedules list"]);
    prunes(&beside(&endpoints)).await;
    stop(&place, dev).await;
}

/// Nobody wants reports any more.
async fn prunes(world: &World) {
    let document = done(world, &["schedules", "apply"]).await;
    assert_eq!(document["notConfigured"], json!([SALES]));
    let document = done(world, &["schedules", "apply", "--prune"]).await;
    assert_eq!(document["pruned"], true);
    until(world, &["schedules", "list"], |document| {
        document["schedules"].as_array().map(Vec::len) == Some(5)
    })
    .await;
}
