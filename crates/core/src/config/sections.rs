//! The sections, one struct each. `config/default.toml` explains every key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::api::ApiConfig;
use super::schedules::SchedulesConfig;
use crate::activity_options::ActivityPolicies;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The Temporal service.
    pub temporal: TemporalConfig,
    /// The worker process.
    pub worker: WorkerConfig,
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// The mail relay.
    pub smtp: SmtpConfig,
    /// The payment gateway.
    pub gateway: GatewayConfig,
    /// The fulfilment service.
    pub fulfillment: FulfillmentConfig,
    /// The payment domain.
    pub payment: PaymentConfig,
    /// Recurring billing.
    pub subscription: SubscriptionConfig,
    /// Listings: their review and their expiration.
    pub listing: ListingConfig,
    /// Notifications on every channel.
    pub notifications: NotificationsConfig,
    /// Web Push.
    pub push: PushConfig,
    /// Object storage.
    pub storage: StorageConfig,
    /// The search index.
    pub search: SearchConfig,
    /// What a new partner is told.
    pub onboarding: OnboardingConfig,
    /// Who looks after the platform.
    pub operations: OperationsConfig,
    /// Reports.
    pub report: ReportConfig,
    /// The cleanup of old data.
    pub cleanup: CleanupConfig,
    /// Recurring work.
    pub schedules: SchedulesConfig,
    /// The HTTP API.
    pub api: ApiConfig,
    /// Timeouts and retries of the activities.
    pub activities: ActivityPolicies,
    /// Logs.
    pub log: LogConfig,
}

/// The Temporal service.
#[derive(Debug, Clone, Deserialize)]
pub struct TemporalConfig {
    /// `host:port` of the frontend.
    pub address: String,
    /// The namespace.
    pub namespace: String,
    /// The task queue of this worker.
    pub task_queue: String,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How calls are compressed.
    pub compression: Compression,
    /// An API key (Temporal Cloud); implies TLS.
    #[serde(default)]
    pub api_key: Option<SecretString>,
    /// TLS.
    pub tls: TemporalTls,
}

/// How calls to the Temporal service are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// With gzip.
    Gzip,
}

/// TLS towards the Temporal service.
#[derive(Debug, Clone, Deserialize)]
pub struct TemporalTls {
    /// Whether to use TLS.
    pub enabled: bool,
    /// The name that the server's certificate must carry, if it is not the host.
    #[serde(default)]
    pub server_name: Option<String>,
    /// A PEM file with the authority that signed the server's certificate.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the client's certificate (mTLS).
    #[serde(default)]
    pub cert_file: Option<PathBuf>,
    /// A PEM file with the client's private key (mTLS).
    #[serde(default)]
    pub key_file: Option<PathBuf>,
}

/// The worker process.
#[derive(Debug, Clone, Deserialize)]
pub struct WorkerConfig {
    /// Remote activities at once.
    pub max_concurrent_activities: NonZeroUsize,
    /// Workflow tasks at once.
    pub max_concurrent_workflows: NonZeroUsize,
    /// Local activities at once.
    pub max_concurrent_local_activities: NonZeroUsize,
    /// Polls for workflow tasks under way at once.
    pub workflow_pollers: NonZeroUsize,
    /// Polls for activity tasks under way at once.
    pub activity_pollers: NonZeroUsize,
    /// Workflows kept in memory between their tasks.
    pub max_cached_workflows: NonZeroUsize,
    /// How long running activities may go on after a signal to stop.
    #[serde(with = "humantime_serde")]
    pub shutdown_grace: Duration,
    /// How much later the process exits even if something still runs.
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
    /// Where Prometheus scrapes `/metrics`.
    pub metrics_address: SocketAddr,
    /// Where `/livez` and `/readyz` answer.
    pub health_address: SocketAddr,
}

/// PostgreSQL.
#[derive(Debug, Clone, Deserialize)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host/database`.
    #[serde(default)]
    pub url: SecretString,
    /// Connections at most.
    pub max_connections: NonZeroU32,
    /// How long to wait for a free connection.
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
    /// The longest that one statement may take.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
}

/// How the connection to the mail relay is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Not at all; for a relay on this machine.
    None,
    /// STARTTLS, required.
    Starttls,
    /// TLS from the first byte.
    Implicit,
}

/// The mail relay.
#[derive(Debug, Clone, Deserialize)]
pub struct SmtpConfig {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: SmtpTls,
    /// The user, if the relay asks for one.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// The sender: `Name <address>`.
    pub from: String,
    /// The longest that one command may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Connections at most.
    pub pool_size: NonZeroU32,
}

/// The payment gateway.
#[derive(Debug, Clone, Deserialize)]
pub struct GatewayConfig {
    /// The API's base address.
    pub base_url: Url,
    /// The secret key.
    #[serde(default)]
    pub api_key: SecretString,
    /// What the gateway signs its events with; without it, the API takes none.
    #[serde(default)]
    pub webhook_secret: SecretString,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long one call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The gateway's payment method for each of the contract's.
    pub payment_methods: PaymentMethodIds,
}

/// The gateway's payment method for each of the contract's.
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentMethodIds {
    /// For `card`.
    pub card: String,
    /// For `upi`.
    pub upi: String,
    /// For `wallet`.
    pub wallet: String,
}

