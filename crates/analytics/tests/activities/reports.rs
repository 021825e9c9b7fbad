//! `planReport`, `gatherAnalytics`, `generateReport`, `storeReport`, `linkReport` and
//! `logReportGeneration`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use partner_adapters::{ObjectStorage, ObjectStorageConfig};
use partner_analytics::activities::audit::{AuditActivities, LogReportGenerationInput};
use partner_analytics::activities::metrics::{
    GatherAnalyticsInput, MetricsActivities, PlanReportInput,
};
use partner_analytics::activities::report::{
    GenerateReportInput, GeneratedReport, ReportActivities,
};
use partner_analytics::activities::storage::{
    LinkReportInput, StorageActivities, StoreReportInput,
};
use partner_analytics::model::{ReportFormat, ReportType, Window};
use partner_analytics::ports::workflow_statistics::{
    QueueBacklog, WorkflowOutcomes, WorkflowStatistics, WorkflowStatisticsError,
};
use partner_analytics::repository::{MetricsRepository, ReportLogRepository};
use partner_analytics::settings::ReportSettings;
use partner_core::ports::object_store::{ObjectStore, content};
use sqlx::PgPool;
use tempfile::TempDir;
use temporalio_sdk::activities::ActivityError;
use url::Url;

use crate::database::fresh_database;
use crate::support::failed;

const OWN_ID: &str = "report/run";

/// An engine that has started one payment in each window.
struct Engine;

#[async_trait::async_trait]
impl WorkflowStatistics for Engine {
    async fn outcomes(
        &self,
        _window: Window,
    ) -> Result<Vec<WorkflowOutcomes>, WorkflowStatisticsError> {
        Ok(vec![WorkflowOutcomes {
            workflow_type: "processPaymentWorkflow".to_owned(),
            started: 1,
            completed: 1,
            failed: 0,
            cancelled: 0,
            timed_out: 0,
            terminated: 0,
            latency: None,
            failures: Vec::new(),
        }])
    }

    async fn backlogs(&self) -> Result<Vec<QueueBacklog>, WorkflowStatisticsError> {
        Err(WorkflowStatisticsError::Unavailable("down".to_owned()))
    }
}

struct World {
    pool: PgPool,
    objects: Arc<dyn ObjectStore>,
    settings: ReportSettings,
    home: TempDir,
}

impl World {
    async fn start() -> Result<Self> {
        let home = tempfile::tempdir()?;
        let url = Url::from_directory_path(home.path()).map_err(|()| anyhow!("no path"))?;
        let objects = ObjectStorage::open(&ObjectStorageConfig {
            url,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            options: std::collections::BTreeMap::new(),
        })?;
        Ok(Self {
            pool: fresh_database().await?,
            objects: Arc::new(objects),
            settings: ReportSettings {
                time_zone: Tz::Asia__Kolkata,
                format: ReportFormat::Pdf,
                max_bytes: 1_000_000,
                attach_up_to: 7,
                link_ttl: Duration::from_mins(1),
                statement_timeout: Duration::from_mins(1),
            },
            home,
        })
    }

    fn metrics(&self) -> MetricsActivities {
        MetricsActivities {
            metrics: MetricsRepository::new(self.pool.clone(), self.settings.statement_timeout),
            statistics: Arc::new(Engine),
            settings: self.settings.clone(),
        }
    }

    fn storage(&self) -> StorageActivities {
        StorageActivities {
            objects: Some(Arc::clone(&self.objects)),
            settings: self.settings.clone(),
        }
    }

    /// What a sales report of this moment is made of.
    async fn wanted(&self, format: ReportFormat) -> Result<GenerateReportInput> {
        let plan = PlanReportInput {
            ends_at: "2026-12-02T08:00:00Z".parse()?,
            time_zone: None,
        };
        let plan = self.metrics().plan(plan.into()).map_err(failed)?;
        let question = GatherAnalyticsInput {
            report_type: ReportType::Sales,
            period: plan.period,
        };
        let data = self.metrics().gather(question.into()).await;
        Ok(GenerateReportInput {
            report_type: ReportType::Sales,
            data: data.map_err(failed)?,
            format,
            operation_id: None,
        })
    }

