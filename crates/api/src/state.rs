//! What every request needs.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use partner_adapters::StripeWebhook;
use partner_core::config::{ApiConfig, Config};
use partner_listing::repository::ReviewRepository;
use partner_payment::gateway_events::GatewayEvents;
use partner_payment::repository::GatewayEventRepository;
use partner_user::repository::InboxRepository;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::auth::{Failures, TokenVerifier};
use crate::error::{ApiError, Result};
use crate::limits::Limits;
use crate::places::Places;
use crate::repository::{KeyRepository, RequestRepository, WorkflowRepository};
use crate::schemas::Schemas;
use crate::temporal::Temporal;

/// The API's state, shared by all requests.
#[derive(Clone)]
pub struct ApiState(Arc<Api>);

/// What every request needs.
pub struct Api {
    pub(crate) config: ApiConfig,
    pub(crate) temporal: Temporal,
    pub(crate) pool: PgPool,
    pub(crate) keys: KeyRepository,
    pub(crate) requests: RequestRepository,
    pub(crate) workflows: WorkflowRepository,
    pub(crate) inboxes: InboxRepository,
    pub(crate) reviews: ReviewRepository,
    pub(crate) gateway_events: GatewayEvents,
    /// How the gateway's events are told from anyone else's, if any are taken.
    pub(crate) gateway_webhook: Option<StripeWebhook>,
    pub(crate) tokens: TokenVerifier,
    pub(crate) failures: Failures,
    pub(crate) limits: Limits,
    pub(crate) schemas: Schemas,
    /// One for each stream of events that there may be.
    pub(crate) streams: Arc<Semaphore>,
    /// Each caller's share of them.
    pub(crate) streams_of: Places,
    /// Each caller's requests that wait for a result.
    pub(crate) waits_of: Places,
    /// Becomes true when the process is to stop: streams end then.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl ApiState {
    pub(crate) fn new(
        config: &Config,
        pool: PgPool,
        schemas: Schemas,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self> {
        let api = &config.api;
        Ok(Self(Arc::new(Api {
            config: api.clone(),
            temporal: Temporal::new(config.temporal.clone(), api.dependency_timeout),
            keys: KeyRepository::new(pool.clone()),
            requests: RequestRepository::new(pool.clone()),
            workflows: WorkflowRepository::new(pool.clone()),
            inboxes: InboxRepository::new(pool.clone()),
            reviews: ReviewRepository::new(pool.clone()),
            gateway_events: GatewayEvents::new(GatewayEventRepository::new(pool.clone())),
            gateway_webhook: webhook(&config.gateway.webhook_secret),
            pool,
            tokens: TokenVerifier::new(api.jwt.clone())?,
            failures: Failures::new(api.failed_logins_per_minute),
            limits: Limits::new(api),
            schemas,
            streams: Arc::new(Semaphore::new(api.max_streams.get())),
            streams_of: Places::new("streams of events", api.max_streams_per_caller),
            waits_of: Places::new("requests that wait for a result", api.max_waits_per_caller),
            stopping,
        })))
    }
}

fn webhook(secret: &SecretString) -> Option<StripeWebhook> {
    let is_set = !secret.expose_secret().is_empty();
    is_set.then(|| StripeWebhook::new(secret.clone()))
}

impl Api {
    /// Asks the database something, within the time that there is.
    pub(crate) async fn within<T, E>(
        &self,
        answer: impl Future<Output = std::result::Result<T, E>>,
    ) -> Result<T>
    where
        ApiError: From<E>,
    {
        match timeout(self.config.dependency_timeout, answer).await {
            Ok(answer) => answer.map_err(ApiError::from),
            Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }
}

impl Deref for ApiState {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.0
    }
}
