//! A payment gateway that speaks the part of Stripe's API that the adapter uses.
//!
//! It keeps real books: an intent is charged once or not at all, refunds never exceed what was
//! taken, and an idempotency key replays its first answer. Faults by order let a test lose an
//! answer, a connection or a decision at a chosen point; `GET /_control/payments` then tells what
//! really happened to the money.

mod api;
mod control;
mod fault;
mod form;
mod idempotency;
mod ledger;
mod payment;
mod problem;
mod search;
mod simulator;
mod state_file;
mod webhook;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

pub use control::{CurrencySums, GatewaySummary, PaymentRecord};
pub use fault::{Fault, FaultMode, Operation};
pub use payment::IntentStatus;

use crate::faults::{FaultTable, Holds};
use crate::loopback::{DeadlinePassed, StartError, listen, lock, now, serve_http};
use ledger::Ledger;
use simulator::{Books, Simulator};
use webhook::Poster;

/// How the gateway is started.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// The port of its API; 0 takes a free one.
    pub port: u16,
    /// The key that callers must send as a bearer token.
    pub api_key: String,
    /// Where events are posted to, if anywhere.
    pub webhook: Option<WebhookOptions>,
    /// The file that keeps the books, so that the next start finds them; without it they are gone
    /// when the gateway stops.
    pub state_file: Option<PathBuf>,
}

/// Where events are posted to.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// The receiver's address.
    pub url: String,
    /// What the events are signed with.
    pub secret: String,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            port: 0,
            api_key: "sk_test_partner_local".to_owned(),
            webhook: None,
            state_file: None,
        }
    }
}

/// A running gateway; it stops when it is dropped.
#[derive(Debug)]
pub struct GatewaySimulator {
    simulator: Arc<Simulator>,
    url: String,
    address: SocketAddr,
    servers: Mutex<JoinSet<()>>,
}

impl GatewaySimulator {
    /// Starts the gateway on loopback, with the books of its state file if there are any.
    pub async fn start(options: GatewayOptions) -> Result<Self, StartError> {
        let (listener, address) = listen(options.port).await?;
        let books = open_books(&options, address)?;
        let mut servers = JoinSet::new();
        let simulator = Arc::new(Simulator {
            api_key: options.api_key,
            books: Mutex::new(books),
            faults: FaultTable::default(),
            holds: Arc::new(Holds::default()),
            state_file: options.state_file,
            webhooks: Mutex::new(None),
        });
        let routes = api::routes(&simulator)
            .merge(control::routes())
            .with_state(Arc::clone(&simulator));
        servers.spawn(serve_http(listener, routes));
        let gateway = Self {
            simulator,
            url: format!("http://{address}"),
            address,
            servers: Mutex::new(servers),
        };
        if let Some(webhook) = options.webhook {
            gateway.post_events_to(webhook)?;
        }
        Ok(gateway)
    }

    /// Posts what happens from now on there, in place of where it was posted before.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn post_events_to(&self, webhook: WebhookOptions) -> Result<(), StartError> {
        let poster = Poster::new(webhook)?;
        let (sender, events) = unbounded_channel();
        lock(&self.servers).spawn(poster.run(event_prefix(self.address), events));
        *lock(&self.simulator.webhooks) = Some(sender);
        Ok(())
    }

    /// The base of its API's addresses, without `/v1` and without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key that callers must send.
    pub fn api_key(&self) -> &str {
        &self.simulator.api_key
    }

    /// Sets a fault of the order, in place of those that it had for the same operation.
    pub fn set_fault(&self, order_id: &str, fault: Fault) {
        self.set_faults(order_id, vec![fault]);
    }

    /// Sets faults of the order that apply in their order, in place of those that it had for the
    /// same operations.
    pub fn set_faults(&self, order_id: &str, faults: Vec<Fault>) {
        control::set_faults(&self.simulator, order_id, faults);
    }

    /// Forgets every fault. Calls that are held stay so until they are released.
    pub fn clear_faults(&self) {
        self.simulator.faults.clear();
    }

    /// Lets the held calls of the order be answered; tells how many there were.
    pub fn release(&self, order_id: &str) -> usize {
        self.simulator.holds.release(order_id)
    }

    /// Waits until a call of the order took effect and its answer is held.
    pub async fn wait_until_held(
        &self,
        order_id: &str,
        patience: Duration,
    ) -> Result<(), DeadlinePassed> {
        self.simulator.holds.until_held(order_id, patience).await
    }

    /// Forgets the idempotency keys of answered calls, as the gateway does after 24 hours; tells
    /// how many there were.
    pub fn prune_keys(&self) -> usize {
        control::prune(&self.simulator)
    }

    /// Every payment, the oldest first.
    pub fn payments(&self) -> Vec<PaymentRecord> {
        control::payments(&lock(&self.simulator.books))
    }

    /// The payments of one order, the oldest first.
    pub fn payments_of(&self, order_id: &str) -> Vec<PaymentRecord> {
        let mut payments = self.payments();
        payments.retain(|payment| payment.order_id.as_deref() == Some(order_id));
        payments
    }

    /// The sums of the books.
    pub fn summary(&self) -> GatewaySummary {
        control::summary(&lock(&self.simulator.books))
    }
}

fn open_books(options: &GatewayOptions, address: SocketAddr) -> Result<Books, StartError> {
    if let Some(path) = &options.state_file
        && let Some(books) = state_file::read(path)?
    {
        return Ok(books);
    }
    // Payments of two gateways may meet in one database: their ids must differ.
    let seed = format!("{}/{address}/{}", std::process::id(), now().to_rfc3339());
    Ok(Books {
        ledger: Ledger::new(seed),
        ..Books::default()
    })
}

/// Tells the events of this run from those of any other.
fn event_prefix(address: SocketAddr) -> String {
    format!("{:x}{:x}", now().timestamp_micros(), address.port())
}
