//! `identifyCleanupItems`, `backupData`, `deleteItems`, `logCleanupOperation`: old data goes, and can
//! come back.

mod beat;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use partner_core::error::activity_error;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::own_id;
use crate::cleanup::{
    BackupCursor, Cleanup, CleanupType, DeletionCursor, Pace, Plan, PlanCursor, PlanRequest,
    Report, Restoration, RestorationCursor,
};
use crate::repository::cleanup::AuditEntry;
use beat::Beat;

/// What to look for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentifyCleanupItemsInput {
    /// What.
    pub cleanup_type: CleanupType,
    /// How many days rows are kept.
    pub retention_days: u32,
    /// Whether to count and no more.
    #[serde(default)]
    pub dry_run: bool,
    /// The operation's own id; without it, that of the workflow's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
}

/// What there is to clean up: however much it is, a reference and the counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanupItems {
    /// What the following activities know the rows by.
    pub reference: String,
    /// How many there are, without those under hold.
    pub count: u64,
    /// How many are old enough, but under hold.
    pub held: u64,
    /// Rows from before this moment.
    pub cutoff: DateTime<Utc>,
    /// From when the oldest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<DateTime<Utc>>,
    /// From when the newest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<DateTime<Utc>>,
    /// Whether nothing more will happen.
    pub dry_run: bool,
    /// How many rows one statement deletes if nobody says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<NonZeroU32>,
    /// The rest between two statements in milliseconds, if nobody says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
}

/// The items that `identifyCleanupItems` answered with, of which the reference counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemsReference {
    /// What the rows are known by.
    pub reference: String,
}

impl From<&CleanupItems> for ItemsReference {
    fn from(items: &CleanupItems) -> Self {
        Self {
            reference: items.reference.clone(),
        }
    }
}

/// What to back up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupDataInput {
    /// What it is.
    pub cleanup_type: CleanupType,
    /// Which rows.
    pub items: ItemsReference,
}

/// What to delete.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteItemsInput {
    /// What it is.
    pub cleanup_type: CleanupType,
    /// Which rows: those that are in their backup.
    pub items: ItemsReference,
    /// How many rows one statement deletes; without it, what is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<NonZeroU32>,
    /// The rest between two statements in milliseconds; without it, what is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// After how many statements to stop; without it, when all is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_batches: Option<NonZeroU32>,
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteItemsResult {
    /// How many rows are gone: of all calls for these items together, however many were cut off.
    pub deleted_count: u64,
    /// Always true: what could not be done is a failure.
    pub success: bool,
    /// Whether that was all; if not, `maxBatches` was reached.
    pub done: bool,
    /// How many were left because they were under hold by then.
    pub held_count: u64,
    /// How many were left because they had been changed after the backup.
    pub changed_count: u64,
}

/// What to write down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogCleanupOperationInput {
    /// What was cleaned up.
    pub cleanup_type: CleanupType,
    /// How many rows were deleted.
    pub items_deleted: u64,
    /// The backup, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_url: Option<String>,
    /// When it was over.
    pub completed_at: DateTime<Utc>,
    /// The operation's own id; without it, that of the workflow's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Whether it stopped before its end: then the database says how many rows were deleted.
    #[serde(default)]
    pub interrupted: bool,
}

/// That it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogCleanupOperationResult {
    /// Always true: what could not be done is a failure.
    pub success: bool,
    /// How many rows were deleted.
    pub items_deleted: u64,
}

/// Which backup to put back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreBackupInput {
    /// What `backupData` answered with.
    pub backup_url: String,
}

/// The activities' dependencies.
pub struct CleanupActivities {
    /// The cleanups.
    pub cleanup: Cleanup,
}

#[activities]
impl CleanupActivities {
    /// Fixes what is old enough, and counts it.
    #[activity(name = "identifyCleanupItems")]
    pub async fn identify_cleanup_items(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<IdentifyCleanupItemsInput>,
    ) -> Result<CleanupItems, ActivityError> {
        let beat = Beat::of(&ctx);
        let own_id = own_id(&ctx);
        let report = |cursor| beat.reach(cursor);
        beat.during(self.identify(input, &own_id, beat.begun(), &report))
            .await
    }

    /// Backs the rows up, reads the backup back, and answers with its reference.
    #[activity(name = "backupData")]
    pub async fn backup_data(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<BackupDataInput>,
    ) -> Result<String, ActivityError> {
        let beat = Beat::of(&ctx);
        let report = |cursor| beat.reach(cursor);
        beat.during(self.back_up(input, &report)).await
    }

    /// Deletes the rows that are in the backup, as long as they are what they are there.
    #[activity(name = "deleteItems")]
    pub async fn delete_items(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<DeleteItemsInput>,
    ) -> Result<DeleteItemsResult, ActivityError> {
        let beat = Beat::of(&ctx);
        let report = |cursor| beat.reach(cursor);
        beat.during(self.delete(input, beat.begun(), &report)).await
    }

