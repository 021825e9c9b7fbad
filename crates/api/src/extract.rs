//! Reading a request: whatever does not fit is one problem document.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use partner_core::wire::Wire;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::error::{ApiError, FieldProblem, Result};
use crate::state::ApiState;

/// The parts of the path.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub(crate) T);

/// What comes after the question mark.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub(crate) T);

/// A body that is what the API's description says, and the text that it came as.
#[derive(Debug, Clone)]
pub(crate) struct Body<T> {
    pub(crate) value: T,
    /// As it was sent: digits and fields that we do not know are kept.
    pub(crate) raw: Value,
}

impl<T: DeserializeOwned + ToSchema> FromRequest<ApiState> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self> {
        let RawBody(bytes) = RawBody::from_request(request, api).await?;
        let raw: Value = serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::field("", format!("the body is not JSON: {error}")))?;
        let problems = unstorable(&raw);
        if !problems.is_empty() {
            return Err(ApiError::Invalid(problems));
        }
        api.schemas.check(&T::name(), &raw)?;
        // What a schema cannot say the types do.
        let value = Wire::from_json(&bytes)
            .into_result()
            .map_err(|invalid| ApiError::Invalid(vec![problem(&invalid.to_string())]))?;
        Ok(Self { value, raw })
    }
}

/// A JSON body byte by byte, as it was sent: a signature is over these.
#[derive(Debug, Clone)]
pub(crate) struct RawBody(pub(crate) Bytes);

impl FromRequest<ApiState> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self> {
        if !is_json(&request) {
            return Err(ApiError::UnsupportedMediaType);
        }
        let most = api.config.max_body_bytes.get();
        let patience = api.config.body_timeout;
        timeout(patience, to_bytes(request.into_body(), most))
            .await
            .map_err(|_| ApiError::TooSlow(patience))?
            .map(Self)
            .map_err(|_| ApiError::TooLarge(most))
    }
}

/// Whether PostgreSQL could not keep a number: digits are kept as they come, however many.
fn is_beyond(number: &Number) -> bool {
    const MOST: usize = 1_000;
    let text = number.to_string();
    let exponent = text.split(['e', 'E']).nth(1).unwrap_or("0");
    let exponent = exponent.trim_start_matches(['+', '-']).parse::<usize>();
    text.len() > MOST || exponent.map_or(true, |exponent| exponent > MOST)
}

/// What PostgreSQL cannot keep: a workflow would fail because of one long after the answer.
fn unstorable(body: &Value) -> Vec<FieldProblem> {
    fn look(value: &Value, place: &str, problems: &mut Vec<FieldProblem>) {
        match value {
            Value::String(text) if text.contains('\0') => {
                problems.push(FieldProblem::new(
                    place,
                    "must not contain the character U+0000",
                ));
            }
            Value::Number(number) if is_beyond(number) => {
                problems.push(FieldProblem::new(
                    place,
                    "is beyond any number that is kept",
                ));
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    look(item, &format!("{place}[{index}]"), problems);
                }
            }
            Value::Object(fields) => {
                for (name, item) in fields {
                    let place = if place.is_empty() {
                        name.clone()
                    } else {
                        format!("{place}.{name}")
                    };
                    if name.contains('\0') {
                        problems.push(FieldProblem::new(&*place, "is no name of a field"));
                    }
                    look(item, &place, problems);
                }
            }
            _ => {}
        }
    }
    let mut problems = Vec::new();
    look(body, "", &mut problems);
    problems
}

/// `field: what is wrong`, as the workflows say it.
pub(crate) fn problem(message: &str) -> FieldProblem {
    match message.split_once(": ") {
        Some((field, message)) if !field.contains(' ') => FieldProblem::new(field, message),
        _ => FieldProblem::new("", message),
    }
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// The header `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

/// The longest idempotency key, in bytes.
pub(crate) const LONGEST_KEY: usize = 255;

impl FromRequestParts<ApiState> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self> {
        let Some(key) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        match key.to_str() {
            Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(ApiError::field(
                "Idempotency-Key",
                format!("expected 1 to {LONGEST_KEY} visible ASCII characters"),
            )),
        }
    }
}
