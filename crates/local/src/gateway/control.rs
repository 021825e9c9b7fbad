//! What a test and a person see and steer: the control API and the page. Neither asks for a key;
//! the gateway listens on loopback only.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::fault::{Fault, FaultSpec, Operation};
use super::payment::{Intent, IntentStatus};
use super::simulator::{Books, Simulator};
use crate::loopback::lock;

/// The page shows this many; the API has no limit.
const LISTED_PAYMENTS: usize = 200;
/// Currencies without minor units, as the gateway lists them.
const ZERO_DECIMAL: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];

/// A payment as the gateway's books have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRecord {
    /// The gateway's id.
    pub id: String,
    /// What is paid for, from `metadata[order_id]` or `metadata[subscription_id]`.
    pub order_id: Option<String>,
    /// The caller's reference, from `metadata[reference]`.
    pub reference: Option<String>,
    /// Where it stands.
    pub state: IntentStatus,
    /// What was asked for, in minor units.
    pub amount: i64,
    /// The currency, in lower case.
    pub currency: String,
    /// What was taken, refunded or not.
    pub received: i64,
    /// What went back.
    pub refunded: i64,
    /// What is authorised and neither taken nor let go.
    pub held: i64,
    /// How often the issuer approved a charge; more than once would be a defect.
    pub times_charged: usize,
    /// The code of the last decline, while nothing came after it.
    pub declined: Option<String>,
}

/// The sums of the books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GatewaySummary {
    /// The sums by currency.
    pub currencies: BTreeMap<String, CurrencySums>,
    /// How many calls came of each kind, those that failed or were replayed included.
    pub requests: BTreeMap<Operation, u64>,
}

/// The sums in one currency, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CurrencySums {
    /// What was taken, refunded or not.
    pub charged: i64,
    /// What went back.
    pub refunded: i64,
    /// What is authorised and neither taken nor let go.
    pub held: i64,
}

#[derive(Template)]
#[template(path = "gateway.html")]
struct GatewayPage {
    rows: Vec<Row>,
    sums: Vec<SumRow>,
    total: usize,
}

struct Row {
    id: String,
    order: String,
    state: &'static str,
    /// The colour of the state.
    tone: &'static str,
    amount: String,
    received: String,
    refunded: String,
    note: String,
}

struct SumRow {
    currency: String,
    charged: String,
    refunded: String,
    held: String,
}

pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/", get(show_page))
        .route("/_control/faults/{order}", put(put_faults))
        .route("/_control/faults", delete(delete_faults))
        .route("/_control/release/{order}", post(release))
        .route("/_control/prune-keys", post(prune_keys))
        .route("/_control/payments", get(list_payments))
        .route("/_control/summary", get(show_summary))
}

/// Every payment, the oldest first.
pub(super) fn payments(books: &Books) -> Vec<PaymentRecord> {
    books.ledger.intents().iter().map(record).collect()
}

/// The sums of the books.
pub(super) fn summary(books: &Books) -> GatewaySummary {
    let mut currencies: BTreeMap<String, CurrencySums> = BTreeMap::new();
    for intent in books.ledger.intents() {
        let sums = currencies.entry(intent.currency.clone()).or_default();
        sums.charged += intent.received();
        sums.refunded += intent.refunded();
        sums.held += intent.held();
    }
    GatewaySummary {
        currencies,
        requests: books.requests.clone(),
    }
}

/// Sets faults, in place of those that the order had for the same operations.
pub(super) fn set_faults(simulator: &Simulator, order: &str, faults: Vec<Fault>) {
    let operations: Vec<Operation> = faults.iter().map(Fault::applies_to).collect();
    let timed = faults.into_iter().map(|fault| {
        let times = fault.times;
        (fault, times)
    });
    simulator
        .faults
        .set(order, timed, |old| operations.contains(&old.applies_to()));
}

/// Forgets the answered keys; answers how many.
pub(super) fn prune(simulator: &Simulator) -> usize {
    let mut books = lock(&simulator.books);
    let pruned = books.keys.prune();
    simulator.settle_books(&mut books);
    pruned
}

