//! Ports: the systems that we do not own, one file each. PostgreSQL has none (see ARCHITECTURE.md).

pub mod fulfillment;
pub mod hand_over;
pub mod mailer;
pub mod notifier;
pub mod object_store;
pub mod payment_gateway;
pub mod push;
pub mod search_index;
