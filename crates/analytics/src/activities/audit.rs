//! `logReportGeneration`: what was reported to how many.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use partner_core::error::activity_error;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::own_id;
use crate::model::ReportType;
use crate::repository::{LoggedReport, ReportLogRepository};

/// A report that was made and delivered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogReportGenerationInput {
    /// What it is about.
    pub report_type: ReportType,
    /// How many recipients got it.
    pub recipient_count: u32,
    /// Where it is stored.
    pub report_url: String,
    /// When its figures were read.
    pub generated_at: DateTime<Utc>,
    /// How many recipients could not be reached.
    #[serde(default)]
    pub failed_count: u32,
    /// The operation's own id; without it, that of the workflow's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
}

/// That it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogReportGenerationResult {
    /// Always true: what could not be done is a failure.
    pub success: bool,
}

/// The activity's dependencies.
pub struct AuditActivities {
    /// The reports that were made.
    pub reports: ReportLogRepository,
}

#[activities]
impl AuditActivities {
    /// Puts a report on record, once.
    #[activity(name = "logReportGeneration")]
    pub async fn log_report_generation(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<LogReportGenerationInput>,
    ) -> Result<LogReportGenerationResult, ActivityError> {
        self.log(input, &own_id(&ctx)).await
    }
}

impl AuditActivities {
    /// `logReportGeneration` without a worker around it.
    pub async fn log(
        &self,
        input: Wire<LogReportGenerationInput>,
        own_id: &str,
    ) -> Result<LogReportGenerationResult, ActivityError> {
        let input = input.into_activity_input()?;
        let report = LoggedReport {
            operation_id: input.operation_id.as_deref().unwrap_or(own_id),
            report_type: input.report_type,
            reference: &input.report_url,
            recipients: input.recipient_count,
            failed: input.failed_count,
            generated_at: input.generated_at,
        };
        self.reports.log(&report).await.map_err(activity_error)?;
        Ok(LogReportGenerationResult { success: true })
    }
}
