//! The whole platform on this machine: the servers, the simulators, and what a worker needs to know
//! of them.

use std::path::PathBuf;

use futures::try_join;
use partner_core::database::MIGRATOR;
use sqlx::PgPool;
use url::Url;

use crate::error::{LocalError, Result};
use crate::files::FileStorage;
use crate::fulfillment::{FulfillmentOptions, FulfillmentSimulator};
use crate::gateway::{GatewayOptions, GatewaySimulator, WebhookOptions};
use crate::inbox::{Inbox, InboxOptions};
use crate::postgres::{PostgresOptions, PostgresServer};
use crate::progress::Progress;
use crate::push::{PushOptions, PushSimulator, new_vapid_key};
use crate::temporal::{TemporalOptions, TemporalServer};

/// The database that the platform's worker uses.
pub const DATABASE: &str = "partner";

/// What the gateway signs its events with. They come from this machine to this machine.
const WEBHOOK_SECRET: &str = "whsec_partner_local";

/// What to start, and where.
#[derive(Debug, Clone, Default)]
pub struct PlatformOptions {
    /// A Temporal service that runs already (`TEMPORAL_ADDRESS`).
    pub temporal_address: Option<String>,
    /// A PostgreSQL server that runs already (`DATABASE_URL`).
    pub database_url: Option<String>,
    /// Where data stays for the next run; without it, everything goes with the platform.
    pub data_dir: Option<PathBuf>,
    /// Whether to start Temporal's web UI.
    pub ui: bool,
    /// Ports that shall not be any free ones.
    pub ports: PlatformPorts,
}

/// Fixed ports; `None` takes a free one.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlatformPorts {
    /// Temporal's gRPC service.
    pub temporal: Option<u16>,
    /// Temporal's web UI.
    pub temporal_ui: Option<u16>,
    /// PostgreSQL.
    pub postgres: Option<u16>,
    /// The inbox's SMTP server.
    pub smtp: Option<u16>,
    /// The inbox's web page.
    pub inbox: Option<u16>,
    /// The payment gateway.
    pub gateway: Option<u16>,
    /// The fulfilment service.
    pub fulfillment: Option<u16>,
    /// The push service.
    pub push: Option<u16>,
}

/// A running platform. Dropping it stops what it started; [`Platform::stop`] also waits for that.
#[derive(Debug)]
pub struct Platform {
    /// Temporal.
    pub temporal: TemporalServer,
    /// PostgreSQL.
    pub postgres: PostgresServer,
    /// The mail inbox.
    pub inbox: Inbox,
    /// The payment gateway.
    pub gateway: GatewaySimulator,
    /// The fulfilment service.
    pub fulfillment: FulfillmentSimulator,
    /// The push service.
    pub push: PushSimulator,
    /// Object storage: what lies in this folder, a worker reads.
    pub files: PathBuf,
    /// The address of the platform's database, password included.
    pub database_url: String,
    storage: FileStorage,
    /// The key of the platform's workers, as senders of push messages.
    vapid_private_key: String,
}

impl Platform {
    /// Starts everything that does not run already, and brings the database's schema up to date.
    ///
    /// # Errors
    /// [`LocalError`] names what is missing and the remedy.
    pub async fn start(options: PlatformOptions, progress: &Progress) -> Result<Self> {
        if let Some(folder) = &options.data_dir {
            std::fs::create_dir_all(folder).map_err(|source| LocalError::File {
                action: "make",
                path: folder.clone(),
                source,
            })?;
        }
        let (temporal, (postgres, database_url)) =
            try_join!(temporal(&options, progress), postgres(&options, progress))?;
        let PlatformPorts {
            smtp,
            inbox,
            gateway,
            fulfillment,
            push,
            ..
        } = options.ports;
        let storage = FileStorage::open(options.data_dir.as_deref())?;
        let state_file = options
            .data_dir
            .as_ref()
            .map(|folder| folder.join("gateway.json"));
        Ok(Self {
            temporal,
            postgres,
            inbox: Inbox::start(InboxOptions {
                smtp_port: smtp.unwrap_or(0),
                http_port: inbox.unwrap_or(0),
                ..InboxOptions::default()
            })
            .await?,
            gateway: GatewaySimulator::start(GatewayOptions {
                port: gateway.unwrap_or(0),
                state_file,
                ..GatewayOptions::default()
            })
            .await?,
            fulfillment: FulfillmentSimulator::start(FulfillmentOptions {
                port: fulfillment.unwrap_or(0),
                ..FulfillmentOptions::default()
            })
            .await?,
            push: PushSimulator::start(PushOptions {
                port: push.unwrap_or(0),
            })
            .await?,
            files: storage.folder().to_owned(),
            storage,
            vapid_private_key: new_vapid_key(),
            database_url,
        })
    }

