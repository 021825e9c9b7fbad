//! Finding out how a charge went, for as long as it takes.

use std::pin::pin;

use futures::FutureExt;
use partner_core::error::ErrorCode;
use partner_core::problem::Problem;
use temporalio_sdk::workflows::select;
use temporalio_sdk::{WaitConditionOptions, WorkflowCancellationToken, WorkflowContext};

/// How often the gateway may make a lookup begin anew: it has few things to say of one charge, and each
/// time costs some ten events.
const MOST_ANEW: u32 = 10;

/// Looks until it is known how a charge went; anew, and at once, when the gateway says that something
/// happened to it, however long the lookup would still have paused.
///
/// Cancelling the workflow ends neither: money may have moved.
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
    for _ in 0..MOST_ANEW {
        let seen = ctx.state(events);
        let token = WorkflowCancellationToken::new();
        let mut looking = pin!(lookup(token.clone()).fuse());
        let mut told = pin!(told_more(ctx, events, seen).fuse());
        select! {
            found = looking => return found,
            () = told => {}
        };
        token.cancel();
        // It may have come to its end at the same moment: then that counts.
        match looking.await {
            Err(problem) if problem.code == ErrorCode::Cancelled => {}
            ended => return ended,
        }
    }
    lookup(WorkflowCancellationToken::new()).await
}

/// Waits until the gateway has said more. Not for a cancellation, of which a wait hears otherwise: the
/// lookup would begin anew without end.
async fn told_more<W>(ctx: &WorkflowContext<W>, events: fn(&W) -> u32, seen: u32) {
    let mut options = WaitConditionOptions::default();
    options.cancellation_token = Some(WorkflowCancellationToken::new());
    // Nobody cancels this token.
    let _ = ctx
        .wait_condition_with_options(move |state| events(state) != seen, options)
        .await;
}
