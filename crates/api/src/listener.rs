//! The connections: so many at once, and none on which no request comes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use futures::future::{Either, select};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use partner_core::config::ApiConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// What connections have in common.
#[derive(Clone)]
struct Connections {
    routes: Router,
    /// How long the headers of a request may take to come, the first or the next.
    header_timeout: Duration,
    /// Becomes true when the process is to stop.
    stopping: watch::Receiver<bool>,
}

/// Serves routes until `stopping` becomes true, and then what is under way to its end. Dropping the
/// future cuts off all connections.
///
/// When all places are taken, the next connection waits until one is free: the system queues it.
pub(crate) async fn serve(
    mut listener: TcpListener,
    routes: Router,
    config: &ApiConfig,
    stopping: watch::Receiver<bool>,
) {
    let most = config.max_connections.get().min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most));
    let mut stop = std::pin::pin!(stopped(stopping.clone()));
    let connections = Connections {
        routes,
        header_timeout: config.header_timeout,
        stopping,
    };
    let mut open = JoinSet::new();
    loop {
        let next = std::pin::pin!(accept(&mut listener, &places));
        let Either::Right(((stream, peer, place), _)) = select(stop.as_mut(), next).await else {
            break;
        };
        open.spawn(connections.clone().serve(stream, peer, place));
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Comes when the process is to stop, or when nobody is there any more to say so.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// The next connection, once there is a place for it. What cannot be accepted is logged, and tried
/// again, by the listener.
async fn accept(
    listener: &mut TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Nobody closes it, so that there is a place at the end.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let (stream, peer) = axum::serve::Listener::accept(listener).await;
    (stream, peer, place)
}

impl Connections {
    /// Serves one connection to its end.
    async fn serve(self, stream: TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>) {
        // Small answers must not wait for more data; without it they are only slower.
        let _ = stream.set_nodelay(true);
        let routes = TowerToHyperService::new(self.routes);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            routes.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let stopped = std::pin::pin!(stopped(self.stopping));
        let ended = match select(connection.as_mut(), stopped).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "a connection ended early");
        }
        drop(place);
    }
}