    /// The environment of a worker of this platform. It wins over whatever the process inherits, so
    /// that a demo never reaches a real gateway or a real person.
    pub fn worker_environment(&self) -> Vec<(String, String)> {
        let smtp = self.inbox.smtp_address();
        [
            ("PARTNER_ENV", "development".to_owned()),
            ("PARTNER_CONFIG", String::new()),
            ("PARTNER__TEMPORAL__ADDRESS", self.temporal.address.clone()),
            (
                "PARTNER__TEMPORAL__NAMESPACE",
                self.temporal.namespace.clone(),
            ),
            ("PARTNER__DATABASE__URL", self.database_url.clone()),
            ("PARTNER__SMTP__HOST", smtp.ip().to_string()),
            ("PARTNER__SMTP__PORT", smtp.port().to_string()),
            ("PARTNER__SMTP__TLS", "none".to_owned()),
            ("PARTNER__SMTP__USER", String::new()),
            ("PARTNER__SMTP__PASSWORD", String::new()),
            ("PARTNER__GATEWAY__BASE_URL", self.gateway.url().to_owned()),
            (
                "PARTNER__GATEWAY__API_KEY",
                self.gateway.api_key().to_owned(),
            ),
            (
                "PARTNER__GATEWAY__WEBHOOK_SECRET",
                WEBHOOK_SECRET.to_owned(),
            ),
            (
                "PARTNER__FULFILLMENT__BASE_URL",
                self.fulfillment.url().to_owned(),
            ),
            (
                "PARTNER__FULFILLMENT__API_KEY",
                self.fulfillment.token().to_owned(),
            ),
            (
                "PARTNER__PUSH__VAPID_PRIVATE_KEY",
                self.vapid_private_key.clone(),
            ),
            ("PARTNER__PUSH__ALLOW_PRIVATE_ENDPOINTS", "true".to_owned()),
            ("PARTNER__STORAGE__URL", self.storage.url().to_string()),
            ("PARTNER__WORKER__METRICS_ADDRESS", "127.0.0.1:0".to_owned()),
            ("PARTNER__WORKER__HEALTH_ADDRESS", "127.0.0.1:0".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The address of the object storage: what every reference to a file in it begins with.
    pub const fn storage_url(&self) -> &Url {
        self.storage.url()
    }

    /// Lets the gateway post its events to the HTTP API at this address, signed as it expects.
    ///
    /// # Errors
    /// [`LocalError`] if no HTTP client can be made.
    pub fn post_gateway_events_to(&self, api_url: &str) -> Result<()> {
        self.gateway.post_events_to(WebhookOptions {
            url: format!("{api_url}/api/v1/webhooks/gateway"),
            secret: WEBHOOK_SECRET.to_owned(),
        })?;
        Ok(())
    }

    /// Stops everything that was started, and waits until it is gone.
    ///
    /// # Errors
    /// [`LocalError`] if a server does not end.
    pub async fn stop(self) -> Result<()> {
        let (temporal, postgres, files) = futures::join!(
            self.temporal.stop(),
            self.postgres.stop(),
            self.storage.stop()
        );
        temporal.and(postgres).and(files)
    }
}

async fn temporal(options: &PlatformOptions, progress: &Progress) -> Result<TemporalServer> {
    if let Some(address) = &options.temporal_address {
        return Ok(TemporalServer::external(address));
    }
    let temporal = TemporalOptions {
        db_filename: options
            .data_dir
            .as_ref()
            .map(|folder| folder.join("temporal.db")),
        port: options.ports.temporal,
        ui: options.ui,
        ui_port: options.ports.temporal_ui,
        ..TemporalOptions::default()
    };
    TemporalServer::start(temporal, progress).await
}

async fn postgres(
    options: &PlatformOptions,
    progress: &Progress,
) -> Result<(PostgresServer, String)> {
    let (server, url) = if let Some(url) = &options.database_url {
        (PostgresServer::external(url)?, url.clone())
    } else {
        let postgres = PostgresOptions {
            data_dir: options
                .data_dir
                .as_ref()
                .map(|folder| folder.join("postgres")),
            port: options.ports.postgres,
        };
        let server = PostgresServer::start(postgres, progress).await?;
        server.create_database(DATABASE).await?;
        let url = server.url(DATABASE);
        (server, url)
    };
    migrate(&url).await?;
    Ok((server, url))
}

/// Brings a database's schema up to date.
///
/// # Errors
/// [`LocalError::Database`] if it cannot be reached or was migrated by another build.
pub async fn migrate(url: &str) -> Result<()> {
    let failed = |source| LocalError::Database {
        action: "migrate the database".to_owned(),
        source,
    };
    let pool = PgPool::connect(url).await.map_err(failed)?;
    let migrated = MIGRATOR.run(&pool).await;
    pool.close().await;
    migrated.map_err(|error| failed(sqlx::Error::Migrate(Box::new(error))))
}
