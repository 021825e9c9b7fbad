//! The platform with a worker of its own: what `dev`, `demo` and `bench` run on.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use partner_api::auth::{Scope, Secret};
use partner_api::repository::{KeyRepository, NewKey};
use partner_core::client::ProcessClient;
use partner_core::config::{self, Config, ConfigSources, Purpose};
use partner_core::{database, temporal};
use partner_local::platform::{Platform, PlatformOptions};
use partner_local::progress::Progress;
use partner_local::service_process::{ApiProcess, ServiceCommand, WorkerProcess};
use serde::Serialize;

/// A running platform and its worker.
pub(crate) struct Running {
    pub(crate) platform: Platform,
    pub(crate) worker: WorkerProcess,
    pub(crate) task_queue: String,
}

/// Where everything is, for people and for `--json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoints {
    temporal_address: String,
    temporal_ui: Option<String>,
    namespace: String,
    task_queue: String,
    database_url: String,
    smtp_address: String,
    inbox_url: String,
    gateway_url: String,
    gateway_api_key: String,
    fulfillment_url: String,
    push_url: String,
    storage_url: String,
    metrics_url: String,
    health_url: String,
    /// The HTTP API, and a key that may do everything.
    #[serde(flatten)]
    api: Option<ApiEndpoint>,
}

/// The HTTP API of a platform, and a key that may do everything.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiEndpoint {
    api_url: String,
    api_key: String,
}

impl Running {
    /// Starts everything. `environment` goes to the worker, over the platform's own.
    pub(crate) async fn start(
        options: PlatformOptions,
        environment: Vec<(String, String)>,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        Self::start_as("worker", options, environment, progress).await
    }

    /// The same, with this command of ours as the worker.
    pub(crate) async fn start_as(
        command: &str,
        options: PlatformOptions,
        environment: Vec<(String, String)>,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let task_queue = partner_core::task_queue::DEFAULT.to_owned();
        // Boxed: what starts the servers is too large to be carried along on every caller's stack.
        let platform = Box::pin(Platform::start(options, progress)).await?;
        let step = progress.step("starting the worker");
        let command = ServiceCommand {
            program: std::env::current_exe().context("cannot find this program's own file")?,
            arguments: vec![command.into()],
            environment: [(
                "PARTNER__TEMPORAL__TASK_QUEUE".to_owned(),
                task_queue.clone(),
            )]
            .into_iter()
            .chain(environment)
            .collect(),
        };
        let worker = Box::pin(WorkerProcess::start(&platform, command)).await?;
        step.done();
        Ok(Self {
            platform,
            worker,
            task_queue,
        })
    }

    /// A client of the platform's processes.
    pub(crate) async fn client(&self) -> anyhow::Result<ProcessClient> {
        let config = self.config(Purpose::Client)?;
        let client = temporal::connect(&config.temporal, "partner", None).await?;
        Ok(ProcessClient::new(client, self.task_queue.clone()))
    }

    /// Where everything is.
    pub(crate) fn endpoints(&self) -> Endpoints {
        let platform = &self.platform;
        Endpoints {
            temporal_address: platform.temporal.address.clone(),
            temporal_ui: platform.temporal.ui_url.clone(),
            namespace: platform.temporal.namespace.clone(),
            task_queue: self.task_queue.clone(),
            database_url: platform.database_url.clone(),
            smtp_address: platform.inbox.smtp_address().to_string(),
            inbox_url: platform.inbox.url().to_owned(),
            gateway_url: platform.gateway.url().to_owned(),
            gateway_api_key: platform.gateway.api_key().to_owned(),
            fulfillment_url: platform.fulfillment.url().to_owned(),
            push_url: platform.push.url().to_owned(),
            storage_url: platform.storage_url().to_string(),
            metrics_url: self.worker.ready.metrics_url.clone(),
            health_url: self.worker.ready.health_url.clone(),
            api: None,
        }
    }

