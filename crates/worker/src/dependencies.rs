//! From configuration to ports, and from ports to the domains' registries.

use std::sync::Arc;
use std::time::Duration;

use partner_adapters::{
    HttpConfigError, HttpFulfillment, HttpFulfillmentConfig, ObjectStorage, ObjectStorageConfig,
    ObjectStorageConfigError, OpenSearchConfig, OpenSearchConfigError, OpenSearchCredentials,
    OpenSearchIndex, PostgresSearchIndex, SmtpConfig, SmtpConfigError, SmtpMailer, SmtpTls,
    StripeConfig, StripeGateway, StripePaymentMethods, TemporalStatistics, WebPushConfig,
    WebPushConfigError, WebPusher,
};
use partner_analytics::cleanup::CleanupSettings;
use partner_analytics::model::ReportFormat;
use partner_analytics::ports::workflow_statistics::WorkflowStatistics;
use partner_analytics::settings::{AnalyticsSettings, ReportSettings};
use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, Kind};
use partner_core::config::{self, Config};
use partner_core::database::{self, DatabaseError};
use partner_core::ports::fulfillment::Fulfillment;
use partner_core::ports::mailer::Mailer;
use partner_core::ports::object_store::ObjectStore;
use partner_core::ports::payment_gateway::PaymentGateway;
use partner_core::ports::push::Pusher;
use partner_core::ports::search_index::SearchIndex;
use partner_listing::settings::ListingSettings;
use partner_payment::BillingSettings;
use partner_user::settings::{
    NotificationSettings, OnboardingSettings, UnknownOutcome, UserSettings,
};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};

/// Everything that the domains need from outside.
#[derive(Clone)]
pub struct Dependencies {
    /// PostgreSQL, with the platform's schema.
    pub pool: PgPool,
    /// The payment gateway.
    pub gateway: Arc<dyn PaymentGateway>,
    /// The mail relay.
    pub mailer: Arc<dyn Mailer>,
    /// Web Push, if the platform has a key for it.
    pub pusher: Option<Arc<dyn Pusher>>,
    /// Object storage, if there is any.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// The fulfilment service.
    pub fulfillment: Arc<dyn Fulfillment>,
    /// What the public searches.
    pub index: Arc<dyn SearchIndex>,
    /// What the workflow engine knows about its own work.
    pub statistics: Arc<dyn WorkflowStatistics>,
    /// How long stock stays reserved for an order that is not paid.
    pub reservation_ttl: Duration,
    /// Notifications and onboarding.
    pub users: UserSettings,
    /// Recurring billing.
    pub billing: BillingSettings,
    /// Reviews and expirations.
    pub listings: ListingSettings,
    /// Reports and cleanups.
    pub analytics: AnalyticsSettings,
    /// Timeouts and retries.
    pub policies: ActivityPolicies,
}

