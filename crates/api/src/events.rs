//! A workflow's states as they come.

use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{self, Stream};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::auth::Caller;
use crate::progress::{WorkflowState, state};
use crate::state::ApiState;

/// How often a workflow is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// A workflow's states: the first one, then each that differs from the one before, until its end, the
/// longest time that a stream may last, or the end of this process.
///
/// While Temporal does not answer the stream is silent; what has changed by then follows.
pub(crate) fn of<E, F>(
    api: ApiState,
    caller: Caller,
    id: String,
    first: WorkflowState,
    event: F,
) -> impl Stream<Item = E>
where
    F: Fn(&WorkflowState) -> E,
{
    let end = Instant::now() + api.config.max_stream;
    let mut ticks = interval_at(Instant::now() + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopping = api.stopping.clone();
    let begun = (None::<WorkflowState>, Some(first), ticks, stopping, event);
    stream::unfold(
        begun,
        move |(mut last, mut next, mut ticks, mut stopping, event)| {
            let (api, caller, id) = (api.clone(), caller.clone(), id.clone());
            async move {
                if last.as_ref().is_some_and(|last| last.closed_at.is_some()) {
                    return None;
                }
                loop {
                    if let Some(state) = next.take()
                        && last.as_ref() != Some(&state)
                    {
                        let item = event(&state);
                        last = Some(state);
                        return Some((item, (last, next, ticks, stopping, event)));
                    }
                    let stopped = std::pin::pin!(stopping.wait_for(|stopping| *stopping));
                    let tick = std::pin::pin!(ticks.tick());
                    if let Either::Left(_) = select(stopped, tick).await {
                        return None;
                    }
                    if Instant::now() > end {
                        return None;
                    }
                    next = state(&api, &caller, &id).await.ok();
                }
            }
        },
    )
}
