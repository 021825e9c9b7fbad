//! `/livez` and `/readyz`, for the orchestrator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// A workflow thread that gave no sign of life for so long is stuck: the SDK has no detector.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// What the probes ask.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    started: Instant,
    /// Milliseconds after `started` of the workflow thread's last sign of life.
    last_beat: AtomicU64,
    ready: AtomicBool,
}

impl Health {
    #[expect(clippy::disallowed_methods, reason = "liveness is about real time")]
    pub(crate) fn new() -> Self {
        let inner = Inner {
            started: Instant::now(),
            last_beat: AtomicU64::new(0),
            ready: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The workflow thread is alive.
    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.inner.last_beat.store(now, Ordering::Relaxed);
    }

    /// Whether the worker takes work.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.inner.ready.store(ready, Ordering::Relaxed);
    }

    fn is_alive(&self) -> bool {
        let last_beat = Duration::from_millis(self.inner.last_beat.load(Ordering::Relaxed));
        self.inner.started.elapsed().saturating_sub(last_beat) < STUCK_AFTER
    }
}

/// Serves the probes until the process ends; returns where.
pub(crate) async fn serve(health: Health, address: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health);
    #[expect(
        clippy::disallowed_methods,
        reason = "the probes answer for as long as the process lives"
    )]
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the health endpoint stopped");
        }
    });
    Ok(bound)
}

async fn livez(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.is_alive() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the workflow thread is stuck\n",
        )
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.inner.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not taking work\n")
    }
}
