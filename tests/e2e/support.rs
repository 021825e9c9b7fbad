//! One embedded platform for all tests of this binary; each test has its own task queue, data
//! and workers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use partner_core::client::{Ended, Process, ProcessClient};
use partner_core::config::{self, Config, ConfigSources, Purpose};
use partner_core::temporal;
use partner_local::error::LocalError;
use partner_local::inbox::Mail;
use partner_local::platform::{Platform, PlatformOptions};
use partner_local::progress::Progress;
use partner_local::service_process::{ServiceCommand, WorkerProcess};
use partner_local::shop::{NewUser, Shop};
use serde_json::Value;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// How long anything may take that a test waits for; what is well takes a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Lives as long as the binary: the simulators run on it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Never dropped: the leashes stop its servers when this process ends.
static HOST: OnceCell<Host> = OnceCell::const_new();

/// The platform, and a shop on its database.
pub(crate) struct Host {
    pub(crate) platform: Platform,
    shop: Shop,
}

/// Runs a test on the platform, which the first one starts.
pub(crate) fn on_platform(test: impl AsyncFnOnce(&'static Host)) {
    RUNTIME.block_on(async {
        let host = HOST.get_or_init(Host::start).await;
        test(host).await;
    });
}

impl Host {
    async fn start() -> Self {
        let progress = Progress::silent();
        // Boxed: what starts the servers is too large for the stack of every test.
        let platform = Box::pin(Platform::start(PlatformOptions::default(), &progress))
            .await
            .expect("the platform starts");
        let shop = Shop::connect(&platform.database_url)
            .await
            .expect("the database answers");
        Self { platform, shop }
    }

    /// The configuration of a worker of this platform, with these variables over the platform's own.
    pub(crate) fn config(&self, variables: &[(&str, &str)]) -> Config {
        let mut environment: BTreeMap<_, _> =
            self.platform.worker_environment().into_iter().collect();
        environment.extend(owned(variables));
        let sources = ConfigSources {
            environment,
            file: None,
            default_profile: "development",
        };
        config::load(&sources, Purpose::Worker)
            .expect("the platform's own configuration")
            .config
    }

    /// Starts a worker with these variables over the platform's own.
    pub(crate) async fn worker(
        &self,
        variables: &[(&str, &str)],
    ) -> Result<WorkerProcess, LocalError> {
        let command = ServiceCommand {
            program: PathBuf::from(env!("CARGO_BIN_EXE_worker-under-test")),
            arguments: Vec::new(),
            environment: owned(variables),
        };
        WorkerProcess::start(&self.platform, command).await
    }
}

pub(crate) fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A task queue of its own, and a name that stands for whatever a test puts on it.
pub(crate) struct Stage {
    pub(crate) host: &'static Host,
    pub(crate) name: String,
    processes: ProcessClient,
}

impl Stage {
    /// An empty stage. Nothing runs on it yet.
    pub(crate) async fn new(host: &'static Host, name: &str) -> Self {
        let client = temporal::connect(&host.config(&[]).temporal, "e2e", None)
            .await
            .expect("Temporal answers");
        Self {
            host,
            name: name.to_owned(),
            processes: ProcessClient::new(client, name),
        }
    }

    pub(crate) fn platform(&self) -> &'static Platform {
        &self.host.platform
    }

    pub(crate) fn shop(&self) -> &'static Shop {
        &self.host.shop
    }

    pub(crate) fn email(&self) -> String {
        format!("{}@example.com", self.name)
    }

    /// Lets the stage's user exist, with this status.
    pub(crate) async fn add_user(&self, status: &str) {
        let email = self.email();
        let user = NewUser {
            status,
            ..NewUser::active(&self.name, &email, "Ana")
        };
        self.shop().add_user_with(&user).await.expect("a new user");
    }

    /// Starts a worker on the stage's task queue.
    pub(crate) async fn worker(&self) -> WorkerProcess {
        self.worker_with(&[]).await
    }

    /// The same, with these variables over the platform's own.
    pub(crate) async fn worker_with(&self, variables: &[(&str, &str)]) -> WorkerProcess {
        let mut all = vec![("PARTNER__TEMPORAL__TASK_QUEUE", self.name.as_str())];
        all.extend(variables);
        self.host.worker(&all).await.expect("the worker starts")
    }

    /// A client of the stage's processes.
    pub(crate) const fn processes(&self) -> &ProcessClient {
        &self.processes
    }

    /// The Temporal client.
    pub(crate) const fn temporal(&self) -> &Client {
        self.processes.temporal()
    }

    /// Starts a workflow under the stage's name.
    pub(crate) async fn start(&self, workflow: &str, id_prefix: &str, input: &Value) -> Process {
        let id = format!("{id_prefix}-{}", self.name);
        self.processes
            .start(workflow, &id, input)
            .await
            .expect("the workflow starts")
    }

    /// Waits until a workflow is at a step.
    pub(crate) async fn reached(&self, process: &Process, step: &str) {
        until(&format!("{} is {step}", self.name), async || {
            let status = process.query("getStatus").await.expect("an answer");
            (status["step"] == step).then_some(())
        })
        .await;
    }

    /// Waits for a workflow's end, which must be a result.
    pub(crate) async fn result(&self, process: &Process) -> Value {
        let ended = in_time(&self.name, process.ended()).await;
        match ended.expect("the workflow's end") {
            Ended::Completed(result) => result,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    /// The mails of the stage's user, the newest first.
    pub(crate) fn mails(&self) -> Vec<Arc<Mail>> {
        self.platform().inbox.mails_to(&self.email())
    }

    /// The subjects of those mails, the oldest first.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mails = self.mails();
        let subjects = mails.iter().rev().map(|mail| mail.subject.clone());
        subjects.map(Option::unwrap_or_default).collect()
    }

    /// The channels of what was sent to the stage's user, or for the stage's notification, and how
    /// each stands in the send ledger.
    pub(crate) async fn deliveries(&self) -> Vec<(String, String)> {
        sqlx::query_as(
            "SELECT channel, state FROM deliveries
             WHERE notification_id = $1 OR recipient IN ($1, $2) ORDER BY channel, created_at",
        )
        .bind(&self.name)
        .bind(self.email())
        .fetch_all(self.shop().pool())
        .await
        .expect("the send ledger")
    }
}

/// In which attempt each activity of this type came to its end.
pub(crate) async fn attempts(process: &Process, activity: &str) -> Vec<i32> {
    let events = process.history().await.expect("the history");
    let scheduled: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                let name = &scheduled.activity_type.as_ref()?.name;
                (name == activity).then_some(event.event_id)
            }
            _ => None,
        })
        .collect();
    let started = events.iter().filter_map(|event| match &event.attributes {
        Some(Attributes::ActivityTaskStartedEventAttributes(started)) => scheduled
            .contains(&started.scheduled_event_id)
            .then_some(started.attempt),
        _ => None,
    });
    started.collect()
}

/// The result of `work`, which must come within [`PATIENCE`].
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Asks `probe` until it finds something.
pub(crate) async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let found = async {
        loop {
            ticks.tick().await;
            if let Some(found) = probe().await {
                return found;
            }
        }
    };
    in_time(what, found).await
}

/// What answers at an `http://` address: status and body; an error if nothing does.
pub(crate) async fn get(url: &str) -> std::io::Result<(u16, String)> {
    let rest = url.strip_prefix("http://").expect("an http address");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(authority).await?;
    // Of this version, so that the body comes as it is and ends with the connection.
    stream
        .write_all(format!("GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.expect("a status"), body.to_owned()))
}
