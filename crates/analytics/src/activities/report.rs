//! `generateReport`: from the figures to a file in object storage.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use partner_core::error::activity_error;
use partner_core::heartbeat::with_heartbeat;
use partner_core::ports::object_store::{ObjectStore, ObjectStoreError, StoredObject, content};
use partner_core::wire::Wire;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use super::own_id;
use crate::error::AnalyticsError;
use crate::metrics::MetricsDocument;
use crate::model::{ReportFormat, ReportType};
use crate::report::render;
use crate::settings::ReportSettings;

/// What to make a report of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateReportInput {
    /// What it is about.
    pub report_type: ReportType,
    /// The figures.
    pub data: MetricsDocument,
    /// As what.
    pub format: ReportFormat,
    /// The operation's own id; without it, that of the workflow's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
}

/// A report that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedReport {
    /// What it is about.
    #[serde(rename = "type")]
    pub report_type: ReportType,
    /// As what it was made.
    pub format: ReportFormat,
    /// The figures.
    pub data: MetricsDocument,
    /// When the figures were read: the report is dated by it.
    pub generated_at: DateTime<Utc>,
    /// Where it is kept until it is stored under its name.
    pub content: String,
    /// How many bytes it has.
    #[serde(default)]
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    #[serde(default)]
    pub sha256: String,
}

/// The activity's dependencies.
pub struct ReportActivities {
    /// Where reports are kept.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// What operators decide.
    pub settings: ReportSettings,
}

#[activities]
impl ReportActivities {
    /// Renders a report, and puts it into object storage.
    #[activity(name = "generateReport")]
    pub async fn generate_report(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: Wire<GenerateReportInput>,
    ) -> Result<GeneratedReport, ActivityError> {
        let own_id = own_id(&ctx);
        with_heartbeat(&ctx, self.generate(input, &own_id)).await
    }
}

impl ReportActivities {
    /// `generateReport` without a worker around it.
    pub async fn generate(
        &self,
        input: Wire<GenerateReportInput>,
        own_id: &str,
    ) -> Result<GeneratedReport, ActivityError> {
        let input = input.into_activity_input()?;
        self.make(input, own_id).await.map_err(activity_error)
    }

    /// The same figures make the same bytes under the same name: a retry finds its own file.
    async fn make(
        &self,
        input: GenerateReportInput,
        own_id: &str,
    ) -> Result<GeneratedReport, AnalyticsError> {
        let objects = self.objects.as_deref().ok_or(AnalyticsError::NoStorage)?;
        let found = input.data.metrics.report_type();
        if found != input.report_type {
            return Err(AnalyticsError::Invalid(format!(
                "data: expected the figures of a {} report, got {found}",
                input.report_type
            )));
        }
        let operation = input.operation_id.as_deref().unwrap_or(own_id);
        let name = format!(
            "reports/made/{}.{}",
            hex::encode(Sha256::digest(operation)),
            input.format.extension()
        );
        let (data, format, limit) = (input.data, input.format, self.settings.max_bytes);
        let generated_at = data.timestamp;
        let rendered = tokio::task::spawn_blocking(move || {
            let file = render(&data, format, generated_at, limit);
            (data, file)
        });
        let (data, file) = rendered.await.map_err(|error| AnalyticsError::Rendering {
            format,
            reason: error.to_string(),
        })?;
        let stored = keep(objects, &name, file?.into()).await?;
        tracing::info!(
            report.r#type = %input.report_type,
            report.content = stored.reference,
            bytes = stored.bytes,
            "report made"
        );
        Ok(GeneratedReport {
            report_type: input.report_type,
            format,
            data,
            generated_at,
            content: stored.reference,
            bytes: stored.bytes,
            sha256: stored.sha256,
        })
    }
}

/// Keeps a report under a name that only its own operation has.
///
/// Another content under it is what an attempt of another version of this program made, right before
/// it was replaced: it is made anew, and nobody has seen the first.
async fn keep(
    objects: &dyn ObjectStore,
    name: &str,
    file: Bytes,
) -> Result<StoredObject, ObjectStoreError> {
    match objects.create(name, content(file.clone())).await {
        Err(ObjectStoreError::AlreadyExists(reference)) => {
            objects.delete(&reference).await?;
            objects.create(name, content(file)).await
        }
        kept => kept,
    }
}
