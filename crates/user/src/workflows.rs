//! What the user domain decides, one file a workflow.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod send_notification;
pub mod user_onboarding;
