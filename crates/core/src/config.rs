//! Configuration: read once, in main; validated whole; passed down by value.
//!
//! Layers, each over the one before: the embedded `config/default.toml`; the embedded
//! `config/{development,production}.toml` that `PARTNER_ENV` names; the file that `PARTNER_CONFIG`
//! (or `--config`) names; the environment, as `PARTNER__SECTION__KEY` or by the names that the
//! platform has always had (`TEMPORAL_ADDRESS`, `DATABASE_URL`, `SMTP_HOST`, ...).
//!
//! Secrets are given as `key` or, from a file, as `key_file`. They never print.

mod api;
mod load;
mod rules;
mod schedules;
mod sections;

pub use api::{ApiConfig, JwtConfig};
pub use load::{ConfigError, ConfigSources, Loaded, Purpose, load};
pub use schedules::{ScheduledCleanups, ScheduledReport, ScheduledReports, SchedulesConfig};
pub use sections::{
    CleanupConfig, Compression, Config, DatabaseConfig, FulfillmentConfig, GatewayConfig,
    ListingConfig, LogConfig, LogFormat, NotificationsConfig, OnboardingConfig, OperationsConfig,
    PaymentConfig, PaymentMethodIds, PushConfig, ReportConfig, ReportFormat, SearchBackend,
    SearchConfig, SmtpConfig, SmtpTls, StorageConfig, SubscriptionConfig, SubscriptionSchedule,
    TemporalConfig, TemporalTls, UnknownOutcome, WorkerConfig,
};
