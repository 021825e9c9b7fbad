//! Probes for the orchestrator. They need no credentials, and say nothing but yes or no.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use futures::join;
use partner_core::error::chain;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// Whether the API can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether the database answers.
    database: bool,
    /// Whether the Temporal service answers.
    temporal: bool,
    /// Whether the process is about to stop.
    stopping: bool,
}

/// Whether the process lives.
#[utoipa::path(
    get, path = "/livez", tag = "health", security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")),
)]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// Whether it can do its work.
#[utoipa::path(
    get, path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "It cannot", body = Readiness),
    ),
)]
pub(crate) async fn readyz(State(api): State<ApiState>) -> (StatusCode, Json<Readiness>) {
    let database = api.within(async { sqlx::query("SELECT 1").execute(&api.pool).await });
    let temporal = api.temporal.ask(async |client| client.pollers().await);
    let (database, temporal) = join!(database, temporal);
    for error in [database.as_ref().err(), temporal.as_ref().err()]
        .into_iter()
        .flatten()
    {
        tracing::warn!(error = chain(error), "not ready");
    }
    let readiness = Readiness {
        database: database.is_ok(),
        temporal: temporal.is_ok(),
        stopping: *api.stopping.borrow(),
    };
    let is_ready = readiness.database && readiness.temporal && !readiness.stopping;
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness))
}
