//! One worker process, from configuration to exit code.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use partner_core::config::{Config, WorkerConfig};
use partner_core::temporal::{self, ConnectError};
use temporalio_common::telemetry::metrics::CoreMeter;
use temporalio_common::telemetry::{
    HistogramBucketOverrides, PrometheusExporterOptions, TelemetryOptions,
    start_prometheus_metric_exporter, telemetry_init,
};
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::runtime::{PollerBehavior, RuntimeOptions};
use temporalio_sdk::{
    Runtime, RuntimeError, Worker, WorkerCreateError, WorkerOptions, WorkerRunError,
    WorkflowRegistrationError,
};

use crate::dependencies::{Dependencies, DependencyError, register};
use crate::health::{self, Health};
use crate::logging::ActivityLog;
use crate::shutdown::{StopSignals, stop_on_signal};

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was asked to stop, and everything that ran came to its end.
    Drained,
    /// It was asked to stop, and something had to be cut off at the deadline.
    CutOff,
}

impl Outcome {
    /// The process's exit code: 0 drained, 3 cut off (1 is an error, 2 a wrong configuration).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Drained => 0,
            Self::CutOff => 3,
        }
    }
}

/// Where a worker that takes work can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Prometheus scrapes `/metrics` here.
    pub metrics: SocketAddr,
    /// `/livez` and `/readyz`.
    pub health: SocketAddr,
}

/// Why a worker cannot run.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A system that it needs.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// The Temporal service.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The metrics endpoint.
    #[error("cannot serve metrics at worker.metrics_address {address}: {reason}")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The health endpoint.
    #[error("cannot serve health at worker.health_address {address}")]
    Health {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Signal handlers.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    /// Two workflows of one name: a defect.
    #[error("cannot register the workflows")]
    Registration(#[from] WorkflowRegistrationError),
    /// The SDK's runtime.
    #[error("cannot start the Temporal SDK: {0}")]
    Runtime(String),
    /// The worker could not be made.
    #[error("cannot create the worker")]
    Create(#[from] WorkerCreateError),
    /// The worker stopped by itself.
    #[error("the worker stopped: does the namespace exist?")]
    Run(#[from] WorkerRunError),
}

impl From<RuntimeError> for WorkerError {
    fn from(error: RuntimeError) -> Self {
        Self::Runtime(error.to_string())
    }
}

/// Runs a worker until it is asked to stop by SIGINT or SIGTERM. `register_more` may add to what
/// the platform registers; `on_ready` is told when it takes work.
///
/// # Errors
/// [`WorkerError`] names what is missing and what to look at.
pub async fn run(
    config: Config,
    register_more: impl FnOnce(&mut WorkerOptions) -> Result<(), WorkflowRegistrationError>,
    on_ready: impl FnOnce(Ready),
) -> Result<Outcome, WorkerError> {
    let signals = StopSignals::listen().map_err(WorkerError::Signals)?;
    let health = Health::new();
    let dependencies = Dependencies::connect(&config).await?;
    let (telemetry, metrics) = metrics(config.worker.metrics_address)?;
    let meter = telemetry_init(telemetry.clone())
        .map_err(|error| WorkerError::Runtime(error.to_string()))?
        .get_temporal_metric_meter();
    let identity = format!("{}@partner-worker", std::process::id());
    let client = temporal::connect(&config.temporal, &identity, meter).await?;
    let address = config.worker.health_address;
    let health_address = health::serve(health.clone(), address)
        .await
        .map_err(|source| WorkerError::Health { address, source })?;

    let mut options = options(&config);
    register(&mut options, dependencies)?;
    register_more(&mut options)?;
    let runtime_options = RuntimeOptions::builder()
        .telemetry_options(telemetry)
        .build()
        .map_err(WorkerError::Runtime)?;
    let runtime = Runtime::from_current_tokio(runtime_options)?;
    let mut worker = Worker::new(&runtime, client, options)?;
    let deadline = config.worker.shutdown_grace + config.worker.shutdown_deadline;
    #[expect(
        clippy::disallowed_methods,
        reason = "it must fire even if the worker's own task is stuck"
    )]
    tokio::spawn(stop_on_signal(
        signals,
        health.clone(),
        worker.shutdown_handle(),
        deadline,
    ));

    health.set_ready(true);
    tracing::info!(
        temporal.address = config.temporal.address,
        temporal.namespace = config.temporal.namespace,
        task_queue = config.temporal.task_queue,
        metrics.address = %metrics,
        health.address = %health_address,
        "worker started"
    );
    on_ready(Ready {
        metrics,
        health: health_address,
    });
    // The beat is given on the thread that runs the workflows: if one blocks it, it stops.
    match select(worker.run().boxed_local(), beat(&health).boxed_local()).await {
        Either::Left((result, _)) => result?,
        Either::Right(((), _)) => {}
    }
    tracing::info!("worker stopped, everything that ran came to its end");
    Ok(Outcome::Drained)
}

async fn beat(health: &Health) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        health.beat();
    }
}

fn options(config: &Config) -> WorkerOptions {
    let WorkerConfig {
        max_concurrent_activities,
        max_concurrent_workflows,
        max_concurrent_local_activities,
        workflow_pollers,
        activity_pollers,
        max_cached_workflows,
        shutdown_grace,
        ..
    } = config.worker;
    let slots = TunerHolder::builder()
        .workflow_task_slot_supplier(FixedSizeSlotSupplier::new(max_concurrent_workflows.get()))
        .activity_task_slot_supplier(FixedSizeSlotSupplier::new(max_concurrent_activities.get()))
        .local_activity_task_slot_supplier(FixedSizeSlotSupplier::new(
            max_concurrent_local_activities.get(),
        ))
        .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
        .build();
    WorkerOptions::new(config.temporal.task_queue.clone())
        .tuner(slots)
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(workflow_pollers.get()))
        .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(activity_pollers.get()))
        .max_cached_workflows(max_cached_workflows.get())
        .graceful_shutdown_period(shutdown_grace)
        .activity_inbound_interceptor(ActivityLog)
        .build()
}

/// Buckets in seconds: the SDK's own end at one second where a full queue takes minutes.
const LATENCY_BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 120.0,
];

#[expect(
    clippy::disallowed_types,
    reason = "the SDK's type; it is not iterated here"
)]
fn metrics(address: SocketAddr) -> Result<(TelemetryOptions, SocketAddr), WorkerError> {
    let overrides: std::collections::HashMap<_, _> = [
        "workflow_task_schedule_to_start_latency",
        "workflow_task_execution_latency",
        "workflow_endtoend_latency",
        "activity_schedule_to_start_latency",
        "activity_execution_latency",
        "request_latency",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), LATENCY_BUCKETS.to_vec()))
    .collect();
    let options = PrometheusExporterOptions::builder()
        .socket_addr(address)
        .counters_total_suffix(true)
        .unit_suffix(true)
        .use_seconds_for_durations(true)
        .histogram_bucket_overrides(HistogramBucketOverrides { overrides })
        .build();
    let server =
        start_prometheus_metric_exporter(options).map_err(|error| WorkerError::Metrics {
            address,
            reason: error.to_string(),
        })?;
    let bound = server.bound_addr;
    let meter: Arc<dyn CoreMeter> = server.meter;
    Ok((TelemetryOptions::builder().metrics(meter).build(), bound))
}
