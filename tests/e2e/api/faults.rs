//! When Temporal is slow, dead, or comes back, and when the process is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::join;
use partner_api::serve;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::yield_now;

use super::support::{Api, with_api};
use crate::support::{in_time, on_platform, until};

/// A way to Temporal that can be cut.
struct Way {
    is_open: AtomicBool,
    cut: Notify,
}

impl Way {
    /// Carries connections while it is open, and drops them when it is cut.
    async fn carry(&self, listener: TcpListener, target: &str) {
        let mut carried = futures::stream::FuturesUnordered::new();
        loop {
            let accepted = {
                let accept = std::pin::pin!(listener.accept());
                let progress = std::pin::pin!(next(&mut carried));
                match select(accept, progress).await {
                    Either::Left((accepted, _)) => Some(accepted.expect("a connection").0),
                    Either::Right(_) => None,
                }
            };
            let Some(accepted) = accepted else {
                continue;
            };
            if self.is_open.load(Ordering::SeqCst) {
                carried.push(self.connect(accepted, target));
            }
        }
    }

    async fn connect(&self, mut from: TcpStream, target: &str) {
        let cut = std::pin::pin!(self.cut.notified());
        let carried = std::pin::pin!(async {
            let mut to = TcpStream::connect(target).await?;
            copy_bidirectional(&mut from, &mut to).await
        });
        select(cut, carried).await;
    }

    fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

/// The next that ends; never, while there is none.
async fn next<F: Future>(carried: &mut futures::stream::FuturesUnordered<F>) {
    use futures::StreamExt as _;
    if carried.next().await.is_none() {
        std::future::pending::<()>().await;
    }
}

#[test]
fn without_temporal_the_answer_is_503_and_with_it_the_api_recovers() {
    on_platform(async |host| {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let way = Arc::new(Way {
            is_open: AtomicBool::new(false),
            cut: Notify::new(),
        });
        let variables = [
            ("PARTNER__TEMPORAL__ADDRESS", address.as_str()),
            ("PARTNER__API__DEPENDENCY_TIMEOUT", "1s"),
        ];
        let open_way = Arc::clone(&way);
        let target = host.platform.temporal.address.clone();
        let carried = std::pin::pin!(async move { open_way.carry(listener, &target).await });
        let tested = std::pin::pin!(with_api(host, "api-faults", &variables, async |api| {
            let caller = api.admin().await;
            let reminder = json!({ "userId": "api-faults", "reminderType": "visit", "message": "m",
                "scheduledTime": "2126-01-01T00:00:00Z" });
            let down = async || {
                let answer = caller
                    .post("/api/v1/reminders", &reminder)
                    .await
                    .expect(503);
                assert_eq!(answer.body["code"], "EXTERNAL_SERVICE_ERROR");
                assert!(!answer.header("retry-after").is_empty());
                assert!(
                    !answer.body.to_string().contains("127.0.0.1"),
                    "{:#}",
                    answer.body
                );
                caller.get("/api/v1/workflows").await.expect(503);
                let ready = api.nobody().get("/readyz").await.expect(503).body;
                assert_eq!(
                    (&ready["database"], &ready["temporal"]),
                    (&json!(true), &json!(false))
                );
                api.nobody().get("/livez").await.expect(200);
            };
            let up = async || {
                until("the API recovers", async || {
                    let answer = caller.post("/api/v1/reminders", &reminder).await;
                    (answer.status == 202).then_some(())
                })
                .await;
                until("the API is ready", async || {
                    (api.nobody().get("/readyz").await.status == 200).then_some(())
                })
                .await;
            };
            // It was not there when the API began; it comes, goes, and comes again.
            down().await;
            way.open();
            up().await;
            way.close();
            down().await;
            way.open();
            up().await;
        }));
        select(carried, tested).await;
    });
}

#[test]
fn whoever_waits_is_answered_when_the_process_stops() {
    on_platform(async |host| {
        let name = "api-stop";
        let config = host.config(&[
            ("PARTNER__TEMPORAL__TASK_QUEUE", name),
            ("PARTNER__API__ADDRESS", "127.0.0.1:0"),
            ("PARTNER__API__SHUTDOWN_GRACE", "10s"),
        ]);
        let (ready, is_ready) = oneshot::channel();
        let (stop, is_stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = is_stopped.await;
        };
        let served = serve(config, stopped, |at| {
            let _ = ready.send(at);
        });
        let tested = async {
            let api = Api::at(host, name, is_ready.await.expect("the API serves")).await;
            let caller = api.admin().await;
            // Nobody works on this queue: without the stop, the answer would take the whole wait.
            let reminder = json!({ "userId": name, "reminderType": "visit", "message": "m",
                "scheduledTime": "2020-01-01T00:00:00Z" });
            let waiting = caller.post("/api/v1/reminders?wait=30", &reminder);
            let stopping = async {
                until("the reminder is started", async || {
                    let process = api
                        .stage
                        .processes()
                        .process("reminder-visit-api-stop-2020-01-01T00:00:00Z");
                    process.describe().await.ok()
                })
                .await;
                drop(stop);
            };
            let (answer, ()) = join!(waiting, stopping);
            answer.expect(202);
        };
        let (served, ()) = join!(Box::pin(served), tested);
        assert!(served.expect("the API serves"), "a request was cut off");
    });
}

/// It forgets old idempotency keys then, whose connections to the database it must give back.
#[test]
fn a_process_that_is_told_to_stop_in_its_first_moments_ends() {
    on_platform(async |host| {
        for moments in 0..40 {
            let config = host.config(&[
                ("PARTNER__API__ADDRESS", "127.0.0.1:0"),
                ("PARTNER__DATABASE__MAX_CONNECTIONS", "2"),
            ]);
            let stop = async move {
                for _ in 0..moments {
                    yield_now().await;
                }
            };
            let served = in_time("the end", Box::pin(serve(config, stop, |_| {}))).await;
            assert!(served.expect("the API serves"), "after {moments} moments");
        }
    });
}
