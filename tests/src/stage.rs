//! The embedded platform that the tests of one process share, and how they act on it.
//!
//! It runs on a runtime of its own, which outlives every single test. Users, orders and the like
//! are new in each test, so that tests may run at the same time. The servers end with the process:
//! they are leashed to it.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use partner_core::activity_options::{ActivityPolicies, Retry};
use partner_core::client::{Ended, Process, ProcessClient, Updated};
use partner_core::config::{self, Config, ConfigSources, Purpose};
use partner_core::error::ErrorCode;
use partner_core::temporal;
use partner_core::wire::json_payload;
use partner_local::platform::{Platform, PlatformOptions};
use partner_local::progress::Progress;
use partner_local::shop::Shop;
use partner_worker::Dependencies;
use serde_json::Value;
use temporalio_client::tonic::Request;
use temporalio_client::{UntypedSignal, WorkflowSignalOptions};
use temporalio_common::UntypedWorkflow;
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::common::v1::{
    Payload, Payloads, TimeSkippingConfig, WorkflowType,
};
use temporalio_common::protos::temporal::api::enums::v1::{EventType, WorkflowIdReusePolicy};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::sync::{OnceCell, oneshot};

use crate::faults::{ActivityFault, Faults};
use crate::history;

/// The task queue of the worker that every test shares.
pub const TASK_QUEUE: &str = "tests";
/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// How often something that has no event to wait for is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(25);

static RUNTIME: LazyLock<io::Result<tokio::runtime::Runtime>> =
    LazyLock::new(tokio::runtime::Runtime::new);
static STAGE: OnceCell<Stage> = OnceCell::const_new();

/// Everything that tests act on.
pub struct Stage {
    /// The servers.
    pub platform: Platform,
    /// The shop's view of the database.
    pub shop: Shop,
    /// Starts and asks workflows.
    pub client: ProcessClient,
    /// Breaks activities.
    pub faults: Faults,
    config: Config,
    worker: JoinHandle<Result<()>>,
    last: AtomicU32,
}

