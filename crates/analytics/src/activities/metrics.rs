//! `planReport` and `gatherAnalytics`: which figures a report has, and the figures.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::error::AnalyticsError;
use crate::metrics::{Metrics, MetricsDocument, PerformanceMetrics};
use crate::model::{Period, ReportFormat, ReportType};
use crate::ports::workflow_statistics::WorkflowStatistics;
use crate::repository::MetricsRepository;
use crate::settings::ReportSettings;

/// A report that shall be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReportInput {
    /// When the 24 hours end that it covers.
    pub ends_at: DateTime<Utc>,
    /// The clock of its readers; as configured without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Tz>,
}

/// How a report is made, unless somebody says otherwise: what is configured when it is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportPlan {
    /// Which time it covers.
    pub period: Period,
    /// As what it is made.
    pub format: ReportFormat,
    /// Up to how many bytes it is attached to its mails.
    pub attach_up_to: u64,
}

/// Which figures are wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatherAnalyticsInput {
    /// About what.
    pub report_type: ReportType,
    /// Of which time.
    pub period: Period,
}

/// The activities' dependencies.
pub struct MetricsActivities {
    /// The figures of the database.
    pub metrics: MetricsRepository,
    /// The figures of the workflow engine.
    pub statistics: Arc<dyn WorkflowStatistics>,
    /// What operators decide.
    pub settings: ReportSettings,
}

#[activities]
impl MetricsActivities {
    /// Says how a report is made.
    #[activity(name = "planReport")]
    pub async fn plan_report(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<PlanReportInput>,
    ) -> Result<ReportPlan, ActivityError> {
        std::future::ready(self.plan(input)).await
    }

    /// Gathers the figures of a report, all of one moment.
    #[activity(name = "gatherAnalytics")]
    pub async fn gather_analytics(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<GatherAnalyticsInput>,
    ) -> Result<MetricsDocument, ActivityError> {
        with_heartbeat(&ctx, self.gather(input)).await
    }
}

impl MetricsActivities {
    /// `planReport` without a worker around it.
    pub fn plan(&self, input: Wire<PlanReportInput>) -> Result<ReportPlan, ActivityError> {
        let input = input.into_activity_input()?;
        let zone = input.time_zone.unwrap_or(self.settings.time_zone);
        let from = input.ends_at.checked_sub_signed(TimeDelta::days(1));
        let period = Period::new(from.unwrap_or(input.ends_at), input.ends_at, zone)
            .map_err(|invalid| AnalyticsError::Invalid(format!("endsAt: {invalid}")));
        Ok(ReportPlan {
            period: period.map_err(activity_error)?,
            format: self.settings.format,
            attach_up_to: self.settings.attach_up_to,
        })
    }

    /// `gatherAnalytics` without a worker around it.
    pub async fn gather(
        &self,
        input: Wire<GatherAnalyticsInput>,
    ) -> Result<MetricsDocument, ActivityError> {
        let GatherAnalyticsInput {
            report_type,
            period,
        } = input.into_activity_input()?;
        let gathered = match report_type {
            ReportType::Sales => self.metrics.sales(period).await,
            ReportType::Analytics => self.metrics.analytics(period).await,
            ReportType::Performance => self.performance(period).await,
        };
        gathered.map_err(activity_error)
    }

    async fn performance(&self, period: Period) -> Result<MetricsDocument, AnalyticsError> {
        let metrics = PerformanceMetrics::gather(self.statistics.as_ref(), &period).await?;
        Ok(MetricsDocument {
            period,
            metrics: Metrics::Performance(metrics),
            timestamp: self.metrics.now().await?,
        })
    }
}