    async fn generate(&self, wanted: GenerateReportInput) -> Result<GeneratedReport> {
        let activities = ReportActivities {
            objects: Some(Arc::clone(&self.objects)),
            settings: self.settings.clone(),
        };
        let made = activities.generate(wanted.into(), OWN_ID).await;
        made.map_err(failed)
    }

    async fn store(&self, report: &GeneratedReport, file_name: &str) -> Result<String> {
        let input = StoreReportInput {
            report: report.clone(),
            file_name: file_name.to_owned(),
        };
        self.storage().store(input.into()).await.map_err(failed)
    }
}

#[tokio::test]
async fn a_plan_covers_the_24_hours_before_by_the_readers_clock() -> Result<()> {
    let world = World::start().await?;
    let ends_at: DateTime<Utc> = "2026-12-02T08:00:00Z".parse()?;
    for (given, zone) in [
        (None, Tz::Asia__Kolkata),
        (Some(Tz::Europe__Berlin), Tz::Europe__Berlin),
    ] {
        let plan = PlanReportInput {
            ends_at,
            time_zone: given,
        };
        let plan = world.metrics().plan(plan.into()).map_err(failed)?;
        assert_eq!(plan.period.time_zone(), zone);
        assert_eq!(plan.period.window().to, ends_at);
        assert_eq!(
            plan.period.window().from.to_rfc3339(),
            "2026-12-01T08:00:00+00:00"
        );
        assert_eq!((plan.format, plan.attach_up_to), (ReportFormat::Pdf, 7));
    }
    Ok(())
}

#[tokio::test]
async fn an_engine_that_cannot_be_asked_is_asked_again() -> Result<()> {
    let world = World::start().await?;
    let question = GatherAnalyticsInput {
        report_type: ReportType::Performance,
        period: world.wanted(ReportFormat::Pdf).await?.data.period,
    };
    let error = world.metrics().gather(question.into()).await.unwrap_err();
    let ActivityError::Application(failure) = error else {
        panic!("{error:?}");
    };
    assert!(!failure.is_non_retryable(), "{failure:?}");
    Ok(())
}

#[tokio::test]
async fn a_report_is_made_once_however_often_it_is_asked_for() -> Result<()> {
    let world = World::start().await?;
    for format in ReportFormat::ALL {
        let mut wanted = world.wanted(format).await?;
        wanted.operation_id = Some(format!("report/{format}"));
        let first = world.generate(wanted.clone()).await?;
        let second = world.generate(wanted).await?;
        assert_eq!(first, second);
        assert_eq!(first.generated_at, first.data.timestamp);
        let stored = world.objects.read(&first.content, 1_000_000).await?;
        assert_eq!(stored.len() as u64, first.bytes);
    }
    Ok(())
}

/// A deployment in the middle: the attempt before was another build's, which rendered otherwise.
#[tokio::test]
async fn what_another_build_made_of_the_same_report_is_made_anew() -> Result<()> {
    let world = World::start().await?;
    let wanted = world.wanted(ReportFormat::Pdf).await?;
    let made = world.generate(wanted.clone()).await?;
    let name = world.objects.name(&made.content)?;
    world.objects.delete(&made.content).await?;
    world.objects.create(&name, content("another")).await?;
    assert_eq!(world.generate(wanted).await?, made);
    let stored = world.objects.read(&made.content, 1_000_000).await?;
    assert!(stored.starts_with(b"%PDF-"));
    Ok(())
}

#[tokio::test]
async fn a_report_that_is_too_large_is_refused_and_not_stored() -> Result<()> {
    let mut world = World::start().await?;
    world.settings.max_bytes = 10;
    let wanted = world.wanted(ReportFormat::Csv).await?;
    let error = world.generate(wanted).await.unwrap_err();
    assert!(error.to_string().contains("at most 10"), "{error}");
    let made = world.home.path().join("reports");
    assert!(!made.exists(), "{}", made.display());
    Ok(())
}

