//! One call at the gateway, from the idempotency key to the fault that eats its answer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::fault::{Fault, FaultMode, Operation};
use super::idempotency::{Keys, Lookup, Stored};
use super::ledger::{Event, Ledger, Verdict};
use super::payment::{Decline, Intent};
use super::problem::Problem;
use super::state_file;
use crate::faults::{FaultTable, Holds};
use crate::loopback::{HangUp, lock, pause};

/// Everything that one gateway knows.
#[derive(Debug)]
pub(super) struct Simulator {
    pub(super) api_key: String,
    pub(super) books: Mutex<Books>,
    pub(super) faults: FaultTable<Fault>,
    pub(super) holds: Arc<Holds>,
    pub(super) state_file: Option<PathBuf>,
    pub(super) webhooks: Mutex<Option<UnboundedSender<Event>>>,
}

/// What outlives a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Books {
    pub(super) ledger: Ledger,
    pub(super) keys: Keys,
    /// How many calls came, those that failed included.
    pub(super) requests: BTreeMap<Operation, u64>,
}

/// A call as it came.
#[derive(Debug)]
pub(super) struct Call {
    /// What it does; creating and confirming at once are two.
    pub(super) operations: Vec<Operation>,
    /// Whose faults apply.
    pub(super) order: Option<String>,
    pub(super) key: Option<String>,
    /// The endpoint and the parameters.
    pub(super) request: String,
}

/// How far a call got before its answer is sent.
enum Progress {
    /// It is answered at once.
    Answered(Answer),
    /// It is never answered, and took no effect.
    Dropped,
    /// It took effect; the fault decides about the answer.
    Committed(Answer, Option<FaultMode>, Option<RunningKey>),
}

struct Answer {
    stored: Stored,
    replayed: bool,
    retry_after_seconds: Option<u64>,
}

/// Marks a key as in use until the call is answered, or its client has left.
struct RunningKey {
    simulator: Arc<Simulator>,
    key: String,
}

impl Drop for RunningKey {
    fn drop(&mut self) {
        let mut books = lock(&self.simulator.books);
        books.keys.set_running(&self.key, false);
    }
}

impl Books {
    /// The answer that the call's key already has.
    fn known_answer(&self, call: &Call) -> Result<Option<Stored>, Problem> {
        let Some(key) = &call.key else {
            return Ok(None);
        };
        match self.keys.look_up(key, &call.request) {
            Lookup::New => Ok(None),
            Lookup::Replay(stored) => Ok(Some(stored)),
            Lookup::InUse => Err(Problem::key_in_use(key)),
            Lookup::Mismatch => Err(Problem::key_reused(key)),
        }
    }
}

impl Simulator {
    /// Answers a call. It takes effect, if at all, before anything is waited for: what a client
    /// that hangs up leaves behind is a call that took effect.
    pub(super) async fn answer(
        self: Arc<Self>,
        call: Call,
        execute: impl FnOnce(&Self, &mut Ledger) -> Result<Value, Problem>,
    ) -> Response {
        let order = call.order.clone().unwrap_or_default();
        let (answer, fault, _running) = match self.perform(&call, execute) {
            Progress::Answered(answer) => return answer.into_response(),
            Progress::Dropped => return HangUp.into_response(),
            Progress::Committed(answer, fault, running) => (answer, fault, running),
        };
        match fault {
            Some(FaultMode::DropAfterCommit) => return HangUp.into_response(),
            Some(FaultMode::ErrorAfterCommit) => {
                return Answer::problem(&Problem::internal()).into_response();
            }
            Some(FaultMode::Slow { delay }) => pause(delay).await,
            Some(FaultMode::Hold) => self.holds.wait(&order).await,
            _ => {}
        }
        answer.into_response()
    }

    fn perform(
        self: &Arc<Self>,
        call: &Call,
        execute: impl FnOnce(&Self, &mut Ledger) -> Result<Value, Problem>,
    ) -> Progress {
        let mut books = lock(&self.books);
        for operation in &call.operations {
            *books.requests.entry(*operation).or_default() += 1;
        }
        let known = match books.known_answer(call) {
            Ok(known) => known,
            Err(problem) => return Progress::Answered(Answer::problem(&problem)),
        };
        let fault = self.take_call_fault(call);
        if let Some(progress) = fault.as_ref().and_then(before_commit) {
            return progress;
        }
        let answer = match known {
            Some(stored) => Answer {
                stored,
                replayed: true,
                retry_after_seconds: None,
            },
            None => self.execute(&mut books, call, execute),
        };
        let waits = matches!(fault, Some(FaultMode::Slow { .. } | FaultMode::Hold));
        let key = call.key.as_ref().filter(|_key| waits && !answer.replayed);
        let running = key.map(|key| {
            books.keys.set_running(key, true);
            RunningKey {
                simulator: Arc::clone(self),
                key: key.clone(),
            }
        });
        Progress::Committed(answer, fault, running)
    }

