//! Heartbeats that carry how far the work is.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures::future::{Either, select};
use partner_core::heartbeat::HEARTBEAT_INTERVAL;
use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

/// The heartbeats of one attempt.
pub(super) struct Beat<'a, C> {
    ctx: &'a ActivityContext,
    /// Where the attempt is, or the one before it was.
    cursor: Mutex<Option<C>>,
}

impl<'a, C: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Beat<'a, C> {
    /// Begins where the last attempt was when it was last heard of.
    pub(super) fn of(ctx: &'a ActivityContext) -> Self {
        // Details that cannot be read are those of an older build: the work begins anew.
        let details = ctx.heartbeat_details().deserialize::<Option<C>>();
        Self {
            ctx,
            cursor: Mutex::new(details.ok().flatten().flatten()),
        }
    }

    /// Where the last attempt was.
    pub(super) fn begun(&self) -> Option<C> {
        self.lock().clone()
    }

    /// The work has got this far.
    pub(super) fn reach(&self, cursor: C) {
        *self.lock() = Some(cursor);
    }

    /// Does the work, and says all the while how far it is. It is dropped when the activity is
    /// cancelled, or the worker stops: all of it can be stopped anywhere.
    pub(super) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, ActivityError>>,
    ) -> Result<T, ActivityError> {
        let mut work = pin!(work);
        let mut cancelled = pin!(self.ctx.cancelled());
        let mut ticks = tokio::time::interval(HEARTBEAT_INTERVAL);
        ticks.tick().await; // the first tick is immediate
        loop {
            let tick = pin!(ticks.tick());
            match select(work.as_mut(), select(cancelled.as_mut(), tick)).await {
                Either::Left((done, _)) => return done,
                Either::Right((Either::Left(_), _)) => return Err(ActivityError::cancelled()),
                // A lost heartbeat is not an error: the next one follows.
                Either::Right((Either::Right(_), _)) => {
                    let cursor = self.begun();
                    let _ = self.ctx.record_heartbeat(cursor).await;
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<C>> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
