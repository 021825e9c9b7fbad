//! What goes wrong, and the problem document (RFC 9457) that a caller gets of it.
//!
//! A caller learns what they can do about it, and nothing about the inside: causes go to the log,
//! which has the request's id.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use partner_core::client::ClientError;
use partner_core::error::{ErrorCode, chain};
use partner_core::temporal::ConnectError;
use partner_listing::error::ListingError;
use partner_payment::error::PaymentError;
use partner_user::error::UserError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Which, such as `propertyData.location.city`; empty if it is the whole body.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldProblem {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request breaks a rule.
    #[error("the request is not valid: {}", summary(.0))]
    Invalid(Vec<FieldProblem>),
    /// Nobody knows who asks.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Whoever asks may not.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or not for this caller.
    #[error("{0}")]
    NotFound(String),
    /// The path knows other methods.
    #[error("this path does not know the method")]
    MethodNotAllowed,
    /// Something else stands where this would be.
    #[error("{0}")]
    Conflict(String),
    /// The body is too large.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// The body comes too slowly.
    #[error("the body did not come within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The body is not JSON.
    #[error("expected a body with Content-Type: application/json")]
    UnsupportedMediaType,
    /// The caller asks too often, or for more at once than there is for one: of what, and how much later
    /// to try again.
    #[error("too many {0}, try again in {wait} s", wait = .1.as_secs().max(1))]
    TooMany(&'static str, Duration),
    /// The Temporal service answers too slowly, or not at all.
    #[error("the Temporal service does not answer in time")]
    TemporalTimeout,
    /// There is no connection to the Temporal service.
    #[error("cannot connect to the Temporal service")]
    TemporalConnect(#[from] ConnectError),
    /// The Temporal service, or a workflow, did not do what was asked.
    #[error("the Temporal service refused")]
    Temporal(#[source] ClientError),
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The identity provider's keys cannot be had.
    #[error("the identity provider's keys cannot be read")]
    NoKeys,
    /// A defect.
    #[error("{0}")]
    Defect(String),
}

/// The problem document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is, for programs: stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:partner:problem:validation")]
    pub kind: String,
    /// The same for a person.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened this time, and the remedy.
    pub detail: String,
    /// The contract's code, where it has one for this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// Every field that is wrong, if any are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// What all problems of a kind have in common.
#[derive(Clone, Copy)]
struct Kind {
    status: StatusCode,
    /// The end of the document's `type`.
    name: &'static str,
    title: &'static str,
    /// The contract's code, where it has one.
    code: Option<ErrorCode>,
}

impl Kind {
    const fn new(status: StatusCode, name: &'static str, title: &'static str) -> Self {
        Self {
            status,
            name,
            title,
            code: None,
        }
    }

    const fn with(mut self, code: ErrorCode) -> Self {
        self.code = Some(code);
        self
    }
}

const INVALID: Kind = Kind::new(
    StatusCode::BAD_REQUEST,
    "validation",
    "The request is not valid",
)
.with(ErrorCode::ValidationError);
const UNAUTHENTICATED: Kind = Kind::new(
    StatusCode::UNAUTHORIZED,
    "unauthenticated",
    "Who asks is not known",
);
const FORBIDDEN: Kind = Kind::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed");
const NOT_FOUND: Kind = Kind::new(StatusCode::NOT_FOUND, "not-found", "Not found");
const METHOD_NOT_ALLOWED: Kind = Kind::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "Method not allowed",
);
const CONFLICT: Kind = Kind::new(StatusCode::CONFLICT, "conflict", "Conflict");
const TOO_LARGE: Kind = Kind::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too-large",
    "The body is too large",
)
.with(ErrorCode::ValidationError);
const TOO_SLOW: Kind = Kind::new(
    StatusCode::REQUEST_TIMEOUT,
    "too-slow",
    "The body comes too slowly",
)
.with(ErrorCode::Timeout);
const UNSUPPORTED_MEDIA_TYPE: Kind = Kind::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported-media-type",
    "The body is not JSON",
)
.with(ErrorCode::ValidationError);
const TOO_MANY_REQUESTS: Kind = Kind::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too-many-requests",
    "Too many requests",
);
const TEMPORAL: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "temporal-unavailable",
    "The workflow service cannot be used",
)
.with(ErrorCode::ExternalServiceError);
const IDENTITY_PROVIDER: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "identity-provider-unavailable",
    "Access tokens cannot be checked",
)
.with(ErrorCode::ExternalServiceError);
const DATABASE: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "database-unavailable",
    "The database cannot be used",
)
.with(ErrorCode::DatabaseError);
const DEFECT: Kind = Kind::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "defect",
    "Something went wrong",
)
.with(ErrorCode::Unknown);

