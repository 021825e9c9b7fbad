//! The ports' real counterparts: the only crate that speaks HTTP and SMTP.
//!
//! One file per technology. Every adapter has explicit timeouts, sends the caller's idempotency
//! key, keeps its secret out of every error and `Debug` text, and says by its error whether the
//! call may have taken effect.

pub mod http;
pub mod http_fulfillment;
pub mod smtp_mailer;
pub mod stripe_gateway;
pub mod stripe_webhook;

#[cfg(test)]
mod testing;

pub use http::HttpConfigError;
pub use http_fulfillment::{HttpFulfillment, HttpFulfillmentConfig};
pub use smtp_mailer::{SmtpConfig, SmtpConfigError, SmtpMailer, SmtpTls};
pub use stripe_gateway::{StripeConfig, StripeGateway, StripePaymentMethods};
pub use stripe_webhook::{StripeWebhook, WebhookError, WebhookEvent};
