//! The tables of the payment domain, one file an aggregate.

mod charges;
mod gateway_events;
mod inventory;
mod orders;
mod subscriptions;

pub use charges::{ChargeRepository, Conclusion, Verdict};
pub use gateway_events::{ChargedPayment, EventsToLookAt, GatewayEventRepository, PaidFor};
pub use inventory::InventoryRepository;
pub use orders::{Buyer, OrderRepository};
pub use subscriptions::{
    DueSubscription, Subscription, SubscriptionChanges, SubscriptionRepository,
};
