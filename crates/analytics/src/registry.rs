//! What this domain brings to a worker.

use std::sync::Arc;

use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, CatalogEntry};
use partner_core::ports::object_store::ObjectStore;
use sqlx::PgPool;
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

use crate::activities::cleanup::CleanupActivities;
use crate::cleanup::Cleanup;
use crate::repository::cleanup::CleanupRepository;
use crate::settings::AnalyticsSettings;

/// What the domain needs from its host.
#[derive(Clone)]
pub struct Dependencies {
    /// PostgreSQL, with the platform's schema.
    pub pool: PgPool,
    /// Object storage, if there is any: without it there are neither reports nor cleanups.
    pub objects: Option<Arc<dyn ObjectStore>>,
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
        settings,
        policies: _,
    } = dependencies;
    options.register_activities(CleanupActivities {
        cleanup: Cleanup::new(CleanupRepository::new(pool), objects, settings.cleanup),
    });
    Ok(())
}

/// The domain's part of `partner catalog`.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    Catalog {
        entries: activities(policies),
    }
}

fn activities(policies: &ActivityPolicies) -> Vec<CatalogEntry> {
    let cleanup = policies.cleanup();
    vec![
        CatalogEntry::activity("identifyCleanupItems", cleanup.heartbeating()),
        CatalogEntry::activity("backupData", cleanup.heartbeating()),
        CatalogEntry::activity("deleteItems", cleanup.heartbeating()),
        CatalogEntry::local_activity("logCleanupOperation", cleanup),
        CatalogEntry::activity("restoreBackup", cleanup.heartbeating()),
    ]
}
