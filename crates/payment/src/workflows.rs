//! What the payment domain decides, one file a workflow.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod process_payment;
pub mod subscription_payment;