/// The media type of problem documents.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// How long a caller had better wait for a system that is down.
const PATIENCE: Duration = Duration::from_secs(2);

impl ApiError {
    /// One field is wrong.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, message)])
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => INVALID,
            Self::Unauthenticated(_) => UNAUTHENTICATED,
            Self::Forbidden(_) => FORBIDDEN,
            Self::NotFound(_) => NOT_FOUND,
            Self::MethodNotAllowed => METHOD_NOT_ALLOWED,
            Self::Conflict(_) => CONFLICT,
            Self::TooLarge(_) => TOO_LARGE,
            Self::TooSlow(_) => TOO_SLOW,
            Self::UnsupportedMediaType => UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(..) => TOO_MANY_REQUESTS,
            Self::TemporalTimeout | Self::TemporalConnect(_) | Self::Temporal(_) => TEMPORAL,
            Self::NoKeys => IDENTITY_PROVIDER,
            Self::Database(_) => DATABASE,
            Self::Defect(_) => DEFECT,
        }
    }

    fn document(&self) -> Problem {
        let kind = self.kind();
        let detail = match self {
            Self::Defect(_) => "This is our defect. The log has more, under the X-Request-Id of this answer.".to_owned(),
            Self::Temporal(_) | Self::TemporalTimeout | Self::TemporalConnect(_) | Self::Database(_) | Self::NoKeys => {
                "Try again: what can be repeated safely is repeated safely under the same Idempotency-Key.".to_owned()
            }
            other => other.to_string(),
        };
        Problem {
            kind: format!("urn:partner:problem:{}", kind.name),
            title: kind.title.to_owned(),
            status: kind.status.as_u16(),
            detail,
            code: kind.code,
            errors: match self {
                Self::Invalid(fields) => fields.clone(),
                _ => Vec::new(),
            },
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany(_, wait) => Some(*wait),
            _ if self.kind().status == StatusCode::SERVICE_UNAVAILABLE => Some(PATIENCE),
            _ => None,
        }
    }
}

/// What is wrong with the fields, in one line.
fn summary(fields: &[FieldProblem]) -> String {
    let each = fields.iter().map(|problem| {
        if problem.field.is_empty() {
            problem.message.clone()
        } else {
            format!("{}: {}", problem.field, problem.message)
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        if error.is_not_found() {
            return Self::NotFound("there is no such workflow, or it has ended".to_owned());
        }
        if error.is_refused() {
            let message = error.status().map(|status| status.message().to_owned());
            return Self::Invalid(vec![FieldProblem::new("", message.unwrap_or_default())]);
        }
        match error {
            ClientError::NotJson(_) => Self::Defect(chain(&error)),
            error => Self::Temporal(error),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        Self::Database(error.into())
    }
}

impl From<PaymentError> for ApiError {
    fn from(error: PaymentError) -> Self {
        Self::Database(error.into())
    }
}

impl From<ListingError> for ApiError {
    fn from(error: ListingError) -> Self {
        Self::Database(error.into())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::Invalid(vec![FieldProblem::new("", rejection.body_text())])
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Invalid(vec![FieldProblem::new("", rejection.body_text())])
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let document = self.document();
        let status = self.kind().status;
        if status.is_server_error() {
            tracing::error!(
                error = chain(&self),
                status = status.as_u16(),
                "request failed"
            );
        }
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// What a handler answers.
pub(crate) type Result<T> = std::result::Result<T, ApiError>;