/// Runs a test on the stage of this process.
pub fn on_stage(test: impl AsyncFnOnce(&'static Stage) -> Result<()>) -> Result<()> {
    let runtime = RUNTIME
        .as_ref()
        .map_err(|error| anyhow!("cannot start a runtime: {error}"))?;
    runtime.block_on(async {
        let stage = STAGE.get_or_try_init(|| Box::pin(Stage::set_up())).await?;
        test(stage).await
    })
}

impl Stage {
    async fn set_up() -> Result<Self> {
        let platform = Box::pin(Platform::start(
            PlatformOptions::default(),
            &Progress::silent(),
        ))
        .await?;
        let sources = ConfigSources {
            environment: platform.worker_environment().into_iter().collect(),
            file: None,
            default_profile: "development",
        };
        let config = config::load(&sources, Purpose::Worker)?.config;
        let temporal = temporal::connect(&config.temporal, "test", None).await?;
        let faults = Faults::default();
        let task_queue = TASK_QUEUE.to_owned();
        let worker = start_worker(&config, &task_queue, &faults).await?;
        Ok(Self {
            shop: Shop::connect(&platform.database_url).await?,
            client: ProcessClient::new(temporal, task_queue),
            platform,
            faults,
            config,
            worker,
            last: AtomicU32::new(0),
        })
    }

    /// What the workers are configured with.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// A name that no other test of this process has.
    pub fn unique(&self, name: &str) -> String {
        format!("{name}-{}", self.last.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets a second worker take what waits in another task queue, for as long as the process runs.
    pub async fn serve(&self, task_queue: &str) -> Result<()> {
        self.serve_with(task_queue, |_| {}).await
    }

    /// The same, with a worker that is configured otherwise.
    pub async fn serve_with(
        &self,
        task_queue: &str,
        adjust: impl FnOnce(&mut Config),
    ) -> Result<()> {
        let mut config = self.config.clone();
        adjust(&mut config);
        start_worker(&config, task_queue, &self.faults)
            .await
            .map(drop)
    }

    /// Starts a workflow.
    pub async fn start(&self, workflow: &str, id: &str, input: &Value) -> Result<Process> {
        Ok(self.client.start(workflow, id, input).await?)
    }

    /// Starts a workflow one of whose activities fails.
    pub async fn start_failing(
        &self,
        workflow: &str,
        activity: &str,
        fault: ActivityFault,
        input: &Value,
    ) -> Result<Process> {
        let id = self.unique("failing");
        self.faults.set(&id, activity, fault);
        self.start(workflow, &id, input).await
    }

    /// Starts a workflow in another task queue.
    pub async fn start_in(
        &self,
        task_queue: &str,
        workflow: &str,
        id: &str,
        input: &Value,
    ) -> Result<Process> {
        self.start_raw(workflow, id, vec![payload(input)], |request| {
            request.task_queue = Some(queue(task_queue));
        })
        .await
    }

    /// Starts a workflow on a server that skips the time in which nothing happens.
    pub async fn start_skipping_time(
        &self,
        workflow: &str,
        id: &str,
        input: &Value,
    ) -> Result<Process> {
        self.start_raw(workflow, id, vec![payload(input)], skip_time)
            .await
    }

    /// The same, so many times at most, in this task queue.
    pub async fn start_skipping_time_in(
        &self,
        (task_queue, skips): (&str, i32),
        workflow: &str,
        id: &str,
        input: &Value,
    ) -> Result<Process> {
        self.start_raw(workflow, id, vec![payload(input)], |request| {
            request.task_queue = Some(queue(task_queue));
            request.time_skipping_config = Some(TimeSkippingConfig {
                enabled: true,
                max_session_skip_count: skips,
                ..TimeSkippingConfig::default()
            });
        })
        .await
    }

    /// Starts a workflow in a way that the client does not offer.
    pub async fn start_raw(
        &self,
        workflow: &str,
        id: &str,
        input: Vec<Payload>,
        adjust: impl FnOnce(&mut StartWorkflowExecutionRequest),
    ) -> Result<Process> {
        let mut request = StartWorkflowExecutionRequest {
            namespace: self.config.temporal.namespace.clone(),
            workflow_id: id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: workflow.to_owned(),
            }),
            task_queue: Some(queue(TASK_QUEUE)),
            input: (!input.is_empty()).then_some(Payloads { payloads: input }),
            request_id: self.unique("request"),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            ..StartWorkflowExecutionRequest::default()
        };
        adjust(&mut request);
        let mut service = self.client.temporal().connection().workflow_service();
        service
            .start_workflow_execution(Request::new(request))
            .await?;
        Ok(self.client.process(id))
    }

    /// Sends a signal with exactly these payloads.
    pub async fn signal_raw(
        &self,
        process: &Process,
        name: &str,
        payloads: Vec<Payload>,
    ) -> Result<()> {
        let handle = self
            .client
            .temporal()
            .get_workflow_handle::<UntypedWorkflow>(process.id.clone());
        let options = WorkflowSignalOptions::default();
        handle
            .signal(UntypedSignal::new(name), RawValue::new(payloads), options)
            .await?;
        Ok(())
    }

    /// Makes an update, which must be accepted; its answer.
    pub async fn update(&self, process: &Process, name: &str, payload: &Value) -> Result<Value> {
        match process.update(name, payload, None).await? {
            Updated::Accepted(answer) => Ok(answer),
            Updated::Rejected { message, .. } => Err(anyhow!("{}: {message}", process.id)),
        }
    }

    /// Makes an update, which must be refused; why it was.
    pub async fn refused_update(
        &self,
        process: &Process,
        name: &str,
        payload: &Value,
    ) -> Result<String> {
        match process.update(name, payload, None).await? {
            Updated::Rejected { message, .. } => Ok(message),
            Updated::Accepted(answer) => Err(anyhow!("{}: {answer}", process.id)),
        }
    }

    /// Waits for a workflow's end, and checks what must hold of every history.
    pub async fn ended(&self, process: &Process) -> Result<Ended> {
        let ended = tokio::time::timeout(PATIENCE, process.ended()).await;
        let ended = ended.map_err(|_| self.late(process, "did not end"))??;
        history::check(&process.history().await?).with_context(|| process.id.clone())?;
        Ok(ended)
    }

    /// Waits for a workflow's end, which must be a result.
    pub async fn result(&self, process: &Process) -> Result<Value> {
        match self.ended(process).await? {
            Ended::Completed(result) => Ok(result),
            other => Err(anyhow!(
                "{}: expected a result, found {other:?}",
                process.id
            )),
        }
    }

    /// Waits for a workflow's end, which must be a failure of this code; its message.
    pub async fn failure(&self, process: &Process, expected: ErrorCode) -> Result<String> {
        let Ended::Failed { code, message } = self.ended(process).await? else {
            return Err(anyhow!("{}: expected {expected}", process.id));
        };
        ensure!(
            code == expected,
            "{}: expected {expected}, found {code}: {message}",
            process.id
        );
        Ok(message)
    }

    /// Waits for a workflow's end, which must be its cancellation.
    pub async fn cancelled(&self, process: &Process) -> Result<()> {
        let ended = self.ended(process).await?;
        ensure!(
            ended == Ended::Cancelled,
            "{}: expected cancelled, found {ended:?}",
            process.id
        );
        Ok(())
    }

    /// Waits until a workflow is at a step.
    pub async fn reached(&self, process: &Process, step: &str) -> Result<()> {
        let mut ticks = tokio::time::interval(POLL);
        let reached = async {
            loop {
                ticks.tick().await;
                if process.query("getStatus").await?["step"] == step {
                    return anyhow::Ok(());
                }
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        reached.map_err(|_| self.late(process, &format!("did not reach {step}")))?
    }

    /// Waits until what a workflow says of itself is so.
    pub async fn details(
        &self,
        process: &Process,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut ticks = tokio::time::interval(POLL);
        let found = async {
            loop {
                ticks.tick().await;
                let details = process.query("getDetails").await?;
                if is_so(&details) {
                    return anyhow::Ok(details);
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.map_err(|_| self.late(process, what))?
    }

    /// Waits until a workflow has asked for an activity so often.
    pub async fn asked_for(&self, process: &Process, activity: &str, times: usize) -> Result<()> {
        let what = format!("did not ask for {activity}");
        let is_asked = |event: &HistoryEvent| match &event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                let found = scheduled.activity_type.as_ref();
                found.is_some_and(|found| found.name == activity)
            }
            _ => false,
        };
        self.happened(process, &what, times, is_asked).await
    }

    /// Waits until a workflow has heard that it was cancelled, and made a task of it.
    pub async fn cancel_requested(&self, process: &Process) -> Result<()> {
        let what = "was not told of its cancellation";
        let is_told = |event: &HistoryEvent| {
            event.event_type() == EventType::WorkflowExecutionCancelRequested
        };
        self.happened(process, what, 1, is_told).await
    }

    /// Waits until something is in a workflow's history so often.
    async fn happened(
        &self,
        process: &Process,
        what: &str,
        times: usize,
        is_it: impl Fn(&HistoryEvent) -> bool,
    ) -> Result<()> {
        let mut ticks = tokio::time::interval(POLL);
        let happened = async {
            loop {
                ticks.tick().await;
                let events = process.history().await?;
                if events.iter().filter(|event| is_it(event)).count() >= times {
                    return anyhow::Ok(());
                }
            }
        };
        let happened = tokio::time::timeout(PATIENCE, happened).await;
        happened.map_err(|_| self.late(process, what))?
    }

    /// What an activity of a workflow answered, the last time that it did.
    pub async fn activity_result(&self, process: &Process, activity: &str) -> Result<Value> {
        let events = process.history().await?;
        let scheduled = events
            .iter()
            .rev()
            .find_map(|event| match &event.attributes {
                Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled))
                    if scheduled
                        .activity_type
                        .as_ref()
                        .is_some_and(|known| known.name == activity) =>
                {
                    Some(event.event_id)
                }
                _ => None,
            });
        let scheduled = scheduled.with_context(|| format!("{activity} was not done"))?;
        let answer = events.iter().find_map(|event| match &event.attributes {
            Some(Attributes::ActivityTaskCompletedEventAttributes(done))
                if done.scheduled_event_id == scheduled =>
            {
                done.result.clone()
            }
            _ => None,
        });
        let answer = answer.with_context(|| format!("{activity} has no answer"))?;
        let payload = answer.payloads.first().context("an empty answer")?;
        Ok(serde_json::from_slice(&payload.data)?)
    }

    fn late(&self, process: &Process, what: &str) -> anyhow::Error {
        let worker = if self.worker.is_finished() {
            "has stopped"
        } else {
            "runs"
        };
        anyhow!(
            "{} {what} within {PATIENCE:?}; the worker {worker}",
            process.id
        )
    }
}

fn skip_time(request: &mut StartWorkflowExecutionRequest) {
    request.time_skipping_config = Some(TimeSkippingConfig {
        enabled: true,
        ..TimeSkippingConfig::default()
    });
}

fn queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        ..TaskQueue::default()
    }
}

