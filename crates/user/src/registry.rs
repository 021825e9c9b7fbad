//! What this domain brings to a worker.

use std::sync::Arc;

use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, CatalogEntry};
use partner_core::ports::mailer::Mailer;
use sqlx::PgPool;
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

use crate::activities::email::EmailActivities;
use crate::repository::DeliveryRepository;

/// What the domain needs from its host.
#[derive(Clone)]
pub struct Dependencies {
    /// PostgreSQL, with the platform's schema.
    pub pool: PgPool,
    /// The mail relay.
    pub mailer: Arc<dyn Mailer>,
}

/// Registers the domain's workflows and activities.
///
/// # Errors
/// If a workflow of the same name is already registered.
pub fn register(
    options: &mut WorkerOptions,
    dependencies: Dependencies,
) -> Result<(), WorkflowRegistrationError> {
    let Dependencies { pool, mailer } = dependencies;
    options.register_activities(EmailActivities {
        deliveries: DeliveryRepository::new(pool),
        mailer,
    });
    Ok(())
}

/// The domain's part of `partner catalog`.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    Catalog {
        entries: vec![CatalogEntry::activity("sendEmail", policies.notification())],
    }
}
