//! `dataCleanupWorkflow`. Cleanups take all that is old, so that each test has the tables to itself.

use std::path::PathBuf;

use anyhow::{Context, Result};
use partner_core::error::ErrorCode;
use partner_core::progress::ProcessStatus;
use partner_tests::cleanups::{CLEANUP, TYPES, input};
use partner_tests::faults::ActivityFault;
use partner_tests::stage::{Stage, on_stage};
use serde_json::{Value, json};

const FINISHED: &str = "Cleanup of logs: 7 rows deleted";
const STOPPED: &str = "Cleanup of logs stopped";

#[test]
fn deleted_is_backed_up_is_restored() -> Result<()> {
    on_stage(async |stage| {
        for (cleanup_type, _) in TYPES {
            let _alone = stage.alone().await?;
            stage.old_rows(cleanup_type, 7).await?;
            let before = stage.rows(cleanup_type).await?;
            let process = stage.clean_up(&input(cleanup_type)).await?;
            let result = stage.result(&process).await?;
            assert_eq!(result["success"], true);
            assert_eq!(result["itemsDeleted"], 7, "{result}");
            assert!(stage.rows(cleanup_type).await?.is_empty(), "{cleanup_type}");
            assert_eq!(stage.audited(&process).await?, [7]);
            let subject = format!("Cleanup of {cleanup_type}: 7 rows deleted");
            assert_eq!(stage.told_admin(&process), [subject]);
            let backup = result["backupUrl"].as_str().context("a backup")?;
            for (restored, already_there) in [(7, 0), (0, 7)] {
                let restoration = stage.restore(backup).await?;
                assert_eq!(
                    (restoration.restored, restoration.already_there),
                    (restored, already_there)
                );
            }
            assert_eq!(stage.rows(cleanup_type).await?, before);
        }
        Ok(())
    })
}

#[test]
fn the_files_of_temporary_files_go_and_come_back() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("temp_files", 3).await?;
        let references: Vec<String> = sqlx::query_scalar("SELECT object_reference FROM temp_files")
            .fetch_all(stage.shop.pool())
            .await?;
        let process = stage.clean_up(&input("temp_files")).await?;
        let result = stage.result(&process).await?;
        let objects = stage.objects()?;
        for reference in &references {
            assert!(objects.read(reference, 1_000).await.is_err(), "{reference}");
        }
        let backup = result["backupUrl"].as_str().context("a backup")?;
        stage.restore(backup).await?;
        for reference in &references {
            let content = objects.read(reference, 1_000).await?;
            assert!(content.starts_with(b"the content of file-"), "{reference}");
        }
        Ok(())
    })
}

#[test]
fn what_is_young_or_under_hold_stays() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        sqlx::query(
            "INSERT INTO application_logs (level, source, message) VALUES ('info', 'a', 'young')",
        )
        .execute(stage.shop.pool())
        .await?;
        sqlx::query(
            "UPDATE application_logs SET legal_hold = true
             WHERE id = (SELECT min(id) FROM application_logs)",
        )
        .execute(stage.shop.pool())
        .await?;
        let process = stage.clean_up(&input("logs")).await?;
        assert_eq!(stage.result(&process).await?["itemsDeleted"], 6);
        assert_eq!(stage.rows("logs").await?.len(), 2);
        Ok(())
    })
}

#[test]
fn what_is_put_under_hold_or_changed_after_the_backup_stays_and_is_told() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        let process = stage.paused_cleanup(&input("logs")).await?;
        for change in [
            "UPDATE application_logs SET legal_hold = true
             WHERE id = (SELECT min(id) FROM application_logs)",
            "UPDATE application_logs SET message = 'changed'
             WHERE id = (SELECT max(id) FROM application_logs)",
        ] {
            sqlx::query(change).execute(stage.shop.pool()).await?;
        }
        process.signal("resume", &Value::Null).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["itemsDeleted"], 5);
        assert_eq!(
            result["message"],
            "1 stayed, put under legal hold after the backup; 1 stayed, changed after the backup"
        );
        assert_eq!(stage.rows("logs").await?.len(), 2);
        assert_eq!(stage.audited(&process).await?, [5]);
        Ok(())
    })
}

#[test]
fn if_nothing_is_old_nothing_happens() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        let process = stage.clean_up(&input("sessions")).await?;
        let expected = json!({
            "success": true,
            "cleanupType": "sessions",
            "itemsDeleted": 0,
            "message": "No sessions are older than 30 days",
        });
        assert_eq!(stage.result(&process).await?, expected);
        assert!(stage.audited(&process).await?.is_empty());
        assert!(stage.told_admin(&process).is_empty());
        Ok(())
    })
}

