//! `dataCleanupWorkflow`: what is deleted is what is in the backup, wherever the worker is killed.
//!
//! Counting and backing up are no rows here: the tests of the activities kill those at every step. A
//! cleanup takes all that is old, so that each crash has a type of its own.

use std::future::ready;

use futures::future::join_all;
use partner_analytics::cleanup::{Cleanup, CleanupSettings};
use partner_analytics::repository::cleanup::CleanupRepository;
use partner_core::client::Process;
use serde_json::{Value, json};

use super::crash;
use super::trap::Stop;
use crate::support::{Host, Stage, attempts, on_platform};

const WORKFLOW: &str = "dataCleanupWorkflow";

/// How many rows are old.
const OLD: usize = 20;

/// A row in the middle of the third batch, which the worker cannot delete.
const BATCH: Stop =
    Stop::Lock("SELECT FROM application_logs WHERE message = $1 || '-11' FOR UPDATE");

/// The last row of the first batch: nothing is deleted yet.
const FIRST_BATCH: Stop =
    Stop::Lock("SELECT FROM sessions WHERE token_hash = $1 || '-19' FOR UPDATE");

async fn add_rows(stage: &Stage, cleanup_type: &str) -> Vec<String> {
    let names: Vec<_> = (0..OLD).map(|n| format!("{}-{n}", stage.name)).collect();
    let added = stage.shop().add_old_rows(cleanup_type, &names).await;
    added.expect("old rows");
    rows(stage, cleanup_type).await
}

async fn rows(stage: &Stage, cleanup_type: &str) -> Vec<String> {
    let rows = stage.shop().cleanable_rows(cleanup_type).await;
    rows.expect("the rows")
}

fn input(cleanup_type: &str) -> Value {
    json!({ "cleanupType": cleanup_type, "retentionDays": 30, "batchSize": 4, "pauseMs": 0 })
}

/// All is gone, all is in the backup, and it is on record once.
async fn expect_deleted_and_restorable(
    stage: &Stage,
    process: &Process,
    cleanup_type: &str,
    before: &[String],
) {
    let name = &stage.name;
    let result = stage.result(process).await;
    assert_eq!(result["itemsDeleted"], OLD, "{name}: {result}");
    assert!(rows(stage, cleanup_type).await.is_empty(), "{name}");
    let audited = stage.shop().audited_cleanups(&process.id).await;
    let expected = [i64::try_from(OLD).expect("a few")];
    assert_eq!(audited.expect("the audit"), expected, "{name}");
    let backup = result["backupUrl"].as_str().expect("a backup");
    let restored = restorer(stage).restore(backup, None, &|_| {}).await;
    assert_eq!(
        restored.expect("it is whole").restored,
        OLD as u64,
        "{name}"
    );
    assert_eq!(rows(stage, cleanup_type).await, before, "{name}");
}

fn restorer(stage: &Stage) -> Cleanup {
    let objects = partner_worker::objects(&stage.host.config(&[]).storage);
    let repository = CleanupRepository::new(stage.shop().pool().clone());
    Cleanup::new(
        repository,
        objects.expect("the folder"),
        CleanupSettings::default(),
    )
}

async fn survives(host: &'static Host, at: &str, cleanup_type: &str, trap: &'static [Stop]) {
    let stage = Stage::new(host, &format!("crash-cleanup-{at}")).await;
    let before = add_rows(&stage, cleanup_type).await;
    let input = input(cleanup_type);
    let start = stage.start(WORKFLOW, "cleanup", &input);
    let process = crash(&stage, trap, start, ready(())).await;
    expect_deleted_and_restorable(&stage, &process, cleanup_type, &before).await;
    let found = attempts(&process, "deleteItems").await;
    assert_eq!(found, [2], "{at}");
}

#[test]
fn a_worker_killed_while_it_deletes_leaves_what_is_gone_in_the_backup() {
    on_platform(async |host| {
        let rows: [(_, _, &[Stop]); 2] = [
            ("batch", "logs", &[BATCH]),
            ("first-batch", "sessions", &[FIRST_BATCH]),
        ];
        let crashes = rows
            .iter()
            .map(|&(at, cleanup_type, trap)| survives(host, at, cleanup_type, trap));
        join_all(crashes).await;
    });
}
