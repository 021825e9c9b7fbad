//! A fulfilment service: it hands over what was paid for, once per order.
//!
//! `PUT /fulfillments/{orderId}` asks for it, as often as the caller likes with the same body;
//! `DELETE` takes it back, before or after, and then no request of the order counts any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::faults::{FaultTable, Holds};
use crate::loopback::{DeadlinePassed, HangUp, StartError, listen, lock, pause, serve_http, until};

/// How the service is started.
#[derive(Debug, Clone)]
pub struct FulfillmentOptions {
    /// The port of its API; 0 takes a free one.
    pub port: u16,
    /// The bearer token that callers must send.
    pub token: String,
}

impl Default for FulfillmentOptions {
    fn default() -> Self {
        Self {
            port: 0,
            token: "fulfillment-local".to_owned(),
        }
    }
}

/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FulfillmentOrder {
    /// The order; the same as in the path.
    pub order_id: String,
    /// Who gets it.
    pub user_id: String,
    /// What is handed over.
    pub items: Vec<FulfillmentItem>,
}

/// One kind of thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FulfillmentItem {
    /// Which.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

/// What the service knows about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FulfillmentRecord {
    /// The order.
    pub order_id: String,
    /// What was asked for; nothing if it was taken back before.
    pub request: Option<FulfillmentOrder>,
    /// Whether it was taken back.
    pub cancelled: bool,
    /// How often it was asked for, refused requests not counted.
    pub times_requested: u32,
}

/// A fault that the calls of an order meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FulfillmentFault {
    /// What goes wrong.
    pub mode: FulfillmentFaultMode,
    /// How often; without it every time, until the faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// With `slow`, how late the answer is, in milliseconds; a second if absent.
    #[serde(default)]
    pub delay_ms: Option<u64>,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FulfillmentFaultMode {
    /// Refused for good (422), without effect.
    Refuse,
    /// Not available (503), without effect.
    Unavailable,
    /// Takes effect, answered late.
    Slow,
    /// Takes effect, answered when the test releases the order.
    Hold,
    /// Takes effect, then the connection closes without an answer.
    DropAfterCommit,
}

/// A running fulfilment service; it stops when it is dropped.
#[derive(Debug)]
pub struct FulfillmentSimulator {
    service: Arc<Service>,
    url: String,
    _servers: JoinSet<()>,
}

#[derive(Debug)]
struct Service {
    token: String,
    orders: Mutex<BTreeMap<String, FulfillmentRecord>>,
    changed: Notify,
    faults: FaultTable<FulfillmentFault>,
    holds: Arc<Holds>,
}

impl FulfillmentSimulator {
    /// Starts the service on loopback.
    pub async fn start(options: FulfillmentOptions) -> Result<Self, StartError> {
        let (listener, address) = listen(options.port).await?;
        let service = Arc::new(Service {
            token: options.token,
            orders: Mutex::default(),
            changed: Notify::new(),
            faults: FaultTable::default(),
            holds: Arc::new(Holds::default()),
        });
        let mut servers = JoinSet::new();
        servers.spawn(serve_http(listener, routes(&service)));
        Ok(Self {
            service,
            url: format!("http://{address}"),
            _servers: servers,
        })
    }

    /// The base of its API's addresses, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bearer token that callers must send.
    pub fn token(&self) -> &str {
        &self.service.token
    }

    /// Every order that it was ever asked about, by order id.
    pub fn orders(&self) -> Vec<FulfillmentRecord> {
        lock(&self.service.orders).values().cloned().collect()
    }

    /// What it knows about one order.
    pub fn order(&self, order_id: &str) -> Option<FulfillmentRecord> {
        lock(&self.service.orders).get(order_id).cloned()
    }

    /// Sets the order's fault, in place of the one that it had.
    pub fn set_fault(&self, order_id: &str, fault: FulfillmentFault) {
        self.service.set_fault(order_id, fault);
    }

    /// Forgets every fault. Calls that are held stay so until they are released.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Lets the held calls of the order be answered; tells how many there were.
    pub fn release(&self, order_id: &str) -> usize {
        self.service.holds.release(order_id)
    }

    /// Waits until a call of the order took effect and its answer is held.
    pub async fn wait_until_held(
        &self,
        order_id: &str,
        patience: Duration,
    ) -> Result<(), DeadlinePassed> {
        self.service.holds.until_held(order_id, patience).await
    }

    /// Waits until what is known about the order is as `wanted`.
    pub async fn wait_for(
        &self,
        order_id: &str,
        wanted: impl Fn(&FulfillmentRecord) -> bool,
        patience: Duration,
    ) -> Result<FulfillmentRecord, DeadlinePassed> {
        let what = format!("the awaited fulfilment of order {order_id}");
        until(&self.service.changed, patience, &what, || {
            self.order(order_id).filter(|record| wanted(record))
        })
        .await
    }
}

