//! What this domain brings to a worker.

use std::sync::Arc;

use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, CatalogEntry};
use partner_core::ports::notifier::Notifier;
use partner_core::ports::search_index::SearchIndex;
use sqlx::PgPool;
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

use crate::activities::expiration::ExpirationActivities;
use crate::activities::quality::QualityActivities;
use crate::activities::review::ReviewActivities;
use crate::activities::search::SearchActivities;
use crate::activities::status::StatusActivities;
use crate::activities::submission::SubmissionActivities;
use crate::activities::validation::ValidationActivities;
use crate::repository::{
    AuditRepository, DecisionRepository, ExpirationRepository, IndexWriteRepository,
    ListingRepository, ReviewerRepository,
};
use crate::settings::ListingSettings;
use crate::workflows::expiring_listings::ExpiringListings;
use crate::workflows::listing_approval::ListingApproval;
use crate::workflows::listing_expiration::ListingExpiration;

/// What the domain needs from its host.
#[derive(Clone)]
pub struct Dependencies {
    /// PostgreSQL, with the platform's schema.
    pub pool: PgPool,
    /// What the public searches.
    pub index: Arc<dyn SearchIndex>,
    /// How people are told.
    pub notifier: Arc<dyn Notifier>,
    /// What operators decide.
    pub settings: ListingSettings,
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
        index,
        notifier,
        settings,
        policies,
    } = dependencies;
    let (approval, expiration) = (settings.clone(), settings.clone());
    options
        .register_workflow_with_factory(move || ListingApproval::new(policies, approval.clone()))?;
    options.register_workflow_with_factory(move || {
        ListingExpiration::new(policies, expiration.clone())
    })?;
    options.register_workflow_with_factory(move || ExpiringListings::new(policies))?;
    let listings = ListingRepository::new(pool.clone());
    let decisions = DecisionRepository::new(pool.clone());
    options
        .register_activities(ValidationActivities)
        .register_activities(QualityActivities)
        .register_activities(SubmissionActivities {
            listings: listings.clone(),
            settings: settings.clone(),
        })
        .register_activities(StatusActivities {
            listings,
            decisions: decisions.clone(),
        })
        .register_activities(ReviewActivities {
            decisions,
            audit: AuditRepository::new(pool.clone()),
            reviewers: ReviewerRepository::new(pool.clone()),
            notifier: Arc::clone(&notifier),
            settings: settings.clone(),
        })
        .register_activities(SearchActivities {
            writes: IndexWriteRepository::new(pool.clone()),
            index,
        })
        .register_activities(ExpirationActivities {
            expirations: ExpirationRepository::new(pool),
            notifier,
            settings,
        });
    Ok(())
}

/// The domain's part of `partner catalog`.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    let approval = "listingApprovalWorkflow";
    Catalog {
        entries: [
            CatalogEntry::workflow(approval, &["approve", "reject", "listingUpdated"]),
            vec![CatalogEntry::update("decide", approval)],
            CatalogEntry::workflow("listingExpirationWorkflow", &["renew"]),
            CatalogEntry::workflow("expiringListingsWorkflow", &[]),
            activities(policies),
        ]
        .concat(),
    }
}

fn activities(policies: &ActivityPolicies) -> Vec<CatalogEntry> {
    let step = policies.listing();
    vec![
        CatalogEntry::local_activity("submitListing", step.unbounded()),
        CatalogEntry::local_activity("validateListing", step),
        CatalogEntry::local_activity("runAutomatedChecks", step),
        CatalogEntry::local_activity("updateListingStatus", step.unbounded()),
        CatalogEntry::activity("notifyReviewers", step.heartbeating()),
        CatalogEntry::local_activity("approveListing", step.unbounded()),
        CatalogEntry::local_activity("rejectListing", step.unbounded()),
        CatalogEntry::activity("publishToSearchIndex", step.heartbeating().unbounded()),
        CatalogEntry::activity("removeFromSearchIndex", step.heartbeating().unbounded()),
        CatalogEntry::local_activity("startListingExpiration", step.unbounded()),
        CatalogEntry::local_activity("getListingStatus", step.unbounded()),
        CatalogEntry::local_activity("expireListing", step.unbounded()),
        CatalogEntry::local_activity("renewListing", step.unbounded()),
        CatalogEntry::activity("sendExpirationReminder", step.heartbeating()),
        CatalogEntry::activity("startDueExpirations", policies.cleanup().heartbeating()),
    ]
}