async fn put_faults(
    State(simulator): State<Arc<Simulator>>,
    Path(order): Path<String>,
    Json(faults): Json<Value>,
) -> Response {
    // One fault or several, which apply in their order. Read by hand, because an untagged enum
    // would not say which field is wrong.
    let read = match faults {
        Value::Array(several) => several.into_iter().map(serde_json::from_value).collect(),
        one => serde_json::from_value(one).map(|spec: FaultSpec| vec![spec]),
    };
    match read {
        Ok(specs) => {
            let specs: Vec<FaultSpec> = specs;
            set_faults(
                &simulator,
                &order,
                specs.into_iter().map(Fault::from).collect(),
            );
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn delete_faults(State(simulator): State<Arc<Simulator>>) -> StatusCode {
    simulator.faults.clear();
    StatusCode::NO_CONTENT
}

async fn release(
    State(simulator): State<Arc<Simulator>>,
    Path(order): Path<String>,
) -> Json<Value> {
    Json(json!({ "released": simulator.holds.release(&order) }))
}

async fn prune_keys(State(simulator): State<Arc<Simulator>>) -> Json<Value> {
    Json(json!({ "pruned": prune(&simulator) }))
}

async fn list_payments(State(simulator): State<Arc<Simulator>>) -> Json<Vec<PaymentRecord>> {
    Json(payments(&lock(&simulator.books)))
}

async fn show_summary(State(simulator): State<Arc<Simulator>>) -> Json<GatewaySummary> {
    Json(summary(&lock(&simulator.books)))
}

async fn show_page(State(simulator): State<Arc<Simulator>>) -> Response {
    let page = {
        let books = lock(&simulator.books);
        let newest_first = books.ledger.intents().iter().rev();
        GatewayPage {
            rows: newest_first.take(LISTED_PAYMENTS).map(row).collect(),
            sums: sum_rows(&summary(&books)),
            total: books.ledger.intents().len(),
        }
    };
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn record(intent: &Intent) -> PaymentRecord {
    let last_error = intent.last_error.as_ref();
    PaymentRecord {
        id: intent.id.clone(),
        order_id: intent.order_id().map(ToOwned::to_owned),
        reference: intent.metadata.get("reference").cloned(),
        state: intent.status,
        amount: intent.amount,
        currency: intent.currency.clone(),
        received: intent.received(),
        refunded: intent.refunded(),
        held: intent.held(),
        times_charged: intent.times_charged(),
        declined: last_error.map(|decline| decline.reason.clone()),
    }
}

fn row(intent: &Intent) -> Row {
    let money = |amount| money(amount, &intent.currency);
    let refunded = intent.refunded();
    let last_error = intent.last_error.as_ref();
    Row {
        id: intent.id.clone(),
        order: intent.order_id().unwrap_or_default().to_owned(),
        state: intent.status.as_str(),
        tone: match intent.status {
            IntentStatus::Succeeded => "good",
            IntentStatus::Canceled => "soft",
            _ if last_error.is_some() => "bad",
            _ => "wait",
        },
        amount: money(intent.amount),
        received: money(intent.received()),
        refunded: if refunded == 0 {
            String::new()
        } else {
            money(refunded)
        },
        note: last_error
            .map(|decline| decline.reason.clone())
            .unwrap_or_default(),
    }
}

fn sum_rows(summary: &GatewaySummary) -> Vec<SumRow> {
    let rows = summary.currencies.iter();
    rows.map(|(currency, sums)| SumRow {
        currency: currency.to_uppercase(),
        charged: money(sums.charged, currency),
        refunded: money(sums.refunded, currency),
        held: money(sums.held, currency),
    })
    .collect()
}

/// An amount as people write it.
fn money(minor: i64, currency: &str) -> String {
    let name = currency.to_uppercase();
    if ZERO_DECIMAL.contains(&currency) {
        return format!("{minor} {name}");
    }
    format!("{}.{:02} {name}", minor / 100, minor % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_amounts_as_people_do() {
        assert_eq!(money(5, "usd"), "0.05 USD");
        assert_eq!(money(123_450, "inr"), "1234.50 INR");
        assert_eq!(money(500, "jpy"), "500 JPY");
    }
}