    /// Writes a cleanup down, for ever.
    #[activity(name = "logCleanupOperation")]
    pub async fn log_cleanup_operation(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<LogCleanupOperationInput>,
    ) -> Result<LogCleanupOperationResult, ActivityError> {
        self.log(input, &own_id(&ctx)).await
    }

    /// Puts the rows of a backup back.
    #[activity(name = "restoreBackup")]
    pub async fn restore_backup(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<RestoreBackupInput>,
    ) -> Result<Restoration, ActivityError> {
        let beat = Beat::of(&ctx);
        let report = |cursor| beat.reach(cursor);
        beat.during(self.restore(input, beat.begun(), &report))
            .await
    }
}

impl CleanupActivities {
    /// `identifyCleanupItems` without a worker around it.
    pub async fn identify(
        &self,
        input: Wire<IdentifyCleanupItemsInput>,
        own_id: &str,
        from: Option<PlanCursor>,
        report: Report<'_, PlanCursor>,
    ) -> Result<CleanupItems, ActivityError> {
        let input = input.into_activity_input()?;
        let request = PlanRequest {
            run_id: input.operation_id.unwrap_or_else(|| own_id.to_owned()),
            cleanup_type: input.cleanup_type,
            retention_days: input.retention_days,
            dry_run: input.dry_run,
        };
        let plan = self.cleanup.plan(&request, from, report).await;
        let settings = self.cleanup.settings();
        Ok(CleanupItems {
            batch_size: Some(settings.batch_rows),
            pause_ms: u64::try_from(settings.pause.as_millis()).ok(),
            ..plan.map_err(activity_error)?.into()
        })
    }

    /// `backupData` without a worker around it.
    pub async fn back_up(
        &self,
        input: Wire<BackupDataInput>,
        report: Report<'_, BackupCursor>,
    ) -> Result<String, ActivityError> {
        let input = input.into_activity_input()?;
        let backup = self
            .cleanup
            .back_up(&input.items.reference, input.cleanup_type, report)
            .await
            .map_err(activity_error)?;
        Ok(backup.reference)
    }

    /// `deleteItems` without a worker around it.
    pub async fn delete(
        &self,
        input: Wire<DeleteItemsInput>,
        from: Option<DeletionCursor>,
        report: Report<'_, DeletionCursor>,
    ) -> Result<DeleteItemsResult, ActivityError> {
        let input = input.into_activity_input()?;
        let settings = self.cleanup.settings();
        let pace = Pace {
            batch_rows: input.batch_size.unwrap_or(settings.batch_rows),
            pause: input.pause_ms.map_or(settings.pause, Duration::from_millis),
            most_batches: input.max_batches,
        };
        let run_id = &input.items.reference;
        let deletion = self
            .cleanup
            .delete(run_id, input.cleanup_type, pace, from, report)
            .await
            .map_err(activity_error)?;
        tracing::info!(
            cleanup.run = run_id,
            rows = deletion.deleted,
            done = deletion.done,
            "old data deleted"
        );
        Ok(DeleteItemsResult {
            deleted_count: deletion.deleted,
            success: true,
            done: deletion.done,
            held_count: deletion.held,
            changed_count: deletion.changed,
        })
    }

    /// `logCleanupOperation` without a worker around it.
    pub async fn log(
        &self,
        input: Wire<LogCleanupOperationInput>,
        own_id: &str,
    ) -> Result<LogCleanupOperationResult, ActivityError> {
        let input = input.into_activity_input()?;
        let entry = AuditEntry {
            operation_id: input.operation_id.as_deref().unwrap_or(own_id),
            cleanup_type: input.cleanup_type,
            deleted: input.items_deleted,
            backup: input.backup_url.as_deref().filter(|url| !url.is_empty()),
            completed_at: input.completed_at,
        };
        let logged = if input.interrupted {
            self.cleanup.log_interrupted(&entry).await
        } else {
            self.cleanup.log(&entry).await.map(|()| entry.deleted)
        };
        Ok(LogCleanupOperationResult {
            success: true,
            items_deleted: logged.map_err(activity_error)?,
        })
    }

    /// `restoreBackup` without a worker around it.
    pub async fn restore(
        &self,
        input: Wire<RestoreBackupInput>,
        from: Option<RestorationCursor>,
        report: Report<'_, RestorationCursor>,
    ) -> Result<Restoration, ActivityError> {
        let input = input.into_activity_input()?;
        let restored = self
            .cleanup
            .restore(&input.backup_url, from, report)
            .await
            .map_err(activity_error)?;
        tracing::info!(
            cleanup.backup = input.backup_url,
            rows = restored.restored,
            conflicting = restored.conflicting,
            "backup restored"
        );
        Ok(restored)
    }
}

impl From<Plan> for CleanupItems {
    fn from(plan: Plan) -> Self {
        Self {
            reference: plan.run_id,
            count: plan.rows,
            held: plan.held,
            cutoff: plan.cutoff,
            oldest: plan.oldest,
            newest: plan.newest,
            dry_run: plan.dry_run,
            batch_size: None,
            pause_ms: None,
        }
    }
}