/// A payload of this JSON.
pub fn payload(value: &Value) -> Payload {
    json_payload(value.to_string().into_bytes())
}

/// The contract's policies with retries that follow at once.
fn quick() -> ActivityPolicies {
    let mut policies = ActivityPolicies::default();
    let retries = &mut policies.retries;
    for retry in [
        &mut retries.standard,
        &mut retries.aggressive,
        &mut retries.minimal,
        &mut retries.extended,
    ] {
        let initial_interval = Duration::from_millis(20);
        *retry = Retry {
            initial_interval,
            maximum_interval: 2 * initial_interval,
            ..*retry
        };
    }
    policies
}

/// Runs a worker on a thread and a connection of its own, composed as in production, and waits until
/// it is made.
async fn start_worker(
    config: &Config,
    task_queue: &str,
    faults: &Faults,
) -> Result<JoinHandle<Result<()>>> {
    let dependencies = Dependencies {
        policies: quick(),
        ..Dependencies::connect(config).await?
    };
    let client = temporal::connect(&config.temporal, "test-worker", None).await?;
    let mut options = WorkerOptions::new(task_queue.to_owned())
        .activity_inbound_interceptor(faults.clone())
        .build();
    partner_worker::register(&mut options, dependencies)?;
    let (made, is_made) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new()
        .name(format!("worker of {task_queue}"))
        .spawn(move || {
            runtime.block_on(async {
                let runtime_options = RuntimeOptions::builder()
                    .build()
                    .map_err(|error| anyhow!(error))?;
                let sdk = Runtime::from_current_tokio(runtime_options)
                    .map_err(|error| anyhow!("{error}"))?;
                let mut worker = Worker::new(&sdk, client, options)?;
                // Nobody waits any more if the test was given up.
                let _ = made.send(());
                worker.run().await.context("the worker stopped")
            })
        })?;
    if is_made.await.is_ok() {
        return Ok(thread);
    }
    thread
        .join()
        .map_err(|_| anyhow!("the worker's thread panicked"))??;
    Err(anyhow!("the worker stopped before it began"))
}
