//! The tables of the user domain, one file an aggregate.

mod deliveries;
mod inbox;
mod notifications;
mod preferences;
mod push_subscriptions;
mod recipients;
mod users;

pub use deliveries::{
    BeginRules, Begun, Delivery, DeliveryKey, DeliveryOutcome, DeliveryRepository, DeliveryState,
    Standing,
};
pub use inbox::{InboxMessage, InboxRepository};
pub use notifications::{NotificationRecord, NotificationRepository};
pub use preferences::{PreferenceRepository, Preferences};
pub use push_subscriptions::{PushSubscription, PushSubscriptionRepository};
pub use recipients::{ReachableUser, Recipient, RecipientRepository};
pub use users::{Profile, StatusChange, UserRepository};