    fn execute(
        &self,
        books: &mut Books,
        call: &Call,
        execute: impl FnOnce(&Self, &mut Ledger) -> Result<Value, Problem>,
    ) -> Answer {
        let (answer, executed) = match execute(self, &mut books.ledger) {
            Ok(body) => (Answer::new(Stored { status: 200, body }), true),
            Err(problem) => (Answer::problem(&problem), problem.executed),
        };
        if let Some(key) = call.key.as_ref().filter(|_key| executed) {
            books
                .keys
                .store(key, call.request.clone(), answer.stored.clone());
        }
        if books.ledger.take_changed() {
            self.settle_books(books);
        }
        answer
    }

    /// Keeps the books in the file and tells the webhook, after they changed.
    pub(super) fn settle_books(&self, books: &mut Books) {
        for event in books.ledger.take_events() {
            if let Some(webhooks) = &*lock(&self.webhooks) {
                // Nobody listens any more only while everything stops.
                let _ = webhooks.send(event);
            }
        }
        if let Some(path) = &self.state_file
            && let Err(error) = state_file::write(path, books)
        {
            tracing::error!(%error, "the gateway simulator's state is not kept");
        }
    }

    fn take_call_fault(&self, call: &Call) -> Option<FaultMode> {
        let order = call.order.as_ref()?;
        let applies =
            |fault: &Fault| fault.decides_call() && call.operations.contains(&fault.applies_to());
        self.faults.take(order, applies).map(|fault| fault.mode)
    }

    /// Whether the search index lags behind for this order.
    pub(super) fn take_stale(&self, order: Option<&str>) -> bool {
        let stale = |fault: &Fault| fault.mode == FaultMode::Stale;
        order.is_some_and(|order| self.faults.take(order, stale).is_some())
    }

    /// What the issuer says: a fault of the order, or the meaning of a test payment method.
    pub(super) fn verdict(&self, intent: &Intent) -> Verdict {
        let method = intent.payment_method.clone();
        let order = intent.order_id().unwrap_or_default();
        match self
            .faults
            .take(order, Fault::decides_charge)
            .map(|fault| fault.mode)
        {
            Some(FaultMode::Decline { code }) => Verdict::Declined(Decline::new(&code, method)),
            Some(FaultMode::Processing {
                retrieves,
                then_decline,
            }) => Verdict::Pending {
                retrieves,
                decline: then_decline.map(|code| Decline::new(&code, method)),
            },
            _ => match method.as_deref().and_then(declined_test_method) {
                Some(code) => Verdict::Declined(Decline::new(code, method)),
                None => Verdict::Approved,
            },
        }
    }

    /// The order that a payment belongs to.
    pub(super) fn order_of(&self, intent: &str) -> Option<String> {
        let books = lock(&self.books);
        let intent = books.ledger.intent(intent).ok()?;
        intent.order_id().map(ToOwned::to_owned)
    }
}

/// What becomes of a call that a fault keeps from taking effect.
fn before_commit(fault: &FaultMode) -> Option<Progress> {
    Some(Progress::Answered(match fault {
        FaultMode::DropBeforeCommit => return Some(Progress::Dropped),
        FaultMode::Error => Answer::problem(&Problem::internal()),
        FaultMode::Refuse => Answer::problem(&Problem::refused()),
        FaultMode::RateLimit {
            retry_after_seconds,
        } => Answer {
            retry_after_seconds: Some(*retry_after_seconds),
            ..Answer::problem(&Problem::rate_limited())
        },
        _ => return None,
    }))
}

/// The code of the gateway's own test payment methods that are always declined.
fn declined_test_method(method: &str) -> Option<&'static str> {
    let (_, kind) = method.split_once("chargeDeclined")?;
    Some(match kind {
        "InsufficientFunds" => "insufficient_funds",
        "LostCard" => "lost_card",
        "StolenCard" => "stolen_card",
        "ExpiredCard" => "expired_card",
        "IncorrectCvc" => "incorrect_cvc",
        "ProcessingError" => "processing_error",
        _ => "generic_decline",
    })
}

impl Answer {
    const fn new(stored: Stored) -> Self {
        Self {
            stored,
            replayed: false,
            retry_after_seconds: None,
        }
    }

    fn problem(problem: &Problem) -> Self {
        Self::new(Stored {
            status: problem.status,
            body: problem.body(),
        })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.stored.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.stored.body)).into_response();
        let headers = response.headers_mut();
        if self.replayed {
            let replayed = HeaderName::from_static("idempotent-replayed");
            headers.insert(replayed, HeaderValue::from_static("true"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Answer::problem(&self).into_response()
    }
}
