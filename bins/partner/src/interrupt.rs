//! Ctrl-C and SIGTERM: what was started is stopped before the process ends.

use futures::FutureExt;
use futures::future::{Either, select};
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a command that was interrupted, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Resolves when someone asks the process to stop.
pub(crate) async fn interrupted() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    select(interrupt.recv().boxed(), terminate.recv().boxed()).await;
    Ok(())
}

/// Runs `work` until it is done, or until someone asks the process to stop: then `None`.
pub(crate) async fn or_interrupted<T>(work: impl Future<Output = T>) -> std::io::Result<Option<T>> {
    match select(Box::pin(work), interrupted().boxed()).await {
        Either::Left((done, _)) => Ok(Some(done)),
        Either::Right((stopped, _)) => stopped.map(|()| None),
    }
}
