//! Counting what a cleanup would take away.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Cleanup, CleanupType, Position, Report};
use crate::error::AnalyticsError;
use crate::repository::cleanup::{NewRun, Run, RunState};

/// How many rows one statement counts: it must not take longer than a statement may.
const PAGE: i64 = 50_000;

/// A century; more is a mistake in the unit.
const MOST_DAYS: u32 = 36_500;

/// What shall be cleaned up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    /// The operation's own id: whoever asks with the same one gets the same plan.
    pub run_id: String,
    /// What.
    pub cleanup_type: CleanupType,
    /// How many days rows are kept.
    pub retention_days: u32,
    /// Whether to count and no more: such a run can be neither backed up nor deleted.
    pub dry_run: bool,
}

/// What a cleanup would take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The run.
    pub run_id: String,
    /// Rows from before this moment.
    pub cutoff: DateTime<Utc>,
    /// How many there are, without those under hold.
    pub rows: u64,
    /// How many are that old and under hold.
    pub held: u64,
    /// From when the oldest is.
    pub oldest: Option<DateTime<Utc>>,
    /// From when the newest is.
    pub newest: Option<DateTime<Utc>>,
    /// Whether this is all that will happen.
    pub dry_run: bool,
}

/// How far the counting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanCursor {
    /// How many rows were counted.
    pub rows: u64,
    /// The last of them.
    pub until: Position,
}

impl Cleanup {
    /// Begins a run, or finds the one that was begun before: fixes the cutoff and counts the rows.
    ///
    /// # Errors
    /// [`AnalyticsError::Invalid`] if the run was begun with another input.
    pub async fn plan(
        &self,
        request: &PlanRequest,
        from: Option<PlanCursor>,
        report: Report<'_, PlanCursor>,
    ) -> Result<Plan, AnalyticsError> {
        let run = self.begin(request).await?;
        if run.state != RunState::Planning {
            return Ok(run.into());
        }
        let mut counted = from.unwrap_or(PlanCursor {
            rows: 0,
            until: Position::START,
        });
        let rows = &self.repository;
        while let Some(until) = rows
            .nth_after(run.cleanup_type, run.cutoff, counted.until, PAGE)
            .await?
        {
            counted = PlanCursor {
                rows: counted.rows + PAGE.unsigned_abs(),
                until,
            };
            report(counted);
        }
        let rest = rows
            .count_after(run.cleanup_type, run.cutoff, counted.until)
            .await?;
        let oldest = rows
            .nth_after(run.cleanup_type, run.cutoff, Position::START, 1)
            .await?;
        let has_counted = counted.rows > 0;
        let plan = Plan {
            rows: counted.rows + rest.rows,
            held: rows.count_held(run.cleanup_type, run.cutoff).await?,
            oldest: oldest.map(|oldest| oldest.at),
            newest: rest.newest.or(has_counted.then_some(counted.until.at)),
            ..run.into()
        };
        rows.finish_plan(&plan).await?;
        Ok(plan)
    }

    async fn begin(&self, request: &PlanRequest) -> Result<Run, AnalyticsError> {
        let days = request.retention_days;
        check_retention(days)?;
        let run = self
            .repository
            .begin(&NewRun {
                id: &request.run_id,
                cleanup_type: request.cleanup_type,
                retention_days: days.cast_signed(),
                dry_run: request.dry_run,
            })
            .await?;
        let is_same = run.cleanup_type == request.cleanup_type
            && run.retention_days == days.cast_signed()
            && run.dry_run == request.dry_run;
        if is_same {
            Ok(run)
        } else {
            Err(AnalyticsError::Invalid(format!(
                "the cleanup {} was begun with another input",
                request.run_id
            )))
        }
    }
}

/// Checks how many days rows are kept.
///
/// # Errors
/// [`AnalyticsError::Invalid`] if that is none, or more than a century.
pub(crate) fn check_retention(days: u32) -> Result<(), AnalyticsError> {
    if (1..=MOST_DAYS).contains(&days) {
        return Ok(());
    }
    Err(AnalyticsError::Invalid(format!(
        "retentionDays: expected 1 to {MOST_DAYS}, got {days}"
    )))
}

impl From<Run> for Plan {
    fn from(run: Run) -> Self {
        Self {
            run_id: run.id,
            cutoff: run.cutoff,
            rows: run.planned_rows,
            held: run.planned_held,
            oldest: run.oldest,
            newest: run.newest,
            dry_run: run.dry_run,
        }
    }
}
