//! The endpoints of the gateway's API.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::fault::Operation;
use super::form::{Form, INVALID_INTEGER};
use super::ledger::{Ledger, NewIntent, NewRefund};
use super::payment::Intent;
use super::problem::Problem;
use super::search::Query;
use super::simulator::{Call, Simulator};
use super::wire;
use crate::loopback::{lock, now};

const CREATE_PARAMETERS: [&str; 16] = [
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "confirmation_method",
    "currency",
    "customer",
    "description",
    "error_on_requires_action",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_types",
    "receipt_email",
    "return_url",
    "statement_descriptor_suffix",
];
const CONFIRM_PARAMETERS: [&str; 5] = [
    "error_on_requires_action",
    "off_session",
    "payment_method",
    "receipt_email",
    "return_url",
];
const REFUND_PARAMETERS: [&str; 5] = ["amount", "charge", "metadata", "payment_intent", "reason"];
/// The most that the gateway takes at once: eight digits.
const LARGEST_AMOUNT: i64 = 99_999_999;

type Gateway = State<Arc<Simulator>>;

pub(super) fn routes(simulator: &Arc<Simulator>) -> Router<Arc<Simulator>> {
    let authorized = from_fn_with_state(Arc::clone(simulator), authorize);
    Router::new()
        .route("/v1/payment_intents", post(create_intent).get(list_intents))
        .route("/v1/payment_intents/search", get(search_intents))
        .route("/v1/payment_intents/{id}", get(retrieve_intent))
        .route("/v1/payment_intents/{id}/confirm", post(confirm_intent))
        .route("/v1/payment_intents/{id}/capture", post(capture_intent))
        .route("/v1/payment_intents/{id}/cancel", post(cancel_intent))
        .route("/v1/refunds", post(create_refund).get(list_refunds))
        .route("/v1/{*path}", axum::routing::any(no_route))
        .method_not_allowed_fallback(no_route)
        .layer(authorized)
}

async fn authorize(State(simulator): Gateway, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(key) if key == simulator.api_key => next.run(request).await,
        Some(_) => Problem::unauthorized("Invalid API Key provided.").into_response(),
        None => {
            let message = "You did not provide an API key. You need to provide your API key in \
                           the Authorization header, using Bearer auth.";
            Problem::unauthorized(message).into_response()
        }
    }
}

async fn no_route(method: Method, uri: Uri) -> Problem {
    Problem::no_route(method.as_str(), uri.path())
}

async fn create_intent(
    State(simulator): Gateway,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let confirms = form.text("confirm") == Some("true");
    let operations = if confirms {
        vec![Operation::Create, Operation::Confirm]
    } else {
        vec![Operation::Create]
    };
    let mut metadata = form.map("metadata");
    let order = metadata.remove("order_id");
    let order = order.or_else(|| metadata.remove("subscription_id"));
    let call = call(operations, order, &uri, &headers, &form);
    let execute = move |simulator: &Simulator, ledger: &mut Ledger| {
        form.only(&CREATE_PARAMETERS)?;
        let confirms = form.flag("confirm")?;
        let now = now().timestamp();
        let id = ledger.create(new_intent(&form)?, now);
        if confirms {
            ledger.confirm(&id, None, now, |intent| simulator.verdict(intent))?;
        }
        show(ledger, &id, &form)
    };
    simulator.answer(call, execute).await
}

async fn confirm_intent(
    State(simulator): Gateway,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let order = simulator.order_of(&id);
    let call = call(vec![Operation::Confirm], order, &uri, &headers, &form);
    let execute = move |simulator: &Simulator, ledger: &mut Ledger| {
        form.only(&CONFIRM_PARAMETERS)?;
        let method = form.text("payment_method").map(ToOwned::to_owned);
        ledger.confirm(&id, method, now().timestamp(), |intent| {
            simulator.verdict(intent)
        })?;
        show(ledger, &id, &form)
    };
    simulator.answer(call, execute).await
}

