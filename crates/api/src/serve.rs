//! One API process, from configuration to its end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::{Either, join, select};
use partner_core::config::Config;
use partner_core::database::{self, DatabaseError, check_schema};
use partner_payment::repository::GatewayEventRepository;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use crate::description::described_routes;
use crate::error::ApiError;
use crate::listener;
use crate::repository::RequestRepository;
use crate::router::router;
use crate::schemas::Schemas;
use crate::state::ApiState;

/// Where an API that takes requests can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The address that it listens at.
    pub address: SocketAddr,
}

/// Why the API cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// It cannot listen.
    #[error("cannot listen at api.address {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Its own description is not what it should be: a defect.
    #[error("cannot set the API up")]
    SetUp(#[from] ApiError),
}

/// Serves the API until `stop` is there, and then ends what is under way within
/// `api.shutdown_grace`; whether that was enough.
///
/// The database must be there. Temporal need not be: until it is, requests are answered with 503.
///
/// # Errors
/// [`ServeError`] names what is missing.
pub async fn serve(
    config: Config,
    stop: impl Future<Output = ()>,
    on_ready: impl FnOnce(Ready),
) -> Result<bool, ServeError> {
    let pool = database::connect(&config.database).await?;
    check_schema(&pool).await?;
    let (routes, description) = described_routes();
    let schemas = Schemas::of(&description)?;
    let (stopping, is_stopping) = watch::channel(false);
    let state = ApiState::new(&config, pool.clone(), schemas, is_stopping.clone())?;
    let requests = RequestRepository::new(pool.clone());
    let events = GatewayEventRepository::new(pool.clone());
    let address = config.api.address;
    let listen = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    tracing::info!(api.address = %bound, "the API takes requests");
    on_ready(Ready { address: bound });
    let stop = async move {
        stop.await;
        tracing::info!("stopping: no new requests, those under way may end");
        let _ = stopping.send(true);
    };
    let routes = router(routes, description, state);
    let connections = listener::serve(listener, routes, &config.api, is_stopping.clone());
    let server = Box::pin(join(stop, connections));
    let grace = config.api.shutdown_grace;
    let mut watched = is_stopping.clone();
    let deadline = async move {
        // An error means that the server has gone: then the other side is done as well.
        let _ = watched.wait_for(|stopping| *stopping).await;
        timeout(grace, std::future::pending::<()>()).await
    };
    let others = select(
        Box::pin(deadline),
        Box::pin(forget_what_is_old(
            &requests,
            &events,
            config.api.idempotency_ttl,
        )),
    );
    // What is under way at the end is dropped here, and gives its connections to the database back: the
    // pool would wait for them.
    let has_ended = matches!(select(server, others).await, Either::Left(_));
    pool.close().await;
    Ok(has_ended)
}

/// How often what is old is forgotten.
const ROUND: Duration = Duration::from_hours(1);

/// How long the gateway's events are kept: longer than a payment can be disputed.
const EVENTS_KEPT: Duration = Duration::from_hours(400 * 24);

/// Forgets what is old for as long as the process serves. What fails is tried again.
async fn forget_what_is_old(
    requests: &RequestRepository,
    events: &GatewayEventRepository,
    idempotency_ttl: Duration,
) -> Infallible {
    let mut rounds = interval(ROUND);
    loop {
        rounds.tick().await;
        forget("idempotency keys", async || {
            requests.forget(idempotency_ttl).await
        })
        .await;
        forget("gateway events", async || events.forget(EVENTS_KEPT).await).await;
    }
}

/// Forgets part after part, until nothing old is left.
async fn forget<E: std::error::Error>(what: &str, part: impl AsyncFn() -> Result<bool, E>) {
    loop {
        match part().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, what, "what is old cannot be forgotten");
                return;
            }
        }
    }
}