/// Why a dependency cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// PostgreSQL.
    #[error("cannot use the database")]
    Database(#[from] DatabaseError),
    /// An HTTP client.
    #[error("cannot set up an HTTP client")]
    Http(#[from] HttpConfigError),
    /// The mail relay.
    #[error("cannot set up the mail relay")]
    Smtp(#[from] SmtpConfigError),
    /// Web Push.
    #[error("cannot set up Web Push")]
    Push(#[from] WebPushConfigError),
    /// Object storage.
    #[error("cannot set up object storage, check PARTNER__STORAGE__URL and storage.options")]
    Storage(#[from] ObjectStorageConfigError),
    /// The search index.
    #[error("cannot set up the search index, check search.*")]
    Search(#[from] OpenSearchConfigError),
    /// The search index's cluster.
    #[error("search.url is missing, set PARTNER__SEARCH__URL")]
    NoSearchCluster,
    /// The fulfilment service.
    #[error("fulfillment.base_url is missing, set PARTNER__FULFILLMENT__BASE_URL")]
    NoFulfillment,
}

impl Dependencies {
    /// Connects to everything that the configuration names, and checks the database's schema.
    ///
    /// # Errors
    /// [`DependencyError`] names what is missing.
    pub async fn connect(config: &Config) -> Result<Self, DependencyError> {
        let pool = database::connect(&config.database).await?;
        database::check_schema(&pool).await?;
        Ok(Self {
            index: index(&config.search, &pool)?,
            pool,
            gateway: Arc::new(StripeGateway::new(stripe(&config.gateway))?),
            mailer: Arc::new(SmtpMailer::new(smtp(&config.smtp))?),
            pusher: pusher(&config.push)?,
            objects: objects(&config.storage)?,
            fulfillment: Arc::new(HttpFulfillment::new(fulfillment(&config.fulfillment)?)?),
            statistics: Arc::new(statistics(config)),
            reservation_ttl: config.payment.reservation_ttl,
            users: users(config),
            billing: billing(&config.subscription),
            listings: listings(config),
            analytics: analytics(config),
            policies: config.activities,
        })
    }
}

/// Registers every domain.
///
/// # Errors
/// If two domains bring a workflow of the same name.
pub fn register(
    options: &mut WorkerOptions,
    dependencies: Dependencies,
) -> Result<(), WorkflowRegistrationError> {
    let Dependencies {
        pool,
        gateway,
        mailer,
        pusher,
        objects,
        fulfillment,
        index,
        statistics,
        reservation_ttl,
        users,
        billing,
        listings,
        analytics,
        policies,
    } = dependencies;
    partner_analytics::register(
        options,
        partner_analytics::Dependencies {
            pool: pool.clone(),
            objects: objects.clone(),
            statistics,
            settings: analytics,
            policies,
        },
    )?;
    let users = partner_user::Dependencies {
        pool: pool.clone(),
        mailer,
        pusher,
        objects,
        settings: users,
        policies,
    };
    partner_listing::register(
        options,
        partner_listing::Dependencies {
            pool: pool.clone(),
            index,
            notifier: partner_user::notifier(&users),
            settings: listings,
            policies,
        },
    )?;
    partner_user::register(options, users)?;
    partner_payment::register(
        options,
        partner_payment::Dependencies {
            pool,
            gateway,
            fulfillment,
            reservation_ttl,
            billing,
            policies,
        },
    )
}

/// Everything that the worker offers, by wire name.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    Catalog::merge([
        partner_user::catalog(policies),
        partner_payment::catalog(policies),
        partner_listing::catalog(policies),
        partner_analytics::catalog(policies),
    ])
}

pub(crate) fn stripe(config: &config::GatewayConfig) -> StripeConfig {
    let methods = config.payment_methods.clone();
    StripeConfig {
        base_url: config.base_url.clone(),
        api_key: config.api_key.clone(),
        payment_methods: StripePaymentMethods {
            card: methods.card,
            upi: methods.upi,
            wallet: methods.wallet,
        },
        connect_timeout: config.connect_timeout,
        timeout: config.timeout,
    }
}

pub(crate) fn smtp(config: &config::SmtpConfig) -> SmtpConfig {
    SmtpConfig {
        host: config.host.clone(),
        port: config.port,
        tls: match config.tls {
            config::SmtpTls::None => SmtpTls::None,
            config::SmtpTls::Starttls => SmtpTls::Starttls,
            config::SmtpTls::Implicit => SmtpTls::Implicit,
        },
        username: config.user.clone(),
        password: config.password.clone(),
        from: config.from.clone(),
        timeout: config.timeout,
        pool_size: config.pool_size.get() as usize,
    }
}

fn pusher(config: &config::PushConfig) -> Result<Option<Arc<dyn Pusher>>, WebPushConfigError> {
    let Some(config) = push(config) else {
        tracing::info!("push is off: push.vapid_private_key is not set");
        return Ok(None);
    };
    let pusher = WebPusher::new(config)?;
    tracing::info!(push.public_key = pusher.public_key(), "push is on");
    Ok(Some(Arc::new(pusher)))
}

/// Web Push, if there is a key for it.
pub(crate) fn push(config: &config::PushConfig) -> Option<WebPushConfig> {
    let has_key = !config.vapid_private_key.expose_secret().is_empty();
    has_key.then(|| WebPushConfig {
        vapid_private_key: config.vapid_private_key.clone(),
        subject: config.subject.clone(),
        connect_timeout: config.connect_timeout,
        timeout: config.timeout,
        allow_private_endpoints: config.allow_private_endpoints,
    })
}

/// The object storage that the configuration names, if it names one.
///
/// # Errors
/// [`ObjectStorageConfigError`] says what is wrong with `storage.url` or `storage.options`.
pub fn objects(
    config: &config::StorageConfig,
) -> Result<Option<Arc<dyn ObjectStore>>, ObjectStorageConfigError> {
    let Some(url) = &config.url else {
        tracing::info!("object storage is off: storage.url is not set");
        return Ok(None);
    };
    let storage = ObjectStorage::open(&ObjectStorageConfig {
        url: url.clone(),
        connect_timeout: config.connect_timeout,
        timeout: config.timeout,
        options: config.options.clone(),
    })?;
    Ok(Some(Arc::new(storage)))
}

pub(crate) fn index(
    config: &config::SearchConfig,
    pool: &PgPool,
) -> Result<Arc<dyn SearchIndex>, DependencyError> {
    match config.backend {
        config::SearchBackend::Postgres => Ok(Arc::new(PostgresSearchIndex::new(pool.clone()))),
        config::SearchBackend::OpenSearch => {
            let index = OpenSearchIndex::new(open_search(config)?)?;
            Ok(Arc::new(index))
        }
    }
}

fn open_search(config: &config::SearchConfig) -> Result<OpenSearchConfig, DependencyError> {
    let api_key = config.api_key.clone().map(OpenSearchCredentials::ApiKey);
    let user = config.user.clone().zip(config.password.clone());
    let user = user.map(|(user, password)| OpenSearchCredentials::Basic { user, password });
    Ok(OpenSearchConfig {
        base_url: config.url.clone().ok_or(DependencyError::NoSearchCluster)?,
        index: config.index.clone(),
        credentials: api_key.or(user),
        connect_timeout: config.connect_timeout,
        timeout: config.timeout,
    })
}

fn users(config: &Config) -> UserSettings {
    // The longest that an attempt may live after it passed the gate, and some time to write down
    // how it went.
    const MARGIN: Duration = Duration::from_secs(5);
    let notifications = &config.notifications;
    let onboarding = config.onboarding.clone();
    UserSettings {
        notifications: NotificationSettings {
            unknown_outcome: match notifications.unknown_outcome {
                config::UnknownOutcome::Record => UnknownOutcome::Record,
                config::UnknownOutcome::Resend => UnknownOutcome::Resend,
            },
            critical_types: notifications.critical_types.clone(),
            max_attachment_bytes: notifications.max_attachment_bytes,
            push_time_to_live: config.push.time_to_live,
            lease: config.smtp.timeout.max(config.push.timeout) + MARGIN,
        },
        onboarding: OnboardingSettings {
            portal_url: onboarding.portal_url,
            help_url: onboarding.help_url,
            support_email: onboarding.support_email,
        },
    }
}

const fn billing(config: &config::SubscriptionConfig) -> BillingSettings {
    BillingSettings {
        schedule: config.schedule,
        retry_days: config.retry_days,
        suspension_window: config.suspension_window,
    }
}

fn listings(config: &Config) -> ListingSettings {
    let listing = config.listing.clone();
    ListingSettings {
        review_window: listing.review_window,
        review_reminder: listing.review_reminder,
        expiration_reminder_days: listing.expiration_reminder_days,
        portal_url: config.onboarding.portal_url.clone(),
        review_url: listing.review_url,
    }
}

fn statistics(config: &Config) -> TemporalStatistics {
    let workflows = catalog(&config.activities).names(Kind::Workflow);
    let workflows = workflows.into_iter().map(str::to_owned).collect();
    TemporalStatistics::new(config.temporal.clone(), workflows)
}

fn analytics(config: &Config) -> AnalyticsSettings {
    let (report, cleanup) = (&config.report, &config.cleanup);
    AnalyticsSettings {
        admin: config.operations.admin.clone(),
        report: ReportSettings {
            time_zone: report.time_zone,
            format: match report.format {
                config::ReportFormat::Pdf => ReportFormat::Pdf,
                config::ReportFormat::Excel => ReportFormat::Excel,
                config::ReportFormat::Csv => ReportFormat::Csv,
            },
            max_bytes: report.max_bytes,
            attach_up_to: report.attach_up_to,
            link_ttl: report.link_ttl,
            statement_timeout: report.statement_timeout,
        },
        cleanup: CleanupSettings {
            batch_rows: cleanup.batch_rows,
            pause: cleanup.pause,
            segment_rows: cleanup.segment_rows,
            ..CleanupSettings::default()
        },
    }
}

fn fulfillment(
    config: &config::FulfillmentConfig,
) -> Result<HttpFulfillmentConfig, DependencyError> {
    Ok(HttpFulfillmentConfig {
        base_url: config
            .base_url
            .clone()
            .ok_or(DependencyError::NoFulfillment)?,
        token: config.api_key.clone(),
        connect_timeout: config.connect_timeout,
        timeout: config.timeout,
    })
}