async fn capture_intent(
    State(simulator): Gateway,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let order = simulator.order_of(&id);
    let call = call(vec![Operation::Capture], order, &uri, &headers, &form);
    let execute = move |_: &Simulator, ledger: &mut Ledger| {
        form.only(&["amount_to_capture"])?;
        ledger.capture(&id, form.amount("amount_to_capture")?)?;
        show(ledger, &id, &form)
    };
    simulator.answer(call, execute).await
}

async fn cancel_intent(
    State(simulator): Gateway,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let order = simulator.order_of(&id);
    let call = call(vec![Operation::Cancel], order, &uri, &headers, &form);
    let execute = move |_: &Simulator, ledger: &mut Ledger| {
        form.only(&["cancellation_reason"])?;
        let reason = form.text("cancellation_reason").map(ToOwned::to_owned);
        ledger.cancel(&id, reason, now().timestamp())?;
        show(ledger, &id, &form)
    };
    simulator.answer(call, execute).await
}

async fn create_refund(
    State(simulator): Gateway,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let order = simulator.order_of(form.text("payment_intent").unwrap_or_default());
    let call = call(vec![Operation::Refund], order, &uri, &headers, &form);
    let execute = move |_: &Simulator, ledger: &mut Ledger| {
        form.only(&REFUND_PARAMETERS)?;
        let new = NewRefund {
            intent: form.required("payment_intent")?.to_owned(),
            amount: form.amount("amount")?,
            reason: form.text("reason").map(ToOwned::to_owned),
            metadata: form.map("metadata"),
        };
        let refund = ledger.refund(new, now().timestamp())?;
        Ok(wire::refund(&refund))
    };
    simulator.answer(call, execute).await
}

async fn retrieve_intent(
    State(simulator): Gateway,
    Path(id): Path<String>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let order = simulator.order_of(&id);
    let call = call(
        vec![Operation::Retrieve],
        order,
        &uri,
        &HeaderMap::new(),
        &form,
    );
    let execute = move |_: &Simulator, ledger: &mut Ledger| {
        form.only(&["client_secret"])?;
        ledger.progress(&id)?;
        show(ledger, &id, &form)
    };
    simulator.answer(call, execute).await
}

async fn search_intents(
    State(simulator): Gateway,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let order = searched_order(&simulator, &form);
    let call = call(
        vec![Operation::Search],
        order.clone(),
        &uri,
        &HeaderMap::new(),
        &form,
    );
    let execute = move |simulator: &Simulator, ledger: &mut Ledger| {
        form.only(&["limit", "page", "query"])?;
        let query = Query::parse(form.required("query")?)?;
        let limit = limit(&form)?;
        let stale = simulator.take_stale(order.as_deref());
        let newest_first = ledger.intents().iter().rev();
        let found = newest_first.filter(|intent| !stale && query.accepts(intent));
        let (data, more) = first(found, limit, |intent| show_intent(intent, &form));
        Ok(wire::search_result(
            "/v1/payment_intents/search",
            data,
            more,
        ))
    };
    simulator.answer(call, execute).await
}

async fn list_intents(State(simulator): Gateway, uri: Uri, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let call = call(vec![Operation::List], None, &uri, &HeaderMap::new(), &form);
    let execute = move |_: &Simulator, ledger: &mut Ledger| {
        form.only(&["limit", "starting_after"])?;
        let limit = limit(&form)?;
        let all = ledger.intents().iter().rev();
        let rest = after(all, &form, "payment_intent", |intent| &intent.id)?;
        let (data, more) = first(rest.into_iter(), limit, |intent| show_intent(intent, &form));
        Ok(wire::list("/v1/payment_intents", data, more))
    };
    simulator.answer(call, execute).await
}

async fn list_refunds(State(simulator): Gateway, uri: Uri, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let call = call(vec![Operation::List], None, &uri, &HeaderMap::new(), &form);
    let execute = move |_: &Simulator, ledger: &mut Ledger| {
        form.only(&["limit", "payment_intent", "starting_after"])?;
        let limit = limit(&form)?;
        let intent = form.text("payment_intent");
        let all = ledger.refunds().iter().rev();
        let of_intent = all.filter(|refund| intent.is_none_or(|id| id == refund.intent));
        let rest = after(of_intent, &form, "refund", |refund| &refund.id)?;
        let (data, more) = first(rest.into_iter(), limit, wire::refund);
        Ok(wire::list("/v1/refunds", data, more))
    };
    simulator.answer(call, execute).await
}

