//! What the analytics domain does, one file a group of activities.
#![expect(missing_docs, reason = "the SDK's macros write undocumented markers")]

pub mod audit;
pub mod cleanup;
pub mod metrics;
pub mod reminder;
pub mod report;
pub mod storage;

use temporalio_sdk::activities::ActivityContext;

/// The id of an operation whose caller gives none: one run of a workflow does one.
fn own_id(ctx: &ActivityContext) -> String {
    let info = ctx.info();
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!(
        "{}/{}",
        part(&info.workflow_id),
        part(&info.workflow_run_id)
    )
}
