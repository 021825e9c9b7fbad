//! Heartbeats for calls that may take long, at no cost for those that do not.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use temporalio_sdk::activities::ActivityContext;

/// The first heartbeat goes out after this long: a call that is answered sooner costs none.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);

/// How long the server waits for a heartbeat before it gives the activity to another worker.
///
/// This, not the timeout of the whole attempt, is how long a killed worker's call stays unfinished.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs `work`, with a heartbeat at every [`HEARTBEAT_INTERVAL`].
pub async fn with_heartbeat<T>(ctx: &ActivityContext, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut ticks = tokio::time::interval(HEARTBEAT_INTERVAL);
    ticks.tick().await; // the first tick is immediate
    loop {
        match select(work.as_mut(), pin!(ticks.tick())).await {
            Either::Left((done, _)) => return done,
            // A lost heartbeat is not an error: the next one follows.
            Either::Right(_) => {
                let _ = ctx.record_heartbeat(()).await;
            }
        }
    }
}
