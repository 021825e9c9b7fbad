//! A push service with the devices that subscribed at it: it checks who sends, and each device
//! decrypts and keeps what reaches it.
//!
//! It speaks what every browser's push service does (RFC 8030, 8291, 8292), over plain HTTP on
//! loopback. It does not replace undelivered messages of the same topic: a device sees all of them,
//! and how often each was pushed.

mod message;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use url::Url;
use web_push_native::p256::SecretKey;
use web_push_native::p256::elliptic_curve::rand_core::OsRng;

use crate::faults::{FaultTable, Holds};
use crate::loopback::{DeadlinePassed, HangUp, StartError, listen, lock, serve_http, until};
use message::{DeviceKeys, Refusal};

/// How the push service is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct PushOptions {
    /// Its port; 0 takes a free one.
    pub port: u16,
}

/// A device's subscription, as a browser hands it to the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushDevice {
    /// Where messages to it are posted.
    pub endpoint: String,
    /// Its public key, base64url.
    pub p256dh: String,
    /// Its authentication secret, base64url.
    pub auth: String,
}

/// A message that reached a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedMessage {
    /// What the device decrypted, as text.
    pub text: String,
    /// The topic, if it has one.
    pub topic: Option<String>,
    /// How urgent the sender says it is; `normal` if it says nothing.
    pub urgency: String,
    /// How many seconds it should be kept for a device that is offline.
    pub time_to_live: u64,
    /// The sender's public key, base64url.
    pub sender: String,
    /// Whom the sender says to tell of trouble.
    pub subject: String,
    /// How often it was pushed: the same text, of the same topic.
    pub times: u32,
}

impl PushedMessage {
    /// The text as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// A fault that the messages to a device meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushFault {
    /// What goes wrong.
    pub mode: PushFaultMode,
    /// How often; without it every time, until the faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// With `rate_limit`, what `Retry-After` says; a second if absent.
    #[serde(default)]
    pub retry_after_seconds: Option<u64>,
}

/// What goes wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushFaultMode {
    /// The subscription is dead (410).
    Gone,
    /// Too many messages (429), not taken.
    RateLimit,
    /// The service fails (500), the message is not taken.
    Error,
    /// Refused for good (400).
    Refuse,
    /// Taken, then the connection closes without an answer.
    DropAfterTake,
    /// The connection closes, the message is not taken.
    DropBeforeTake,
    /// Taken, answered when the test releases the device.
    Hold,
}

/// A running push service; it stops when it is dropped.
#[derive(Debug)]
pub struct PushSimulator {
    service: Arc<Service>,
    _servers: JoinSet<()>,
}

#[derive(Debug)]
struct Service {
    url: Url,
    devices: Mutex<BTreeMap<String, Device>>,
    changed: Notify,
    faults: FaultTable<PushFault>,
    holds: Arc<Holds>,
}

#[derive(Debug)]
struct Device {
    keys: DeviceKeys,
    messages: Vec<PushedMessage>,
}

/// A new key for a sender: P-256, 32 bytes, base64url.
pub fn new_vapid_key() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(SecretKey::random(&mut OsRng).to_bytes())
}

impl PushSimulator {
    /// Starts the service on loopback, without any device.
    pub async fn start(options: PushOptions) -> Result<Self, StartError> {
        let (listener, address) = listen(options.port).await?;
        let url = format!("http://{address}/");
        let service = Arc::new(Service {
            url: Url::parse(&url).map_err(|error| StartError::Address {
                url,
                reason: error.to_string(),
            })?,
            devices: Mutex::default(),
            changed: Notify::new(),
            faults: FaultTable::default(),
            holds: Arc::new(Holds::default()),
        });
        let mut servers = JoinSet::new();
        servers.spawn(serve_http(listener, routes(&service)));
        Ok(Self {
            service,
            _servers: servers,
        })
    }

    /// The base of its addresses, without a trailing slash.
    pub fn url(&self) -> &str {
        self.service.url.as_str().trim_end_matches('/')
    }

    /// The subscription of the device of this name; the first time, the device subscribes.
    pub fn device(&self, name: &str) -> PushDevice {
        self.service.device(name)
    }

    /// What reached the device, the oldest first.
    pub fn messages_of(&self, device: &str) -> Vec<PushedMessage> {
        self.service.messages_of(device)
    }

    /// Waits for the first message to the device that `wanted` accepts, one that is already there
    /// included.
    pub async fn wait_for(
        &self,
        device: &str,
        wanted: impl Fn(&PushedMessage) -> bool,
        patience: Duration,
    ) -> Result<PushedMessage, DeadlinePassed> {
        let what = format!("the awaited message to device {device}");
        until(&self.service.changed, patience, &what, || {
            self.messages_of(device).into_iter().find(&wanted)
        })
        .await
    }

    /// Sets the device's fault, in place of the one that it had.
    pub fn set_fault(&self, device: &str, fault: PushFault) {
        self.service.set_fault(device, fault);
    }

