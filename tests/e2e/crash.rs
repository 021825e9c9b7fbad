//! A worker that is killed in the middle of a call to another system, or of a step in the database:
//! for every workflow, a table of the points at which it may happen.
//!
//! Leases and timeouts are those of production: a run that another worker takes over must come to its
//! end with the attempts that it really has.

mod cleanup;
mod listing_approval;
mod listing_expiration;
mod notification;
mod onboarding;
mod payment;
mod reminder;
mod report;
mod subscription;
mod trap;

use std::future::ready;

use partner_core::client::Process;
use partner_local::service_process::WorkerProcess;

use self::trap::{Armed, Stop};
use crate::support::{Stage, attempts, in_time};

/// A user's row, which whoever refers to it cannot do either.
const USER: Stop = Stop::Lock("SELECT FROM users WHERE id = $1 FOR UPDATE");

/// A user's row, which others may still refer to.
const USER_ITSELF: Stop = Stop::Lock("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE");

/// The whole story of one crash: a worker is killed where the trap has caught it, and another one
/// brings the workflow to its end.
///
/// `start` starts the workflow, and `others` waits until what goes on at the same time has come to
/// its end, so that only the trapped step is cut off.
async fn crash(
    stage: &Stage,
    trap: &'static [Stop],
    start: impl Future<Output = Process>,
    others: impl Future<Output = ()>,
) -> Process {
    let armed = Armed::new(stage, trap).await;
    let worker = stage.worker().await;
    let process = start.await;
    taken_over(stage, armed, worker, process, others).await
}

/// The same of a workflow that waits when the trap is set; `go_on` is what it waits for.
async fn crash_later(
    stage: &Stage,
    trap: &'static [Stop],
    start: impl Future<Output = Process>,
    go_on: impl AsyncFnOnce(&Process),
) -> Process {
    let worker = stage.worker().await;
    let process = start.await;
    let armed = Armed::new(stage, trap).await;
    go_on(&process).await;
    taken_over(stage, armed, worker, process, ready(())).await
}

/// Kills the worker in the trap, and lets another one bring the workflow to its end.
async fn taken_over(
    stage: &Stage,
    mut armed: Armed<'_>,
    mut worker: WorkerProcess,
    process: Process,
    others: impl Future<Output = ()>,
) -> Process {
    armed.caught().await;
    others.await;
    worker.kill();
    let code = in_time("the killed worker ends", worker.wait())
        .await
        .expect("it is watched");
    assert_eq!(
        code,
        Some(128 + 9),
        "{}: it was killed, and did not end by itself",
        stage.name
    );
    armed.open().await;

    let next = stage.worker().await;
    in_time(&stage.name, process.ended())
        .await
        .expect("the workflow's end");
    next.stop().await.expect("the worker stops");
    process
}

/// The activity was done again as often as it takes, and no more.
async fn expect_attempts(stage: &Stage, process: &Process, activity: &str, expected: i32) {
    let found = attempts(process, activity).await;
    assert_eq!(found, [expected], "{}: {activity}", stage.name);
}
