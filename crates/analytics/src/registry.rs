//! What this domain brings to a worker.

use std::sync::Arc;

use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, CatalogEntry};
use partner_core::ports::object_store::ObjectStore;
use sqlx::PgPool;
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

use crate::activities::audit::AuditActivities;
use crate::activities::cleanup::CleanupActivities;
use crate::activities::metrics::MetricsActivities;
use crate::activities::reminder::ReminderActivities;
use crate::activities::report::ReportActivities;
use crate::activities::storage::StorageActivities;
use crate::cleanup::Cleanup;
use crate::ports::workflow_statistics::WorkflowStatistics;
use crate::repository::cleanup::CleanupRepository;
use crate::repository::{MetricsRepository, ReminderRepository, ReportLogRepository};
use crate::settings::AnalyticsSettings;
use crate::workflows::daily_report::DailyReport;
use crate::workflows::data_cleanup::DataCleanup;
use crate::workflows::reminder::Reminder;

/// What the domain needs from its host.
#[derive(Clone)]
pub struct Dependencies {
    /// PostgreSQL, with the platform's schema.
    pub pool: PgPool,
    /// Object storage, if there is any: without it there are neither reports nor cleanups.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// What the workflow engine knows about its own work.
    pub statistics: Arc<dyn WorkflowStatistics>,
    /// What operators decide.
    pub settings: AnalyticsSettings,
    /// Timeouts and retries.
    pub policies: ActivityPolicies,
}

/// Registers the domain's workflows and activities.
///
/// # Errors
/// If a workflow of the same name is already registered.
pub fn register(
    options: &mut WorkerOptions,
    dependencies: Dependencies,
) -> Result<(), WorkflowRegistrationError> {
    let Dependencies {
        pool,
        objects,
        statistics,
        settings,
        policies,
    } = dependencies;
    let (reports, cleanups) = (settings.admin.clone(), settings.admin);
    options.register_workflow_with_factory(move || DailyReport::new(policies, reports.clone()))?;
    options.register_workflow_with_factory(move || DataCleanup::new(policies, cleanups.clone()))?;
    options.register_workflow_with_factory(move || Reminder::new(policies))?;
    let report = settings.report;
    let cleanups = CleanupRepository::new(pool.clone());
    options
        .register_activities(MetricsActivities {
            metrics: MetricsRepository::new(pool.clone(), report.statement_timeout),
            statistics,
            settings: report.clone(),
        })
        .register_activities(ReportActivities {
            objects: objects.clone(),
            settings: report.clone(),
        })
        .register_activities(StorageActivities {
            objects: objects.clone(),
            settings: report,
        })
        .register_activities(AuditActivities {
            reports: ReportLogRepository::new(pool.clone()),
        })
        .register_activities(CleanupActivities {
            cleanup: Cleanup::new(cleanups, objects, settings.cleanup),
        })
        .register_activities(ReminderActivities {
            reminders: ReminderRepository::new(pool),
        });
    Ok(())
}

/// The domain's part of `partner catalog`.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    Catalog {
        entries: [
            CatalogEntry::workflow("dailyReportWorkflow", &["pause", "resume", "updateConfig"]),
            CatalogEntry::workflow("dataCleanupWorkflow", &["pause", "resume", "updateConfig"]),
            CatalogEntry::workflow("reminderWorkflow", &["reschedule", "cancel"]),
            activities(policies),
        ]
        .concat(),
    }
}

fn activities(policies: &ActivityPolicies) -> Vec<CatalogEntry> {
    let step = policies.analytics();
    let cleanup = policies.cleanup();
    vec![
        CatalogEntry::local_activity("planReport", step),
        CatalogEntry::activity("gatherAnalytics", step.heartbeating()),
        CatalogEntry::activity("generateReport", step.heartbeating()),
        CatalogEntry::activity("storeReport", step.heartbeating()),
        CatalogEntry::local_activity("linkReport", step),
        CatalogEntry::local_activity("logReportGeneration", step.unbounded()),
        CatalogEntry::activity("identifyCleanupItems", cleanup.heartbeating()),
        CatalogEntry::activity("backupData", cleanup.heartbeating()),
        CatalogEntry::activity("deleteItems", cleanup.heartbeating()),
        CatalogEntry::local_activity("logCleanupOperation", cleanup.unbounded()),
        CatalogEntry::activity("restoreBackup", cleanup.heartbeating()),
        CatalogEntry::local_activity("validateReminder", step.unbounded()),
        CatalogEntry::local_activity("markReminderSent", step.unbounded()),
    ]
}