    /// Forgets every fault. Messages that are held stay so until they are released.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Lets the held messages to the device be answered; tells how many there were.
    pub fn release(&self, device: &str) -> usize {
        self.service.holds.release(device)
    }

    /// Waits until a message to the device was taken and its answer is held.
    pub async fn wait_until_held(
        &self,
        device: &str,
        patience: Duration,
    ) -> Result<(), DeadlinePassed> {
        self.service.holds.until_held(device, patience).await
    }
}

fn routes(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/push/{device}", post(push))
        .route("/_control/devices/{device}", put(put_device))
        .route("/_control/messages/{device}", get(list_messages))
        .route("/_control/faults/{device}", put(put_fault))
        .route("/_control/faults", delete(delete_faults))
        .route("/_control/release/{device}", post(release))
        .with_state(Arc::clone(service))
}

async fn push(
    State(service): State<Arc<Service>>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match service.read(&device, &headers, &body) {
        Ok(message) => service.answer(&device, message).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn put_device(
    State(service): State<Arc<Service>>,
    Path(device): Path<String>,
) -> Json<PushDevice> {
    Json(service.device(&device))
}

async fn list_messages(
    State(service): State<Arc<Service>>,
    Path(device): Path<String>,
) -> Json<Vec<PushedMessage>> {
    Json(service.messages_of(&device))
}

async fn put_fault(
    State(service): State<Arc<Service>>,
    Path(device): Path<String>,
    Json(fault): Json<PushFault>,
) -> StatusCode {
    service.set_fault(&device, fault);
    StatusCode::NO_CONTENT
}

async fn delete_faults(State(service): State<Arc<Service>>) -> StatusCode {
    service.faults.clear();
    StatusCode::NO_CONTENT
}

async fn release(State(service): State<Arc<Service>>, Path(device): Path<String>) -> Json<Value> {
    Json(json!({ "released": service.holds.release(&device) }))
}

impl Service {
    fn device(&self, name: &str) -> PushDevice {
        let mut endpoint = self.url.clone();
        // Fails only for addresses that no path can be added to; ours is none of them.
        if let Ok(mut path) = endpoint.path_segments_mut() {
            path.pop_if_empty().extend(["push", name]);
        }
        let mut devices = lock(&self.devices);
        let device = devices.entry(name.to_owned()).or_insert_with(|| Device {
            keys: DeviceKeys::new(),
            messages: Vec::new(),
        });
        PushDevice {
            endpoint: endpoint.into(),
            p256dh: device.keys.p256dh(),
            auth: device.keys.auth(),
        }
    }

    fn messages_of(&self, device: &str) -> Vec<PushedMessage> {
        lock(&self.devices)
            .get(device)
            .map(|device| device.messages.clone())
            .unwrap_or_default()
    }

    fn set_fault(&self, device: &str, fault: PushFault) {
        self.faults.set(device, [(fault, fault.times)], |_old| true);
    }

    /// The message, if the sender and the device's own keys vouch for it.
    fn read(
        &self,
        device: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<PushedMessage, Refusal> {
        let devices = lock(&self.devices);
        let device = devices.get(device).ok_or_else(Refusal::no_such_device)?;
        let origin = self.url.origin().ascii_serialization();
        message::read(&origin, &device.keys, headers, body)
    }

    /// Answers a message that is well formed. It is taken before anything is waited for.
    async fn answer(&self, device: &str, message: PushedMessage) -> Response {
        let fault = self.faults.take(device, |_fault| true);
        match fault.map(|fault| fault.mode) {
            None => {
                self.take(device, message);
                StatusCode::CREATED.into_response()
            }
            Some(PushFaultMode::Hold) => {
                self.take(device, message);
                self.holds.wait(device).await;
                StatusCode::CREATED.into_response()
            }
            Some(PushFaultMode::DropAfterTake) => {
                self.take(device, message);
                HangUp.into_response()
            }
            Some(PushFaultMode::DropBeforeTake) => HangUp.into_response(),
            Some(PushFaultMode::Gone) => (StatusCode::GONE, "unsubscribed").into_response(),
            Some(PushFaultMode::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Some(PushFaultMode::Refuse) => {
                (StatusCode::BAD_REQUEST, "the message is refused").into_response()
            }
            Some(PushFaultMode::RateLimit) => {
                let seconds = fault.and_then(|fault| fault.retry_after_seconds);
                let wait = seconds.unwrap_or(1).to_string();
                (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, wait)]).into_response()
            }
        }
    }

    fn take(&self, device: &str, message: PushedMessage) {
        if let Some(device) = lock(&self.devices).get_mut(device) {
            let known = device
                .messages
                .iter_mut()
                .find(|known| known.topic == message.topic && known.text == message.text);
            match known {
                Some(known) => known.times += 1,
                None => device.messages.push(message),
            }
        }
        self.changed.notify_waiters();
    }
}
