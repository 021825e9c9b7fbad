//! What the payment domain decides, one file a workflow.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod due_subscriptions;
mod lookup;
pub mod process_payment;
pub mod reservation_expiry;
pub mod subscription_payment;