#[tokio::test]
async fn figures_of_another_report_are_refused() -> Result<()> {
    let world = World::start().await?;
    let mut wanted = world.wanted(ReportFormat::Csv).await?;
    wanted.report_type = ReportType::Analytics;
    let error = world.generate(wanted).await.unwrap_err();
    assert!(error.to_string().starts_with("data: expected"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_report_is_stored_under_its_name_once() -> Result<()> {
    let world = World::start().await?;
    let made = world
        .generate(world.wanted(ReportFormat::Pdf).await?)
        .await?;
    let content = world.objects.read(&made.content, 1_000_000).await?;
    for _ in 0..2 {
        let url = world.store(&made, "sales-1.pdf").await?;
        assert!(url.ends_with("/reports/sales/sales-1.pdf"), "{url}");
        assert_eq!(world.objects.read(&url, 1_000_000).await?, content);
        let left = world.objects.read(&made.content, 1_000_000).await;
        assert!(left.is_err(), "it is kept once");
    }
    Ok(())
}

/// Killed between the copy and the deletion.
#[tokio::test]
async fn a_report_that_was_copied_before_is_stored() -> Result<()> {
    let world = World::start().await?;
    let made = world
        .generate(world.wanted(ReportFormat::Pdf).await?)
        .await?;
    let copy = world.objects.open(&made.content).await?.content;
    world
        .objects
        .create("reports/sales/sales-1.pdf", copy)
        .await?;
    let url = world.store(&made, "sales-1.pdf").await?;
    assert!(
        world
            .objects
            .read(&url, 1_000_000)
            .await?
            .starts_with(b"%PDF-")
    );
    Ok(())
}

#[tokio::test]
async fn the_file_of_another_report_is_never_overwritten() -> Result<()> {
    let world = World::start().await?;
    let mut wanted = world.wanted(ReportFormat::Csv).await?;
    let first = world.generate(wanted.clone()).await?;
    let url = world.store(&first, "sales-1.csv").await?;
    let content = world.objects.read(&url, 1_000_000).await?;
    wanted.operation_id = Some("another".to_owned());
    wanted.data.timestamp += chrono::TimeDelta::days(1);
    let second = world.generate(wanted).await?;
    for _ in 0..2 {
        let error = world.store(&second, "sales-1.csv").await.unwrap_err();
        assert!(error.to_string().contains("another content"), "{error}");
    }
    assert_eq!(world.objects.read(&url, 1_000_000).await?, content);
    Ok(())
}

#[tokio::test]
async fn a_report_that_is_nowhere_cannot_be_stored() -> Result<()> {
    let world = World::start().await?;
    let made = world
        .generate(world.wanted(ReportFormat::Csv).await?)
        .await?;
    world.objects.delete(&made.content).await?;
    let error = world.store(&made, "sales-1.csv").await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_folder_gives_no_links() -> Result<()> {
    let world = World::start().await?;
    let made = world
        .generate(world.wanted(ReportFormat::Csv).await?)
        .await?;
    let input = LinkReportInput {
        report_url: made.content,
    };
    let linked = world.storage().link(input.into()).await.map_err(failed)?;
    assert_eq!(linked.link, None);
    Ok(())
}

#[tokio::test]
async fn without_object_storage_there_are_no_reports() -> Result<()> {
    let world = World::start().await?;
    let activities = ReportActivities {
        objects: None,
        settings: world.settings.clone(),
    };
    let wanted = world.wanted(ReportFormat::Csv).await?;
    let error = activities.generate(wanted.into(), OWN_ID).await;
    let error = failed(error.err().context("no storage")?);
    assert!(error.to_string().contains("storage.url"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_report_is_on_record_once() -> Result<()> {
    let world = World::start().await?;
    let activities = AuditActivities {
        reports: ReportLogRepository::new(world.pool.clone()),
    };
    for recipients in [3, 2] {
        let input = LogReportGenerationInput {
            report_type: ReportType::Sales,
            recipient_count: recipients,
            report_url: "file:///reports/sales-1.pdf".to_owned(),
            generated_at: DateTime::UNIX_EPOCH,
            failed_count: 1,
            operation_id: None,
        };
        activities.log(input.into(), OWN_ID).await.map_err(failed)?;
    }
    let logged: Vec<(String, i32, i32)> =
        sqlx::query_as("SELECT operation_id, recipient_count, failed_count FROM report_log")
            .fetch_all(&world.pool)
            .await?;
    assert_eq!(logged, [(OWN_ID.to_owned(), 3, 1)]);
    Ok(())
}
