//! What the listing domain does, one file a group of activities.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod expiration;
mod expiring;
pub mod quality;
pub mod review;
pub mod search;
pub mod status;
pub mod submission;
pub mod validation;

use temporalio_sdk::activities::ActivityContext;

/// Who acts, for the audit trail: the workflow that runs the activity.
fn actor(ctx: &ActivityContext) -> String {
    let info = ctx.info();
    let workflow = info.workflow_id.as_deref();
    workflow.unwrap_or(&info.activity_type).to_owned()
}