/// The fulfilment service.
#[derive(Debug, Clone, Deserialize)]
pub struct FulfillmentConfig {
    /// The API's base address.
    #[serde(default)]
    pub base_url: Option<Url>,
    /// The bearer token.
    #[serde(default)]
    pub api_key: SecretString,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long one call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

/// The payment domain.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PaymentConfig {
    /// How long stock stays reserved for an order that is not paid.
    #[serde(with = "humantime_serde")]
    pub reservation_ttl: Duration,
}

/// Who makes the next attempt, and the next period's payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionSchedule {
    /// Whoever starts the workflow: one attempt a run.
    Caller,
    /// The workflow itself, by durable timers.
    Durable,
}

/// Recurring billing.
#[derive(Debug, Clone, Deserialize)]
pub struct SubscriptionConfig {
    /// Who makes the next attempt, and the next period's payment.
    pub schedule: SubscriptionSchedule,
    /// How many days after the first failed attempt the second is made, and after the second the
    /// third.
    pub retry_days: [u16; 2],
    /// How long a durable schedule waits for a suspended subscription to be paid after all.
    #[serde(with = "humantime_serde")]
    pub suspension_window: Duration,
}

/// Listings.
#[derive(Debug, Clone, Deserialize)]
pub struct ListingConfig {
    /// How long reviewers have for a decision.
    #[serde(with = "humantime_serde")]
    pub review_window: Duration,
    /// How long before the end of that they are reminded; zero for never.
    #[serde(with = "humantime_serde")]
    pub review_reminder: Duration,
    /// How many days before a listing expires its owner is reminded.
    pub expiration_reminder_days: Vec<u16>,
    /// Where reviewers decide.
    pub review_url: Url,
}

/// Who looks after the platform.
#[derive(Debug, Clone, Deserialize)]
pub struct OperationsConfig {
    /// Who is told how reports and cleanups went: a user's id, or an email address.
    pub admin: String,
}

/// As what a report is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportFormat {
    /// For reading.
    Pdf,
    /// A workbook.
    Excel,
    /// For programs.
    Csv,
}

/// Reports.
#[derive(Debug, Clone, Deserialize)]
pub struct ReportConfig {
    /// The clock of those who read them: an IANA time zone.
    pub time_zone: Tz,
    /// As what they are made.
    pub format: ReportFormat,
    /// How many bytes one may have.
    pub max_bytes: u64,
    /// Up to how many bytes one is attached to its mails; a larger one is linked.
    pub attach_up_to: u64,
    /// How long such a link works.
    #[serde(with = "humantime_serde")]
    pub link_ttl: Duration,
    /// How long one query of a report may take.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
}

/// The cleanup of old data.
#[derive(Debug, Clone, Deserialize)]
pub struct CleanupConfig {
    /// How many rows one statement deletes.
    pub batch_rows: NonZeroU32,
    /// How long the database has for others between two such statements.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
    /// How many rows a file of the backup has at most.
    pub segment_rows: NonZeroU32,
}

/// What to do about a message whose handing over was cut off: it may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownOutcome {
    /// Write it down as possibly delivered, and do not send it again.
    Record,
    /// Send it again: rather twice than never.
    Resend,
}

/// Notifications on every channel.
#[derive(Debug, Clone, Deserialize)]
pub struct NotificationsConfig {
    /// What to do about a message that may have arrived.
    pub unknown_outcome: UnknownOutcome,
    /// Types that go out at once, also at night and to users who muted them.
    pub critical_types: Vec<String>,
    /// The most that the attachments of a mail may have together, in bytes.
    pub max_attachment_bytes: u64,
}

/// Web Push.
#[derive(Debug, Clone, Deserialize)]
pub struct PushConfig {
    /// The application server's key: P-256, 32 bytes, base64url. Without it, there is no push.
    #[serde(default)]
    pub vapid_private_key: SecretString,
    /// Whom a push service tells of trouble: `mailto:` or `https:` (RFC 8292).
    pub subject: String,
    /// How long a push service keeps a message for a device that is offline.
    #[serde(with = "humantime_serde")]
    pub time_to_live: Duration,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long one call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Whether subscriptions at this machine and in private networks are served: for development.
    pub allow_private_endpoints: bool,
}

/// Object storage.
#[derive(Debug, Clone, Deserialize)]
pub struct StorageConfig {
    /// Where files are: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or
    /// `az://container/prefix`. Without it, there are none.
    #[serde(default)]
    pub url: Option<Url>,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long one call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The store's own options, its credentials among them.
    pub options: BTreeMap<String, SecretString>,
}

/// What keeps the search index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchBackend {
    /// The platform's own database.
    Postgres,
    /// An Elasticsearch or `OpenSearch` cluster.
    OpenSearch,
}

/// The search index.
#[derive(Debug, Clone, Deserialize)]
pub struct SearchConfig {
    /// What keeps it. All other keys are for a cluster.
    pub backend: SearchBackend,
    /// The cluster's address.
    #[serde(default)]
    pub url: Option<Url>,
    /// The index, or an alias of one.
    pub index: String,
    /// The user, if the cluster asks for one.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// Elasticsearch's API key instead of a user: the base64 of `id:key`.
    #[serde(default)]
    pub api_key: Option<SecretString>,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long one call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

/// What a new partner is told.
#[derive(Debug, Clone, Deserialize)]
pub struct OnboardingConfig {
    /// Where partners work.
    pub portal_url: Url,
    /// Where they read how.
    pub help_url: Url,
    /// Whom they ask.
    pub support_email: String,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Human,
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
pub struct LogConfig {
    /// How they are written.
    pub format: LogFormat,
    /// What is written: `tracing`'s filter syntax.
    pub filter: String,
}
