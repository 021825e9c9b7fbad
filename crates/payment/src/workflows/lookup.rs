//! Finding out how a charge went, for as long as it takes.

use std::pin::pin;

use futures::FutureExt;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use temporalio_sdk::workflows::select;
use temporalio_sdk::{WorkflowCancellationToken, WorkflowContext};

/// Looks until it is known how a charge went; anew, and at once, whenever the gateway says that
/// something happened to it, however long the lookup would still have paused.
///
/// `events` counts what the gateway said; `lookup` begins one, which its token ends.
///
/// # Errors
/// What the lookup failed with.
pub(super) async fn until_known<W, T, L>(
    ctx: &WorkflowContext<W>,
    events: fn(&W) -> u32,
    lookup: impl Fn(WorkflowCancellationToken) -> L,
) -> Result<T, Problem>
where
    L: Future<Output = Result<T, Problem>>,
{
    loop {
        let seen = ctx.state(events);
        let token = WorkflowCancellationToken::new();
        let mut looking = pin!(lookup(token.clone()).fuse());
        select! {
            found = looking => return found,
            _ = ctx.wait_condition(move |state| events(state) != seen) => {}
        };
        token.cancel();
        // It may have come to its end at the same moment: then that counts.
        match looking.await {
            Err(problem) if problem.code == ErrorCode::Cancelled => {}
            ended => return ended,
        }
    }
}
