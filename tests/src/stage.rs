//! The embedded platform that the tests of one process share, and how they act on it.
//!
//! It runs on a runtime of its own, which outlives every single test. Orders, buyers and articles
//! are new in each test, so that tests may run at the same time. The servers end with the process:
//! they are leashed to it.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use partner_core::activity_options::{ActivityPolicies, Retry};
use partner_core::client::{Ended, Process, ProcessClient};
use partner_core::config::{self, Config, ConfigSources, Purpose};
use partner_core::error::ErrorCode;
use partner_core::temporal;
use partner_core::wire::json_payload;
use partner_local::platform::{Platform, PlatformOptions};
use partner_local::progress::Progress;
use partner_local::shop::{NewOrder, Shop};
use partner_worker::Dependencies;
use serde_json::{Value, json};
use temporalio_client::tonic::Request;
use temporalio_client::{
    UntypedSignal, WorkflowSignalOptions, WorkflowStartOptions, WorkflowTerminateOptions,
};
use temporalio_common::UntypedWorkflow;
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::common::v1::{
    Payload, Payloads, TimeSkippingConfig, WorkflowType,
};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowIdReusePolicy;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::sync::{OnceCell, oneshot};

use crate::books::Books;
use crate::faults::Faults;
use crate::history;

/// The workflow under test.
pub const WORKFLOW: &str = "processPaymentWorkflow";
/// What every order costs, in minor units.
pub const PRICE: i64 = 1_999;
/// How many of its article each order finds in stock; it takes one.
pub const STOCK: i32 = 3;
/// The task queue of the worker that every test shares.
const TASK_QUEUE: &str = "tests";
/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// How often something that has no event to wait for is looked at.
const POLL: Duration = Duration::from_millis(25);

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

/// An order to pay.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The buyer.
    pub user_id: String,
    /// Where the buyer's mail goes.
    pub email: String,
    /// The article.
    pub sku: String,
}

impl Order {
    /// The contract's id of the workflow that collects its payment.
    pub fn workflow_id(&self) -> String {
        format!("payment-{}", self.id)
    }

    /// The workflow's input.
    pub fn input(&self) -> Value {
        json!({
            "orderId": self.id,
            "userId": self.user_id,
            "amount": 19.99,
            "currency": "EUR",
            "paymentMethod": "card",
        })
    }

    /// The same with other fields over it.
    pub fn input_with(&self, fields: &Value) -> Value {
        let mut input = self.input();
        for (name, value) in fields.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        input
    }
}

