//! Stopping: no new work, running work to its end, and a deadline that nothing outlives.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::health::Health;
use crate::run::Outcome;

/// The signals that mean "stop".
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// From here on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        match select(self.interrupt.recv().boxed(), self.terminate.recv().boxed()).await {
            Either::Left(_) => "SIGINT",
            Either::Right(_) => "SIGTERM",
        }
    }
}

/// On the first signal asks the worker to stop; on the second, or at the deadline, ends the process.
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the deadline is about real time, and holds whatever the runtime is busy with"
)]
pub(crate) async fn stop_on_signal(
    mut signals: StopSignals,
    health: Health,
    stop: impl Fn(),
    deadline: Duration,
) {
    let name = signals.next().await;
    tracing::info!(
        signal = name,
        "stopping: no new work, running activities may finish"
    );
    health.set_ready(false);
    stop();
    match select(signals.next().boxed(), tokio::time::sleep(deadline).boxed()).await {
        Either::Left(_) => {
            tracing::error!("stopped by a second signal: running activities were cut off");
        }
        Either::Right(_) => tracing::error!(
            deadline_seconds = deadline.as_secs(),
            "the deadline passed: running activities were cut off, the server will give them to another worker"
        ),
    }
    std::process::exit(i32::from(Outcome::CutOff.exit_code()));
}