fn call(
    operations: Vec<Operation>,
    order: Option<String>,
    uri: &Uri,
    headers: &HeaderMap,
    form: &Form,
) -> Call {
    let key = headers.get("idempotency-key");
    Call {
        operations,
        order,
        key: key.and_then(|key| key.to_str().ok()).map(ToOwned::to_owned),
        request: format!("{}?{}", uri.path(), form.canonical()),
    }
}

fn new_intent(form: &Form) -> Result<NewIntent, Problem> {
    let amount = form.amount("amount")?;
    let amount = amount.ok_or_else(|| Problem::missing_parameter("amount"))?;
    if amount > LARGEST_AMOUNT {
        let message = format!("Amount must be no more than {LARGEST_AMOUNT} minor units.");
        return Err(Problem::parameter("amount_too_large", "amount", &message));
    }
    let currency = form.required("currency")?;
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        let message = format!("Invalid currency: {currency}.");
        return Err(Problem::parameter(
            "parameter_invalid_string",
            "currency",
            &message,
        ));
    }
    let manual_capture = match form.text("capture_method") {
        None | Some("automatic" | "automatic_async") => false,
        Some("manual") => true,
        Some(other) => {
            let message = format!("Invalid capture_method: {other}");
            return Err(Problem::parameter(
                "parameter_unknown",
                "capture_method",
                &message,
            ));
        }
    };
    let mut payment_method_types = form.list("payment_method_types");
    if payment_method_types.is_empty() {
        payment_method_types.push("card".to_owned());
    }
    Ok(NewIntent {
        amount,
        currency: currency.to_owned(),
        manual_capture,
        payment_method: form.text("payment_method").map(ToOwned::to_owned),
        payment_method_types,
        metadata: form.map("metadata"),
        description: form.text("description").map(ToOwned::to_owned),
    })
}

fn show(ledger: &Ledger, id: &str, form: &Form) -> Result<Value, Problem> {
    ledger.intent(id).map(|intent| show_intent(intent, form))
}

fn show_intent(intent: &Intent, form: &Form) -> Value {
    wire::intent(intent, form.expands("latest_charge"))
}

/// The order whose faults a search meets: that of the payment it would find, or what it looks for
/// when there is none.
fn searched_order(simulator: &Simulator, form: &Form) -> Option<String> {
    let query = Query::parse(form.text("query")?).ok()?;
    let books = lock(&simulator.books);
    let mut found = books.ledger.intents().iter().rev();
    let found = found.find(|intent| query.accepts(intent));
    let order = found.and_then(Intent::order_id);
    order
        .or_else(|| query.values().next())
        .map(ToOwned::to_owned)
}

fn limit(form: &Form) -> Result<usize, Problem> {
    let invalid = || {
        let message = "The limit must be between 1 and 100.";
        Problem::parameter(INVALID_INTEGER, "limit", message)
    };
    let limit = match form.text("limit") {
        None => 10,
        Some(text) => text.parse().map_err(|_not_a_number| invalid())?,
    };
    if (1..=100).contains(&limit) {
        Ok(limit)
    } else {
        Err(invalid())
    }
}

/// What comes after the object that `starting_after` names.
fn after<'l, T: 'l>(
    mut all: impl Iterator<Item = &'l T>,
    form: &Form,
    object: &str,
    id_of: impl Fn(&T) -> &String,
) -> Result<Vec<&'l T>, Problem> {
    if let Some(id) = form.text("starting_after")
        && !all.by_ref().any(|item| id_of(item) == id)
    {
        return Err(Problem::missing(object, "starting_after", id));
    }
    Ok(all.collect())
}

/// The first `limit` objects, and whether there are more.
fn first<'l, T: 'l>(
    mut items: impl Iterator<Item = &'l T>,
    limit: usize,
    show: impl Fn(&T) -> Value,
) -> (Vec<Value>, bool) {
    let data = items.by_ref().take(limit).map(show).collect();
    (data, items.next().is_some())
}