/// Runs a test on the stage of this process.
pub fn on_stage(test: impl AsyncFnOnce(&'static Stage) -> Result<()>) -> Result<()> {
    let runtime = RUNTIME
        .as_ref()
        .map_err(|error| anyhow!("cannot start a runtime: {error}"))?;
    runtime.block_on(async {
        let stage = STAGE.get_or_try_init(|| Box::pin(Stage::start())).await?;
        test(stage).await
    })
}

impl Stage {
    async fn start() -> Result<Self> {
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

    /// A name that no other test of this process has.
    pub fn unique(&self, name: &str) -> String {
        format!("{name}-{}", self.last.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets a second worker take what waits in another task queue, for as long as the process runs.
    pub async fn serve(&self, task_queue: &str) -> Result<()> {
        start_worker(&self.config, task_queue, &self.faults)
            .await
            .map(drop)
    }

    /// Places an order of a new buyer for a new article.
    pub async fn order(&self, name: &str) -> Result<Order> {
        let sku = self.unique("sku");
        self.shop.add_stock(&sku, STOCK).await?;
        self.order_of(name, &sku).await
    }

    /// Places an order of a new buyer for this article.
    pub async fn order_of(&self, name: &str, sku: &str) -> Result<Order> {
        let id = self.unique(name);
        let order = Order {
            user_id: format!("user-of-{id}"),
            email: format!("{id}@example.com"),
            sku: sku.to_owned(),
            id,
        };
        self.shop
            .add_user(&order.user_id, &order.email, "Ana")
            .await?;
        let new = NewOrder {
            id: &order.id,
            user_id: &order.user_id,
            amount_minor: PRICE,
            currency: "EUR",
            sku,
            quantity: 1,
        };
        self.shop.place(&new).await?;
        Ok(order)
    }

    /// Starts collecting an order's payment.
    pub async fn pay(&self, order: &Order) -> Result<Process> {
        self.pay_with(order, &order.input()).await
    }

    /// Starts collecting an order's payment with this input.
    pub async fn pay_with(&self, order: &Order, input: &Value) -> Result<Process> {
        Ok(self
            .client
            .start(WORKFLOW, &order.workflow_id(), input)
            .await?)
    }

    /// Starts a workflow in a way that the client does not offer.
    pub async fn start_raw(
        &self,
        id: &str,
        input: Vec<Payload>,
        adjust: impl FnOnce(&mut StartWorkflowExecutionRequest),
    ) -> Result<Process> {
        let mut request = StartWorkflowExecutionRequest {
            namespace: self.config.temporal.namespace.clone(),
            workflow_id: id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: WORKFLOW.to_owned(),
            }),
            task_queue: Some(TaskQueue {
                name: TASK_QUEUE.to_owned(),
                ..TaskQueue::default()
            }),
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

    /// Starts an order's workflow once more, whatever became of the run before, with these fields
    /// over its input.
    pub async fn pay_again(&self, order: &Order, fields: &Value) -> Result<Process> {
        let input = vec![payload(&order.input_with(fields))];
        self.start_raw(&order.workflow_id(), input, |_| {}).await
    }

    /// Starts an order's workflow once more, whatever became of the run before, with a signal that is
    /// there before it begins.
    pub async fn pay_again_with_signal(&self, order: &Order, signal: &str) -> Result<Process> {
        let id = order.workflow_id();
        let options = WorkflowStartOptions::new(TASK_QUEUE, id.clone())
            .id_reuse_policy(temporalio_client::WorkflowIdReusePolicy::AllowDuplicate)
            .build();
        let input = RawValue::new(vec![payload(&order.input())]);
        let workflow = UntypedWorkflow::new(WORKFLOW);
        let nothing = RawValue::new(Vec::new());
        let temporal = self.client.temporal();
        temporal
            .signal_with_start_workflow(
                workflow,
                input,
                UntypedSignal::new(signal),
                nothing,
                options,
            )
            .await?;
        Ok(self.client.process(&id))
    }

    /// Ends an order's workflow as an operator would who gives it up.
    pub async fn terminate(&self, order: &Order) -> Result<()> {
        let handle = self
            .client
            .temporal()
            .get_workflow_handle::<UntypedWorkflow>(order.workflow_id());
        handle
            .terminate(WorkflowTerminateOptions::default())
            .await?;
        Ok(())
    }

    /// Starts an order's workflow on a server that skips the time in which nothing happens.
    pub async fn pay_skipping_time(&self, order: &Order, input: &Value) -> Result<Process> {
        let skip = TimeSkippingConfig {
            enabled: true,
            ..TimeSkippingConfig::default()
        };
        self.start_raw(&order.workflow_id(), vec![payload(input)], |request| {
            request.time_skipping_config = Some(skip);
        })
        .await
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

    /// Waits for a workflow's end, and checks what must hold of every history.
    pub async fn ended(&self, process: &Process) -> Result<Ended> {
        let ended = tokio::time::timeout(PATIENCE, process.ended()).await;
        let ended = ended.map_err(|_| self.late(process, "did not end"))??;
        history::check(&process.history().await?).with_context(|| process.id.clone())?;
        Ok(ended)
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

    /// Waits for the end of an order's workflow, which must fail so and leave these books.
    pub async fn fails(
        &self,
        order: &Order,
        process: &Process,
        code: ErrorCode,
        books: &Books,
    ) -> Result<String> {
        let ended = self.ended(process).await?;
        let Ended::Failed {
            code: found,
            message,
        } = ended
        else {
            return Err(anyhow!("{}: expected {code}, found {ended:?}", process.id));
        };
        ensure!(
            found == code,
            "{}: expected {code}, found {found}: {message}",
            process.id
        );
        self.has(order, books).await?;
        Ok(message)
    }

    /// Waits for the end of an order's workflow, which must complete and leave these books.
    pub async fn completes(
        &self,
        order: &Order,
        process: &Process,
        books: &Books,
    ) -> Result<Value> {
        let ended = self.ended(process).await?;
        let Ended::Completed(result) = ended else {
            return Err(anyhow!(
                "{}: expected a result, found {ended:?}",
                process.id
            ));
        };
        self.has(order, books).await?;
        Ok(result)
    }

    /// Waits for the end of an order's workflow, which must close as cancelled and leave these books.
    pub async fn is_cancelled(
        &self,
        order: &Order,
        process: &Process,
        books: &Books,
    ) -> Result<()> {
        let ended = self.ended(process).await?;
        ensure!(
            ended == Ended::Cancelled,
            "{}: expected cancelled, found {ended:?}",
            process.id
        );
        self.has(order, books).await
    }

    /// Checks what an order came to.
    pub async fn has(&self, order: &Order, books: &Books) -> Result<()> {
        let found = Books::of(self, order).await?;
        ensure!(
            found == *books,
            "{}: expected {books:#?}, found {found:#?}",
            order.id
        );
        Ok(())
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
