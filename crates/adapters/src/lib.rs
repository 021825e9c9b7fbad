//! The ports' real counterparts: the only crate that speaks HTTP and SMTP, opens stored files, and
//! keeps the embedded search index.
//!
//! One file per technology. Every adapter has explicit timeouts, sends the caller's idempotency
//! key, keeps its secret out of every error and `Debug` text, and says by its error whether the
//! call may have taken effect.

pub mod http;
pub mod http_fulfillment;
pub mod object_storage;
pub mod opensearch_index;
pub mod postgres_search_index;
mod search_position;
pub mod smtp_mailer;
pub mod stripe_gateway;
pub mod stripe_webhook;
pub mod temporal_statistics;
pub mod web_push;

#[cfg(test)]
mod testing;

pub use http::HttpConfigError;
pub use http_fulfillment::{HttpFulfillment, HttpFulfillmentConfig};
pub use object_storage::{ObjectStorage, ObjectStorageConfig, ObjectStorageConfigError};
pub use opensearch_index::{
    OpenSearchConfig, OpenSearchConfigError, OpenSearchCredentials, OpenSearchIndex,
};
pub use postgres_search_index::PostgresSearchIndex;
pub use smtp_mailer::{SmtpConfig, SmtpConfigError, SmtpMailer, SmtpTls};
pub use stripe_gateway::{StripeConfig, StripeGateway, StripePaymentMethods};
pub use stripe_webhook::{StripeWebhook, WebhookError, WebhookEvent};
pub use temporal_statistics::TemporalStatistics;
pub use web_push::{WebPushConfig, WebPushConfigError, WebPusher};
