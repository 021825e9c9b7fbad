//! What the servers of this crate share: listening on loopback, stopping when dropped, hanging up
//! on a client without an answer, and waiting for something to happen.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Why a server of the embedded platform did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or forbidden.
    #[error("cannot listen on {address}; choose another port, or 0 for any free one")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The file that keeps a simulator's state cannot be used.
    #[error("cannot use the state file {}: {reason}", path.display())]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server's own address cannot be written as one.
    #[error("{url} is no address: {reason}")]
    Address {
        /// What it would be.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The client that sends the webhooks cannot be built.
    #[error("cannot send webhooks: {reason}")]
    Webhook {
        /// What is wrong.
        reason: String,
    },
}

/// Something that a test waited for did not happen in time.
#[derive(Debug, thiserror::Error)]
#[error("{what} did not happen within {waited:?}")]
pub struct DeadlinePassed {
    what: String,
    waited: Duration,
}

/// Marks an answer that is never sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

impl IntoResponse for HangUp {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

/// Makes hyper drop the connection; it is logged nowhere, because it is wanted.
#[derive(Debug, thiserror::Error)]
#[error("the simulator hangs up")]
struct HungUp;

/// The current time. The servers of this crate stand for other companies' systems, which have
/// clocks of their own.
#[expect(
    clippy::disallowed_methods,
    reason = "a simulator is no workflow: its times are those of a foreign system"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Waits as a slow foreign system would.
#[expect(
    clippy::disallowed_methods,
    reason = "a simulator is no workflow: its slowness is not recorded in any history"
)]
pub(crate) async fn pause(delay: Duration) {
    tokio::time::sleep(delay).await;
}

/// Locks `mutex`, also after a panic elsewhere: one failed connection must not stop a server.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `check` finds something; it is asked again after every `changed`.
pub(crate) async fn until<T>(
    changed: &Notify,
    patience: Duration,
    what: &str,
    mut check: impl FnMut() -> Option<T>,
) -> Result<T, DeadlinePassed> {
    let found = async {
        loop {
            // Registered before the check, so that a change in between is not missed.
            let mut change = std::pin::pin!(changed.notified());
            change.as_mut().enable();
            if let Some(found) = check() {
                return found;
            }
            change.await;
        }
    };
    tokio::time::timeout(patience, found)
        .await
        .map_err(|_elapsed| DeadlinePassed {
            what: what.to_owned(),
            waited: patience,
        })
}

/// Listens on a loopback port; 0 takes a free one.
pub(crate) async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Accepts connections for ever, each in a task of its own. Dropping the future ends them all.
pub(crate) async fn accept<F, T>(listener: TcpListener, mut talk: F)
where
    F: FnMut(TcpStream) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                // Small answers must not wait for more data; without it they are only slower.
                let _ = stream.set_nodelay(true);
                connections.spawn(talk(stream));
            }
            Err(error) => {
                // Out of file descriptors, most likely: give the connections time to end.
                tracing::warn!(%error, "cannot accept a connection");
                pause(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Serves `routes` until it is dropped.
pub(crate) async fn serve_http(listener: TcpListener, routes: Router) {
    accept(listener, |stream| talk_http(stream, routes.clone())).await;
}

async fn talk_http(stream: TcpStream, routes: Router) {
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |request| {
        let answer = routes.call(request);
        async move {
            let Ok::<Response, Infallible>(response) = answer.await;
            if response.extensions().get::<HangUp>().is_some() {
                return Err(HungUp);
            }
            Ok(response)
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_up_waiting_at_the_deadline() {
        let changed = Notify::new();
        let waited = until(
            &changed,
            Duration::from_millis(1),
            "a miracle",
            || None::<()>,
        )
        .await;
        let error = waited.expect_err("nothing happens");
        assert_eq!(error.to_string(), "a miracle did not happen within 1ms");
    }

    #[tokio::test]
    async fn names_the_address_that_is_taken() {
        let (_listener, taken) = listen(0).await.expect("a free port");
        let error = listen(taken.port()).await.expect_err("taken");
        assert!(error.to_string().contains(&taken.to_string()));
    }
}