    /// Starts the HTTP API, at this port of the loopback if one is given, and makes a key for it.
    pub(crate) async fn start_api(
        &self,
        port: Option<u16>,
        progress: &Progress,
    ) -> anyhow::Result<(ApiProcess, ApiEndpoint)> {
        let step = progress.step("starting the API");
        let environment = [
            ("PARTNER__TEMPORAL__TASK_QUEUE", self.task_queue.clone()),
            (
                "PARTNER__API__ADDRESS",
                format!("127.0.0.1:{}", port.unwrap_or(0)),
            ),
        ];
        let command = ServiceCommand {
            program: std::env::current_exe().context("cannot find this program's own file")?,
            arguments: vec!["api".into()],
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        };
        let api = Box::pin(ApiProcess::start(&self.platform, command)).await?;
        self.platform.post_gateway_events_to(&api.ready.api_url)?;
        let api_key = self.make_key().await?;
        step.done();
        let endpoint = ApiEndpoint {
            api_url: api.ready.api_url.clone(),
            api_key,
        };
        Ok((api, endpoint))
    }

    /// A key for whoever runs this platform; with a data folder, one a start.
    async fn make_key(&self) -> anyhow::Result<String> {
        let pool = database::connect(&self.config(Purpose::Database)?.database).await?;
        let secret = Secret::new()?;
        let key = NewKey {
            name: "partner dev",
            scopes: &[Scope::Admin],
            user_id: None,
            // Long enough to try things, and not for ever in a database that others use too.
            expires_at: Some(in_a_week()),
        };
        KeyRepository::new(pool.clone())
            .create(&secret, &key)
            .await?;
        pool.close().await;
        Ok(secret.expose())
    }

    fn config(&self, purpose: Purpose) -> anyhow::Result<Config> {
        let sources = ConfigSources {
            environment: self.platform.worker_environment().into_iter().collect(),
            file: None,
            default_profile: "development",
        };
        Ok(config::load(&sources, purpose)?.config)
    }

    /// Stops everything, the worker first.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.worker.stop().await?;
        self.platform.stop().await?;
        Ok(())
    }
}

impl Endpoints {
    /// The same with the HTTP API.
    #[must_use]
    pub(crate) fn with_api(mut self, api: ApiEndpoint) -> Self {
        self.api = Some(api);
        self
    }

    /// One line an endpoint.
    pub(crate) fn lines(&self) -> String {
        let api = self.api.as_ref().map_or_else(String::new, |api| {
            format!(
                "  API         {url} (try it at {url}/api/docs)\n  API key     {}\n",
                api.api_key,
                url = api.api_url,
            )
        });
        let ui = self
            .temporal_ui
            .as_deref()
            .unwrap_or("not started by this command");
        format!(
            "{api}  Temporal    {} (namespace {}, task queue {})\n  Temporal UI {ui}\n  PostgreSQL  {}\n  \
             Inbox       {} (SMTP {})\n  Gateway     {} (key {})\n  Fulfilment  {}\n  Push        {}\n  Files       {}\n  Metrics     {}\n  Health      {}/readyz",
            self.temporal_address,
            self.namespace,
            self.task_queue,
            self.database_url,
            self.inbox_url,
            self.smtp_address,
            self.gateway_url,
            self.gateway_api_key,
            self.fulfillment_url,
            self.push_url,
            self.storage_url,
            self.metrics_url,
            self.health_url,
        )
    }
}

/// What runs already and shall be used, from `TEMPORAL_ADDRESS` and `DATABASE_URL`.
pub(crate) fn external() -> PlatformOptions {
    let mut environment = ConfigSources::from_process(None, "development").environment;
    PlatformOptions {
        temporal_address: environment.remove("TEMPORAL_ADDRESS"),
        database_url: environment.remove("DATABASE_URL"),
        ..PlatformOptions::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "when a key expires is about real time"
)]
fn in_a_week() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(7)
}
