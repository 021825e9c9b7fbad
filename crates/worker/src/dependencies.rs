//! From configuration to ports, and from ports to the domains' registries.

use std::sync::Arc;
use std::time::Duration;

use partner_adapters::{
    HttpConfigError, HttpFulfillment, HttpFulfillmentConfig, SmtpConfig, SmtpConfigError,
    SmtpMailer, SmtpTls, StripeConfig, StripeGateway, StripePaymentMethods,
};
use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::Catalog;
use partner_core::config::{self, Config};
use partner_core::database::{self, DatabaseError};
use partner_core::ports::fulfillment::Fulfillment;
use partner_core::ports::mailer::Mailer;
use partner_core::ports::payment_gateway::PaymentGateway;
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
    /// The fulfilment service.
    pub fulfillment: Arc<dyn Fulfillment>,
    /// How long stock stays reserved for an order that is not paid.
    pub reservation_ttl: Duration,
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
            pool,
            gateway: Arc::new(StripeGateway::new(stripe(&config.gateway))?),
            mailer: Arc::new(SmtpMailer::new(smtp(&config.smtp))?),
            fulfillment: Arc::new(HttpFulfillment::new(fulfillment(&config.fulfillment)?)?),
            reservation_ttl: config.payment.reservation_ttl,
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
        fulfillment,
        reservation_ttl,
        policies,
    } = dependencies;
    partner_user::register(
        options,
        partner_user::Dependencies {
            pool: pool.clone(),
            mailer,
        },
    )?;
    partner_payment::register(
        options,
        partner_payment::Dependencies {
            pool,
            gateway,
            fulfillment,
            reservation_ttl,
            policies,
        },
    )
}

/// Everything that the worker offers, by wire name.
pub fn catalog(policies: &ActivityPolicies) -> Catalog {
    Catalog::merge([
        partner_user::catalog(policies),
        partner_payment::catalog(policies),
    ])
}

fn stripe(config: &config::GatewayConfig) -> StripeConfig {
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

fn smtp(config: &config::SmtpConfig) -> SmtpConfig {
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
