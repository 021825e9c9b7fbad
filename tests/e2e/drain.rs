//! A worker that is asked to stop while it is in the middle of something.

use partner_core::client::Process;
use partner_local::gateway::{Fault, FaultMode};
use partner_local::service_process::WorkerProcess;

use crate::support::{Host, PATIENCE, Stage, attempts, get, in_time, on_platform, until};

const CHARGE: &str = "processPaymentGateway";

/// An order whose charge is under way, the gateway's answer outstanding.
async fn charging(
    host: &'static Host,
    name: &str,
    variables: &[(&str, &str)],
) -> (Stage, WorkerProcess, Process) {
    let stage = Stage::with_order(host, name).await;
    let gateway = &stage.platform().gateway;
    gateway.set_fault(name, Fault::once(FaultMode::Hold));
    let worker = stage.worker_with(variables).await;
    let process = stage.pay().await;
    gateway
        .wait_until_held(name, PATIENCE)
        .await
        .expect("the charge is under way");
    (stage, worker, process)
}

/// Waits until the worker says that it takes no more work.
async fn not_ready(worker: &WorkerProcess) {
    let probe = format!("{}/readyz", worker.ready.health_url);
    until("readyz turns 503", async || {
        let (status, _) = get(&probe)
            .await
            .expect("a draining worker still answers probes");
        (status == 503).then_some(())
    })
    .await;
}

#[test]
fn a_worker_told_to_stop_finishes_the_charge_under_way_and_exits_0() {
    on_platform(async |host| {
        let (stage, mut worker, process) = charging(host, "drain", &[]).await;
        worker.terminate();
        not_ready(&worker).await;
        let (status, _) = get(&format!("{}/livez", worker.ready.health_url))
            .await
            .expect("an answer");
        assert_eq!(status, 200, "a draining worker is alive");
        assert_eq!(
            stage.platform().gateway.release(&stage.name),
            1,
            "the charge was still under way"
        );
        let code = in_time("the worker drains", worker.wait())
            .await
            .expect("it is watched");
        assert_eq!(code, Some(0), "{}", worker.log_tail());

        let next = stage.worker().await;
        stage.expect_paid_once(&process).await;
        stage.expect_one_mail();
        assert_eq!(
            attempts(&process, CHARGE).await,
            [1],
            "the first worker finished what it had begun"
        );
        next.stop().await.expect("the worker stops");
    });
}

#[test]
fn a_worker_whose_charge_outlasts_the_deadline_exits_3_and_another_finishes_it() {
    let short = [
        ("PARTNER__WORKER__SHUTDOWN_GRACE", "1s"),
        ("PARTNER__WORKER__SHUTDOWN_DEADLINE", "1s"),
    ];
    on_platform(async |host| {
        let (stage, mut worker, process) = charging(host, "cut-off", &short).await;
        worker.terminate();
        let code = in_time("the worker gives up", worker.wait())
            .await
            .expect("it is watched");
        assert_eq!(code, Some(3), "{}", worker.log_tail());
        assert!(
            worker.log_tail().contains("deadline"),
            "{}",
            worker.log_tail()
        );
        stage.platform().gateway.release(&stage.name);

        let next = stage.worker().await;
        stage.expect_paid_once(&process).await;
        stage.expect_one_mail();
        assert_eq!(attempts(&process, CHARGE).await, [2]);
        next.stop().await.expect("the worker stops");
    });
}
