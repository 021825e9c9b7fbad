//! The tables of the payment domain, one file an aggregate.

mod charges;
mod inventory;
mod orders;
mod subscriptions;

pub use charges::{ChargeRepository, Conclusion, Verdict};
pub use inventory::InventoryRepository;
pub use orders::{Buyer, OrderRepository};
pub use subscriptions::{Subscription, SubscriptionChanges, SubscriptionRepository};