#[test]
fn a_dry_run_counts_and_touches_nothing() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        let before = stage.rows("logs").await?;
        let mut input = input("logs");
        input["dryRun"] = json!(true);
        let process = stage.clean_up(&input).await?;
        let result = stage.result(&process).await?;
        let message = result["message"].as_str().context("a message")?;
        assert!(
            message.starts_with("Dry run: 7 logs would be deleted"),
            "{message}"
        );
        assert_eq!(result["itemsDeleted"], 0);
        assert_eq!(stage.rows("logs").await?, before);
        assert!(stage.audited(&process).await?.is_empty());
        let details = process.query("getDetails").await?;
        assert_eq!(details["planned"], 7);
        assert!(
            details["oldest"].is_string() && details["newest"].is_string(),
            "{details}"
        );
        Ok(())
    })
}

#[test]
fn a_paused_cleanup_deletes_nothing_until_it_is_resumed() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        let process = stage.paused_cleanup(&input("logs")).await?;
        assert_eq!(stage.rows("logs").await?.len(), 7);
        let progress = process.query("getProgress").await?;
        assert_eq!(progress["message"], "0 of 7 rows are done");
        for ignored in [json!({ "batchSize": 0 }), json!("fast"), Value::Null] {
            process.signal("updateConfig", &ignored).await?;
        }
        process
            .signal(
                "updateConfig",
                &json!({ "batchSize": 7, "sliceBatches": 1 }),
            )
            .await?;
        let taken = |details: &Value| details["pace"]["batchSize"] == 7;
        let details = stage.details(&process, "kept its pace", taken).await?;
        assert!(details["ignoredConfig"].is_string(), "{details}");
        process.signal("resume", &Value::Null).await?;
        assert_eq!(stage.result(&process).await?["itemsDeleted"], 7);
        assert_eq!(stage.told_admin(&process), [FINISHED]);
        Ok(())
    })
}

/// More slices than one run's history shall hold.
#[test]
fn a_long_cleanup_goes_on_in_a_new_run_and_counts_on() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 205).await?;
        let mut input = input("logs");
        input["batchSize"] = json!(1);
        input["sliceBatches"] = json!(1);
        let process = stage.clean_up(&input).await?;
        let result = stage.result(&process).await?;
        assert_eq!(result["itemsDeleted"], 205);
        assert_eq!(stage.audited(&process).await?, [205]);
        assert!(stage.rows("logs").await?.is_empty());
        let events = stage.client.process(&process.id).history().await?;
        assert!(
            events.len() < 100,
            "the last run has {} events",
            events.len()
        );
        Ok(())
    })
}

/// A slice is one activity: 6 events. At the default pace it has 30,000 rows.
#[test]
fn a_slice_costs_6_events_and_the_rest_31_and_6_billable_actions_at_most() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        let mut costs = Vec::new();
        for slices in [1_i32, 2, 5] {
            stage.old_rows("logs", slices * 3).await?;
            let mut input = input("logs");
            input["sliceBatches"] = json!(1);
            let process = stage.clean_up(&input).await?;
            stage.result(&process).await?;
            costs.push(process.cost().await?);
        }
        let [one, two, five] = &costs[..] else {
            unreachable!("three were run");
        };
        assert!(one.events <= 31 && one.actions <= 6, "{one:?}");
        assert_eq!(two.events - one.events, 6, "{costs:?}");
        assert_eq!(five.events - one.events, 4 * 6, "{costs:?}");
        assert_eq!(five.actions - one.actions, 4, "{costs:?}");
        Ok(())
    })
}

#[test]
fn a_backup_that_fails_deletes_nothing_and_is_told_once() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        let before = stage.rows("logs").await?;
        let fault = ActivityFault::for_good(ErrorCode::ExternalServiceError);
        let process = stage
            .start_failing(CLEANUP, "backupData", fault, &input("logs"))
            .await?;
        stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert_eq!(stage.rows("logs").await?, before);
        assert!(stage.audited(&process).await?.is_empty());
        assert_eq!(stage.told_admin(&process), [STOPPED]);
        Ok(())
    })
}

#[test]
fn a_deletion_that_fails_midway_is_on_record_with_what_it_deleted() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        let mut input = input("logs");
        input["sliceBatches"] = json!(1);
        // The second slice takes effect, and nobody hears of it.
        let fault = ActivityFault::answer_lost().repeated(20).after(1);
        let process = stage
            .start_failing(CLEANUP, "deleteItems", fault, &input)
            .await?;
        stage.failure(&process, ErrorCode::Unknown).await?;
        let left = i64::try_from(stage.rows("logs").await?.len())?;
        assert!(left < 4, "{left}");
        assert_eq!(stage.audited(&process).await?, [7 - left]);
        assert_eq!(stage.told_admin(&process), [STOPPED]);
        Ok(())
    })
}

