//! All routes, and what happens around every request.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, Request};
use axum::middleware::map_request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{
    MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config as UiConfig, SwaggerUi};

use crate::error::ApiError;
use crate::state::ApiState;

/// What the answer and the log call a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The explorer's own scripts and styles, and nobody else's.
const EXPLORER_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The routes with everything around them.
pub(crate) fn router(routes: Router<ApiState>, description: OpenApi, state: ApiState) -> Router {
    let cors = cors(&state.config.cors_origins);
    let document = description.clone();
    let explorer = SwaggerUi::new("/api/docs")
        .config(UiConfig::from("/api/openapi.json").persist_authorization(false));
    routes
        .fallback(|| async {
            ApiError::NotFound("there is no such path, see /api/docs".to_owned())
        })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .with_state(state)
        .layer(header(
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .route(
            "/api/openapi.json",
            get(move || async move { Json(document) }),
        )
        .merge(explorer)
        .layer(header(CONTENT_SECURITY_POLICY, EXPLORER_POLICY))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors)
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(X_FRAME_OPTIONS, "DENY"))
        .layer(header(REFERRER_POLICY, "no-referrer"))
        .layer(header(CACHE_CONTROL, "no-store"))
        .layer(header(STRICT_TRANSPORT_SECURITY, "max-age=31536000"))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_response(answered),
        )
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(map_request(without_odd_id))
}

/// Takes a request's own id away if it is none that may be logged and sent back: it gets one of ours.
async fn without_odd_id(mut request: Request<Body>) -> Request<Body> {
    let headers = request.headers_mut();
    let mut ids = headers.get_all(REQUEST_ID).iter();
    let is_one = ids.next().is_some_and(is_id) && ids.next().is_none();
    if !is_one {
        headers.remove(REQUEST_ID);
    }
    request
}

/// Whether that is a request's id: 1 to 128 letters, digits, dots, underscores and hyphens.
fn is_id(value: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=128).contains(&value.len()) && value.as_bytes().iter().all(is_plain)
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Pages of these origins may call the API; without any, none may.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<_> = origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    if origins.is_empty() {
        return CorsLayer::new();
    }
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([REQUEST_ID])
        .max_age(Duration::from_mins(10))
}

/// The request's path has ids, its query and its headers may have more: only the former is logged.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.extensions().get::<RequestId>();
    let id = id
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or_default();
    tracing::info_span!(
        "request",
        request.id = id,
        request.method = %request.method(),
        request.path = request.uri().path(),
        caller = tracing::field::Empty,
    )
}

fn answered(response: &Response, took: Duration, _: &tracing::Span) {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        status = response.status().as_u16(),
        milliseconds,
        "answered"
    );
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
    ApiError::Defect(format!("panicked: {}", message.unwrap_or_default())).into_response()
}
