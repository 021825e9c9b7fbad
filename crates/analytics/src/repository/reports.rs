//! The reports that were made.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::error::AnalyticsError;
use crate::model::ReportType;

/// Reports of a database.
#[derive(Debug, Clone)]
pub struct ReportLogRepository {
    pool: PgPool,
}

/// A report that was made and delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedReport<'a> {
    /// The operation's own id: it is logged once.
    pub operation_id: &'a str,
    /// What it is about.
    pub report_type: ReportType,
    /// Where it is stored.
    pub reference: &'a str,
    /// How many recipients got it.
    pub recipients: u32,
    /// How many could not be reached.
    pub failed: u32,
    /// When its figures were read.
    pub generated_at: DateTime<Utc>,
}

impl ReportLogRepository {
    /// Reports of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Logs a report, once: the first time counts.
    pub async fn log(&self, report: &LoggedReport<'_>) -> Result<(), AnalyticsError> {
        sqlx::query!(
            "INSERT INTO report_log (operation_id, report_type, reference, recipient_count,
                                     failed_count, generated_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (operation_id) DO NOTHING",
            report.operation_id,
            report.report_type.as_str(),
            report.reference,
            i32::try_from(report.recipients).unwrap_or(i32::MAX),
            i32::try_from(report.failed).unwrap_or(i32::MAX),
            report.generated_at
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