#[test]
fn a_backup_that_was_tampered_with_deletes_nothing() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        let process = stage.paused_cleanup(&input("logs")).await?;
        let details = process.query("getDetails").await?;
        let manifest = details["backupUrl"].as_str().context("a backup")?;
        let manifest = PathBuf::from(manifest.strip_prefix("file://").context("a folder")?);
        let folder = manifest.parent().context("a folder")?;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path != manifest {
                let mut content = std::fs::read(&path)?;
                let last = content.len() - 1;
                content[last] ^= 1;
                std::fs::write(&path, content)?;
            }
        }
        process.signal("resume", &Value::Null).await?;
        let message = stage
            .failure(&process, ErrorCode::ExternalServiceError)
            .await?;
        assert!(message.contains("cannot be relied upon"), "{message}");
        assert_eq!(stage.rows("logs").await?.len(), 7);
        assert_eq!(stage.audited(&process).await?, [0]);
        assert_eq!(stage.told_admin(&process), [STOPPED]);
        Ok(())
    })
}

#[test]
fn cancelled_between_two_slices_it_leaves_the_rest_and_says_so() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 7).await?;
        let process = stage.paused_cleanup(&input("logs")).await?;
        process.cancel().await?;
        stage.cancelled(&process).await?;
        assert_eq!(stage.rows("logs").await?.len(), 7);
        assert_eq!(stage.audited(&process).await?, [0]);
        assert_eq!(stage.told_admin(&process), [STOPPED]);
        let status: ProcessStatus =
            serde_json::from_value(process.query("getStatus").await?["status"].clone())?;
        assert_eq!(status, ProcessStatus::Cancelled);
        Ok(())
    })
}

#[test]
fn steps_whose_answers_are_lost_are_repeated_with_one_effect() -> Result<()> {
    on_stage(async |stage| {
        for activity in [
            "identifyCleanupItems",
            "backupData",
            "deleteItems",
            "logCleanupOperation",
            "sendNotification",
        ] {
            let _alone = stage.alone().await?;
            stage.old_rows("logs", 7).await?;
            let process = stage
                .start_failing(
                    CLEANUP,
                    activity,
                    ActivityFault::answer_lost(),
                    &input("logs"),
                )
                .await?;
            assert_eq!(
                stage.result(&process).await?["itemsDeleted"],
                7,
                "{activity}"
            );
            assert_eq!(stage.audited(&process).await?, [7], "{activity}");
            assert_eq!(stage.told_admin(&process), [FINISHED], "{activity}");
        }
        Ok(())
    })
}

#[test]
fn input_that_breaks_a_rule_is_refused_at_once_by_name() -> Result<()> {
    on_stage(async |stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 2).await?;
        for (field, value, expected) in [
            ("cleanupType", json!("users"), "cleanupType: "),
            ("cleanupType", Value::Null, "cleanupType: "),
            ("retentionDays", json!(0), "retentionDays: "),
            ("retentionDays", json!(-1), "retentionDays: "),
            ("retentionDays", json!(1.5), "retentionDays: "),
            ("retentionDays", json!("90"), "retentionDays: "),
            ("retentionDays", json!(36_501), "retentionDays: "),
            ("batchSize", json!(0), "batchSize: "),
            ("pauseMs", json!(3_600_001), "pauseMs: "),
            ("dryRun", json!("yes"), "dryRun: "),
        ] {
            let mut input = input("logs");
            input[field] = value;
            let process = stage.clean_up(&input).await?;
            let message = stage.failure(&process, ErrorCode::ValidationError).await?;
            assert!(message.starts_with(expected), "{message}");
            assert!(stage.told_admin(&process).is_empty());
        }
        let process = stage
            .start(
                CLEANUP,
                &stage.unique("cleanup"),
                &json!({ "cleanupType": "logs" }),
            )
            .await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert_eq!(message, "missing field `retentionDays`");
        assert_eq!(stage.rows("logs").await?.len(), 2);
        Ok(())
    })
}

#[test]
fn without_object_storage_nothing_is_deleted() -> Result<()> {
    on_stage(async |stage: &Stage| {
        let _alone = stage.alone().await?;
        stage.old_rows("logs", 2).await?;
        let queue = stage.unique("no-storage");
        stage
            .serve_with(&queue, |config| config.storage.url = None)
            .await?;
        let id = stage.unique("cleanup");
        let process = stage.start_in(&queue, CLEANUP, &id, &input("logs")).await?;
        let message = stage.failure(&process, ErrorCode::ValidationError).await?;
        assert!(message.contains("storage.url"), "{message}");
        assert_eq!(stage.rows("logs").await?.len(), 2);
        Ok(())
    })
}
