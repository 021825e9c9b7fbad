//! What a cleanup is started with, what it results in, and where it stands.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use partner_core::progress;
use partner_core::wire::{InvalidInput, Wire};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::activities::cleanup::{CleanupItems, DeleteItemsResult};
use crate::cleanup::{CleanupType, check_retention};
use crate::error::AnalyticsError;

/// The longest rest between two batches, in milliseconds: an hour.
const LONGEST_PAUSE: u64 = 3_600_000;

/// What shall be cleaned up.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataCleanupInput {
    /// What.
    pub cleanup_type: CleanupType,
    /// How many days rows are kept.
    #[schema(minimum = 1)]
    pub retention_days: u32,
    /// Whether to count and no more.
    #[serde(default)]
    pub dry_run: bool,
    /// How many rows one statement deletes; as configured without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub batch_size: Option<NonZeroU32>,
    /// The rest between two statements, in milliseconds; as configured without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// How many batches go between two looks at the signals; as many as rests of five minutes without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub slice_batches: Option<NonZeroU32>,
    /// What an earlier run of the same cleanup left to do. The workflow writes this itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub continued: Option<Box<Continued>>,
}

impl DataCleanupInput {
    /// Checks what its types do not say.
    ///
    /// # Errors
    /// [`AnalyticsError::Invalid`] names the field.
    pub(super) fn check(&self) -> Result<(), AnalyticsError> {
        check_retention(self.retention_days)?;
        self.pace().check().map_err(AnalyticsError::Invalid)
    }

    /// How fast it shall delete.
    pub(super) const fn pace(&self) -> PaceInput {
        // Not a flattened field: serde cannot keep exact numbers while it looks for where they belong.
        PaceInput {
            batch_size: self.batch_size,
            pause_ms: self.pause_ms,
            slice_batches: self.slice_batches,
        }
    }
}

/// How fast a cleanup shall delete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PaceInput {
    /// How many rows one statement deletes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<NonZeroU32>,
    /// The rest between two statements, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// How many batches go between two looks at the signals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice_batches: Option<NonZeroU32>,
}

impl PaceInput {
    fn check(&self) -> Result<(), String> {
        match self.pause_ms {
            Some(pause) if pause > LONGEST_PAUSE => Err(format!(
                "pauseMs: at most {LONGEST_PAUSE}, an hour, got {pause}"
            )),
            _ => Ok(()),
        }
    }

    /// The same with what a change says.
    pub(super) fn changed(self, change: Self) -> Self {
        Self {
            batch_size: change.batch_size.or(self.batch_size),
            pause_ms: change.pause_ms.or(self.pause_ms),
            slice_batches: change.slice_batches.or(self.slice_batches),
        }
    }
}

/// What `updateConfig` can change.
const CHANGEABLE: [&str; 3] = ["batchSize", "pauseMs", "sliceBatches"];

/// The payload of `updateConfig`: an object with some of what it can change.
///
/// # Errors
/// What is wrong with it.
pub(super) fn change(payload: Wire<Value>) -> Result<PaceInput, InvalidInput> {
    let payload = payload.into_result()?;
    let fields = payload.as_object().ok_or_else(|| {
        InvalidInput::new(format!("expected an object with some of {CHANGEABLE:?}"))
    })?;
    if let Some(unknown) = fields
        .keys()
        .find(|name| !CHANGEABLE.contains(&name.as_str()))
    {
        return Err(InvalidInput::new(format!(
            "{unknown}: unknown, expected some of {CHANGEABLE:?}"
        )));
    }
    let change = Wire::<PaceInput>::from_json(payload.to_string().as_bytes()).into_result()?;
    change.check().map_err(InvalidInput::new)?;
    Ok(change)
}

/// What a run hands to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Continued {
    /// The cleanup's own id.
    pub operation_id: String,
    /// What there was to clean up.
    pub items: CleanupItems,
    /// The backup.
    pub backup_url: String,
    /// How fast, with every change so far.
    pub pace: PaceInput,
    /// Whether somebody has paused it.
    pub paused: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataCleanupResult {
    /// Always true: a cleanup that could not be done is a failure.
    pub success: bool,
    /// What was cleaned up.
    pub cleanup_type: CleanupType,
    /// How many rows are gone.
    pub items_deleted: u64,
    /// Where they can be restored from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_url: Option<String>,
    /// For a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataCleanupDetails {
    /// What is cleaned up.
    pub cleanup_type: Option<CleanupType>,
    /// The cleanup's own id: what the audit and the database know it by.
    pub operation_id: Option<String>,
    /// How many rows are old enough.
    pub planned: u64,
    /// How many are old enough, but under hold.
    pub held: u64,
    /// From when the oldest is.
    pub oldest: Option<DateTime<Utc>>,
    /// From when the newest is.
    pub newest: Option<DateTime<Utc>>,
    /// The backup, once it was read back.
    pub backup_url: Option<String>,
    /// How many rows are gone.
    pub deleted: u64,
    /// How many were left because they were put under hold after the backup.
    pub held_since: u64,
    /// How many were left because they were changed after the backup.
    pub changed_since: u64,
    /// How fast it deletes.
    pub pace: PaceInput,
    /// Whether it waits for the signal `resume`.
    pub paused: bool,
    /// Why the last `updateConfig` that did not count was ignored.
    pub ignored_config: Option<String>,
    /// What went less than well.
    pub warnings: Vec<String>,
}

impl DataCleanupDetails {
    pub(super) fn plan(&mut self, items: &CleanupItems) {
        self.planned = items.count;
        self.held = items.held;
        self.oldest = items.oldest;
        self.newest = items.newest;
    }

    pub(super) fn deletion(&mut self, deletion: &DeleteItemsResult) {
        self.deleted = deletion.deleted_count;
        self.held_since = deletion.held_count;
        self.changed_since = deletion.changed_count;
    }
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Planning,
    BackingUp,
    Deleting,
    Paused,
    Logging,
    Telling,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 5;

    fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::BackingUp => "backing_up",
            Self::Deleting => "deleting",
            Self::Paused => "paused",
            Self::Logging => "logging",
            Self::Telling => "telling",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Planning => 0,
            Self::BackingUp => 1,
            Self::Deleting | Self::Paused => 2,
            Self::Logging => 3,
            Self::Telling => 4,
            Self::Done => Self::TOTAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_an_object_of_what_it_changes() {
        let read = |json: &str| {
            change(Wire::from_json(json.as_bytes())).map_err(|invalid| invalid.to_string())
        };
        let faster = PaceInput {
            batch_size: NonZeroU32::new(500),
            ..PaceInput::default()
        };
        assert_eq!(read(r#"{"batchSize":500}"#), Ok(faster));
        let unhurried = read(r#"{"pauseMs":0}"#).unwrap();
        let both = faster.changed(unhurried);
        assert_eq!(
            (both.batch_size, both.pause_ms),
            (faster.batch_size, Some(0))
        );
        for (json, expected) in [
            ("null", "expected an object"),
            ("7", "expected an object"),
            (r#"{"batchSize":0}"#, "batchSize: "),
            (r#"{"batchSize":"x"}"#, "batchSize: "),
            (r#"{"pauseMs":-1}"#, "pauseMs: "),
            (r#"{"pauseMs":3600001}"#, "pauseMs: at most"),
            (r#"{"retentionDays":1}"#, "retentionDays: unknown"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }
}
