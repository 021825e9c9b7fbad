//! `storeReport` and `linkReport`: a report under its name, and how people get at it.

use std::sync::Arc;

use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::ports::object_store::{ObjectStore, ObjectStoreError};
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::report::GeneratedReport;
use crate::error::AnalyticsError;
use crate::settings::ReportSettings;

/// A report to store under a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreReportInput {
    /// The report.
    pub report: GeneratedReport,
    /// Its name, such as `sales-2026-11-28.pdf`.
    pub file_name: String,
}

/// A report to link to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkReportInput {
    /// Where it is stored.
    pub report_url: String,
}

/// How people get at a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkReportResult {
    /// An address that anyone can open for some days; none where the store gives no such addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// The activities' dependencies.
pub struct StorageActivities {
    /// Where reports are kept.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// What operators decide.
    pub settings: ReportSettings,
}

#[activities]
impl StorageActivities {
    /// Stores a report under its name, and answers with its address.
    #[activity(name = "storeReport")]
    pub async fn store_report(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<StoreReportInput>,
    ) -> Result<String, ActivityError> {
        with_heartbeat(&ctx, self.store(input)).await
    }

    /// Makes an address at which anyone can fetch a report for some days.
    #[activity(name = "linkReport")]
    pub async fn link_report(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Wire<LinkReportInput>,
    ) -> Result<LinkReportResult, ActivityError> {
        self.link(input).await
    }
}

impl StorageActivities {
    /// `storeReport` without a worker around it.
    pub async fn store(&self, input: Wire<StoreReportInput>) -> Result<String, ActivityError> {
        let input = input.into_activity_input()?;
        self.move_to(&input).await.map_err(activity_error)
    }

    /// `linkReport` without a worker around it.
    pub async fn link(
        &self,
        input: Wire<LinkReportInput>,
    ) -> Result<LinkReportResult, ActivityError> {
        let input = input.into_activity_input()?;
        let link = self.link_to(&input.report_url).await;
        Ok(LinkReportResult {
            link: link.map_err(activity_error)?,
        })
    }

    /// The file is copied as a stream and only then deleted where it was made: whenever this stops,
    /// the next attempt finds it at one of the two places.
    async fn move_to(&self, input: &StoreReportInput) -> Result<String, AnalyticsError> {
        let objects = self.objects()?;
        let report = &input.report;
        let name = format!("reports/{}/{}", report.report_type, input.file_name);
        match objects.open(&report.content).await {
            Ok(made) => {
                let stored = objects.create(&name, made.content).await?;
                objects.delete(&report.content).await?;
                Ok(stored.reference)
            }
            Err(ObjectStoreError::NotFound(_)) => self.stored_before(report, &name).await,
            Err(error) => Err(error.into()),
        }
    }

    /// A file that an earlier attempt stored; it must be the report.
    async fn stored_before(
        &self,
        report: &GeneratedReport,
        name: &str,
    ) -> Result<String, AnalyticsError> {
        let objects = self.objects()?;
        let reference = objects.reference(name)?;
        let content = objects.read(&reference, self.settings.max_bytes).await?;
        if hex::encode(Sha256::digest(&content)) == report.sha256 {
            Ok(reference)
        } else {
            Err(ObjectStoreError::AlreadyExists(reference).into())
        }
    }

    async fn link_to(&self, reference: &str) -> Result<Option<String>, AnalyticsError> {
        let link = self.objects()?.link(reference, self.settings.link_ttl);
        Ok(link.await?.map(Into::into))
    }

    fn objects(&self) -> Result<&dyn ObjectStore, AnalyticsError> {
        self.objects.as_deref().ok_or(AnalyticsError::NoStorage)
    }
}