fn routes(service: &Arc<Service>) -> Router {
    let authorized = from_fn_with_state(Arc::clone(service), authorize);
    let api = Router::new()
        .route("/fulfillments", get(list_orders))
        .route(
            "/fulfillments/{order}",
            put(request_order).delete(cancel_order),
        )
        .layer(authorized);
    Router::new()
        .route("/_control/faults/{order}", put(put_fault))
        .route("/_control/faults", delete(delete_faults))
        .route("/_control/release/{order}", post(release))
        .merge(api)
        .with_state(Arc::clone(service))
}

async fn authorize(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    if bearer(request.headers()) == Some(&service.token) {
        return next.run(request).await;
    }
    refusal(
        StatusCode::UNAUTHORIZED,
        "the bearer token is missing or wrong",
    )
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

async fn list_orders(State(service): State<Arc<Service>>) -> Json<Vec<FulfillmentRecord>> {
    Json(lock(&service.orders).values().cloned().collect())
}

async fn request_order(
    State(service): State<Arc<Service>>,
    Path(order_id): Path<String>,
    Json(order): Json<FulfillmentOrder>,
) -> Response {
    if order.order_id != order_id {
        return refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            "orderId differs from the path",
        );
    }
    service
        .answer(&order_id, |service| service.request(order))
        .await
}

async fn cancel_order(
    State(service): State<Arc<Service>>,
    Path(order_id): Path<String>,
) -> Response {
    service
        .answer(&order_id, |service| service.cancel(&order_id))
        .await
}

async fn put_fault(
    State(service): State<Arc<Service>>,
    Path(order_id): Path<String>,
    Json(fault): Json<FulfillmentFault>,
) -> StatusCode {
    service.set_fault(&order_id, fault);
    StatusCode::NO_CONTENT
}

async fn delete_faults(State(service): State<Arc<Service>>) -> StatusCode {
    service.faults.clear();
    StatusCode::NO_CONTENT
}

async fn release(State(service): State<Arc<Service>>, Path(order_id): Path<String>) -> Json<Value> {
    Json(json!({ "released": service.holds.release(&order_id) }))
}

impl Service {
    /// Answers a call. It takes effect before anything is waited for, as at the gateway.
    async fn answer(&self, order_id: &str, execute: impl FnOnce(&Self) -> Response) -> Response {
        let fault = self.faults.take(order_id, |_fault| true);
        match fault.map(|fault| fault.mode) {
            Some(FulfillmentFaultMode::Refuse) => {
                return refusal(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "the order cannot be fulfilled",
                );
            }
            Some(FulfillmentFaultMode::Unavailable) => {
                return refusal(StatusCode::SERVICE_UNAVAILABLE, "try again later");
            }
            _ => {}
        }
        let answer = execute(self);
        self.changed.notify_waiters();
        match fault {
            Some(fault) if fault.mode == FulfillmentFaultMode::DropAfterCommit => {
                return HangUp.into_response();
            }
            Some(fault) if fault.mode == FulfillmentFaultMode::Slow => {
                pause(Duration::from_millis(fault.delay_ms.unwrap_or(1_000))).await;
            }
            Some(_) => self.holds.wait(order_id).await,
            None => {}
        }
        answer
    }

    fn request(&self, order: FulfillmentOrder) -> Response {
        let mut orders = lock(&self.orders);
        let id = &order.order_id;
        let record = orders.entry(id.clone()).or_insert_with(|| unknown(id));
        if record.cancelled {
            return refusal(StatusCode::CONFLICT, "the order was taken back");
        }
        match &record.request {
            Some(known) if *known != order => {
                return refusal(
                    StatusCode::CONFLICT,
                    "the order was asked for with other items",
                );
            }
            Some(_) => {}
            None => record.request = Some(order),
        }
        record.times_requested += 1;
        Json(&*record).into_response()
    }

    fn cancel(&self, order_id: &str) -> Response {
        let mut orders = lock(&self.orders);
        let record = orders
            .entry(order_id.to_owned())
            .or_insert_with(|| unknown(order_id));
        record.cancelled = true;
        StatusCode::NO_CONTENT.into_response()
    }

    fn set_fault(&self, order_id: &str, fault: FulfillmentFault) {
        self.faults
            .set(order_id, [(fault, fault.times)], |_old| true);
    }
}

fn unknown(order_id: &str) -> FulfillmentRecord {
    FulfillmentRecord {
        order_id: order_id.to_owned(),
        request: None,
        cancelled: false,
        times_requested: 0,
    }
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
