//! What an operator sees of a worker: metrics, probes, logs. And what nobody may see.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_local::leash::{Leash, LeashedCommand, Remove, StopSignal};
use serde_json::Value;

use crate::support::{Stage, get, on_platform, until};

/// A worker whose whole log can be read, not only its end.
struct LoggedWorker {
    leash: Leash,
}

impl LoggedWorker {
    /// Starts a worker that writes JSON at this level, and waits until it takes work.
    async fn start(stage: &Stage, filter: &str) -> Self {
        let folder = folder(&stage.name);
        let ready = folder.join("ready.json");
        let program = env!("CARGO_BIN_EXE_worker-under-test");
        let mut command = LeashedCommand::new("the worker", program, folder.join("worker.log"))
            .arg("--ready-file")
            .arg(&ready)
            .env("PARTNER__TEMPORAL__TASK_QUEUE", &stage.name)
            .env("PARTNER__LOG__FORMAT", "json")
            .env("PARTNER__LOG__FILTER", filter)
            .stop_with(StopSignal::Terminate, Duration::from_secs(40))
            .remove(&folder, Remove::Always);
        for (name, value) in stage.platform().worker_environment() {
            command = command.env(name, value);
        }
        let mut leash = Leash::spawn(command).expect("the worker starts");
        let ready = &ready;
        leash
            .wait_ready(Duration::from_mins(1), || async move { ready.exists() })
            .await
            .expect("it takes work");
        Self { leash }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.leash.log_path()).expect("the log")
    }

    /// Every whole line, which must be JSON.
    fn lines(&self) -> Vec<Value> {
        let log = self.log();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        whole.lines().map(parse).collect()
    }

    async fn stop(self) {
        self.leash.stop().await.expect("the worker stops");
    }
}

/// A new folder; the leash removes it.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("partner-e2e-{}-{name}", std::process::id()));
    std::fs::create_dir(&folder).expect("a new folder");
    folder
}

/// The fulfilment service is down for two attempts.
fn trouble(stage: &Stage) {
    stage.platform().fulfillment.set_fault(
        &stage.name,
        FulfillmentFault {
            mode: FulfillmentFaultMode::Unavailable,
            times: Some(2),
            delay_ms: None,
        },
    );
}

#[test]
fn metrics_and_probes_are_served() {
    on_platform(async |host| {
        let stage = Stage::with_order(host, "metrics").await;
        let worker = stage.worker().await;
        stage.expect_paid_once(&stage.pay().await).await;
        for probe in ["livez", "readyz"] {
            let (status, body) = get(&format!("{}/{probe}", worker.ready.health_url))
                .await
                .expect("an answer");
            assert_eq!(status, 200, "{probe}: {body}");
        }
        // The SDK counts a workflow a moment after the server knows of its end.
        for name in [
            "temporal_request_total",
            "temporal_workflow_completed_total",
            "temporal_worker_task_slots_available",
        ] {
            until(name, async || {
                let (status, body) = get(&worker.ready.metrics_url).await.expect("an answer");
                assert_eq!(status, 200, "{body}");
                body.lines()
                    .any(|line| line.starts_with(name))
                    .then_some(())
            })
            .await;
        }
        worker.stop().await.expect("the worker stops");
    });
}

#[test]
fn every_log_line_is_json_and_a_failed_attempt_is_logged_once_with_its_workflow() {
    on_platform(async |host| {
        let stage = Stage::with_order(host, "logs").await;
        trouble(&stage);
        let worker =
            LoggedWorker::start(&stage, "info,temporalio_sdk_core=warn,temporalio_sdk=warn").await;
        stage.expect_paid_once(&stage.pay().await).await;
        let lines = worker.lines();
        let failures: Vec<_> = lines
            .iter()
            .filter(|line| line["message"] == "activity failed")
            .collect();
        let mut attempts = BTreeSet::new();
        for failure in &failures {
            let span = &failure["span"];
            assert_eq!(
                span["workflow.id"],
                Value::from(format!("payment-{}", stage.name)),
                "{failure}"
            );
            assert_eq!(span["workflow.type"], "processPaymentWorkflow", "{failure}");
            assert!(span["workflow.run_id"].is_string(), "{failure}");
            assert_eq!(span["activity.type"], "triggerFulfillment", "{failure}");
            assert_eq!(failure["error.code"], "EXTERNAL_SERVICE_ERROR", "{failure}");
            assert_eq!(failure["level"], "WARN", "{failure}");
            attempts.insert(span["activity.attempt"].as_u64());
        }
        assert_eq!(attempts, BTreeSet::from([Some(1), Some(2)]), "{lines:?}");
        assert_eq!(failures.len(), 2, "one line an attempt: {failures:?}");
        let alike: BTreeSet<_> = lines.iter().map(Value::to_string).collect();
        assert_eq!(alike.len(), lines.len(), "no line twice");
        worker.stop().await;
    });
}

#[test]
fn no_log_line_has_a_secret_at_any_level() {
    on_platform(async |host| {
        let stage = Stage::with_order(host, "secrets").await;
        trouble(&stage);
        let worker = LoggedWorker::start(&stage, "trace").await;
        stage.expect_paid_once(&stage.pay().await).await;
        let log = worker.log();
        assert!(
            log.lines().any(|line| line.contains("TRACE")),
            "the log is complete"
        );
        let platform = stage.platform();
        let (before, _) = platform
            .database_url
            .split_once('@')
            .expect("a password in the address");
        let (_, password) = before.rsplit_once(':').expect("a password in the address");
        for secret in [
            platform.gateway.api_key(),
            platform.fulfillment.token(),
            password,
        ] {
            let found = log.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{secret}");
        }
        worker.stop().await;
    });
}
