//! What this domain brings to a worker.

use std::sync::Arc;

use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, CatalogEntry};
use partner_core::ports::mailer::Mailer;
use partner_core::ports::notifier::Notifier;
use partner_core::ports::object_store::ObjectStore;
use partner_core::ports::push::Pusher;
use sqlx::PgPool;
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

use crate::activities::account::AccountActivities;
use crate::activities::email::EmailActivities;
use crate::activities::notification::NotificationActivities;
use crate::activities::welcome::WelcomeActivities;
use crate::channels::Channels;
use crate::ledger::SendLedger;
use crate::repository::{
    DeliveryRepository, NotificationRepository, PreferenceRepository, RecipientRepository,
    UserRepository,
};
use crate::settings::UserSettings;
use crate::workflows::send_notification::SendNotification;
use crate::workflows::user_onboarding::UserOnboarding;

/// What the domain needs from its host.
#[derive(Clone)]
pub struct Dependencies {
    /// PostgreSQL, with the platform's schema.
    pub pool: PgPool,
    /// The mail relay.
    pub mailer: Arc<dyn Mailer>,
    /// Web Push; without it, nobody is reached on that channel.
    pub pusher: Option<Arc<dyn Pusher>>,
    /// Where attachments are kept; without it, they can only be sent along.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// What operators decide.
    pub settings: UserSettings,
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
    let emails = emails(&dependencies);
    let policies = dependencies.policies;
    let onboarding = dependencies.settings.onboarding.clone();
    options.register_workflow_with_factory(move || SendNotification::new(policies))?;
    options.register_workflow_with_factory({
        let settings = onboarding.clone();
        move || UserOnboarding::new(policies, settings.clone())
    })?;
    options
        .register_activities(AccountActivities {
            users: UserRepository::new(dependencies.pool.clone()),
        })
        .register_activities(WelcomeActivities {
            emails: emails.clone(),
            settings: onboarding,
        })
        .register_activities(notifications(&dependencies))
        .register_activities(emails);
    Ok(())
}

fn ledger(dependencies: &Dependencies) -> SendLedger {
    let settings = &dependencies.settings.notifications;
    SendLedger::new(
        DeliveryRepository::new(dependencies.pool.clone()),
        settings.unknown_outcome,
        settings.lease,
    )
}

fn emails(dependencies: &Dependencies) -> EmailActivities {
    EmailActivities {
        ledger: ledger(dependencies),
        mailer: Arc::clone(&dependencies.mailer),
        objects: dependencies.objects.clone(),
        max_attachment_bytes: dependencies.settings.notifications.max_attachment_bytes,
    }
}

fn notifications(dependencies: &Dependencies) -> NotificationActivities {
    let pool = &dependencies.pool;
    let settings = dependencies.settings.notifications.clone();
    NotificationActivities {
        recipients: RecipientRepository::new(pool.clone()),
        preferences: PreferenceRepository::new(pool.clone()),
        notifications: NotificationRepository::new(pool.clone()),
        deliveries: DeliveryRepository::new(pool.clone()),
        ledger: ledger(dependencies),
        channels: Channels::new(
            pool,
            Arc::clone(&dependencies.mailer),
            dependencies.pusher.clone(),
            settings.push_time_to_live,
        ),
        settings,
    }
}

/// The domain's way to tell people something, for the activities of other domains.
pub fn notifier(dependencies: &Dependencies) -> Arc<dyn Notifier> {
    Arc::new(notifications(dependencies))
}

/// The domain's part of `partner catalog`.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    Catalog {
        entries: [
            CatalogEntry::workflow("sendNotificationWorkflow", &[]),
            CatalogEntry::workflow("userOnboardingWorkflow", &[]),
            activities(policies),
        ]
        .concat(),
    }
}

fn activities(policies: &ActivityPolicies) -> Vec<CatalogEntry> {
    vec![
        CatalogEntry::local_activity("updateUserStatus", policies.notification().unbounded()),
        CatalogEntry::activity("sendWelcomePackage", policies.notification().heartbeating()),
        CatalogEntry::activity("sendEmail", policies.notification().heartbeating()),
        CatalogEntry::activity("sendNotification", policies.notification().heartbeating()),
        CatalogEntry::local_activity("planNotification", policies.notification()),
        CatalogEntry::local_activity("processNotification", policies.notification().unbounded()),
    ]
}
