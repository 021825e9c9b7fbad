//! Ports: the systems that we do not own, one file each. PostgreSQL has none (see ARCHITECTURE.md).

pub mod fulfillment;
pub mod mailer;
pub mod payment_gateway;
