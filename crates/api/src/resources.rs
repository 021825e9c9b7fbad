//! The resources, one file each.

mod cleanups;
mod health;
mod kept;
mod listings;
mod notifications;
mod onboarding;
mod payments;
mod reminders;
mod reports;
mod reviews;
mod subscriptions;
mod users;
mod webhooks;
mod workflows;

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::progress::{WorkflowState, state};
use crate::state::{Api, ApiState};
use crate::visibility::{find, may_change};

/// Every route with its description.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(payments::start))
        .routes(routes!(payments::status))
        .routes(routes!(payments::cancel))
        .routes(routes!(payments::retry))
        .routes(routes!(subscriptions::start))
        .routes(routes!(subscriptions::status))
        .routes(routes!(subscriptions::cancel))
        .routes(routes!(listings::submit))
        .routes(routes!(listings::approval))
        .routes(routes!(listings::decide))
        .routes(routes!(listings::schedule_expiration))
        .routes(routes!(listings::expiration))
        .routes(routes!(reviews::list))
        .routes(routes!(notifications::start))
        .routes(routes!(users::inbox))
        .routes(routes!(users::mark_read))
        .routes(routes!(onboarding::start))
        .routes(routes!(onboarding::status))
        .routes(routes!(reports::start))
        .routes(routes!(cleanups::start))
        .routes(routes!(reminders::start))
        .routes(routes!(workflows::list))
        .routes(routes!(workflows::status))
        .routes(routes!(workflows::events))
        .routes(routes!(workflows::cancel))
        .routes(routes!(workflows::signal))
        .routes(routes!(workflows::query))
        .routes(routes!(webhooks::gateway))
        .routes(routes!(kept::start_notification))
        .routes(routes!(kept::execute_onboarding))
        .routes(routes!(kept::status))
        .routes(routes!(kept::cancel))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
}

/// Why something is cancelled, or tried again.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub(crate) struct ReasonBody {
    /// For whoever looks at it later.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// How a workflow stands, if the caller may see it.
async fn show(api: &Api, caller: &Caller, id: &str) -> Result<Json<WorkflowState>> {
    caller.require(Scope::Read)?;
    Ok(Json(state(api, caller, id).await?))
}

/// Sends a signal with a reason to a workflow that runs, if the caller may.
async fn tell(
    api: &Api,
    caller: &Caller,
    id: &str,
    name: &str,
    body: ReasonBody,
) -> Result<StatusCode> {
    caller.require(Scope::Write)?;
    find(api, caller, id).await?;
    signal(
        api,
        id,
        name,
        &body.reason.map_or(Value::Null, Value::String),
    )
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Asks a workflow that runs to stop, if the caller may. Temporal itself takes the request for one that has
/// ended, and does nothing.
async fn cancel(api: &Api, caller: &Caller, id: &str, reason: &str) -> Result<()> {
    caller.require(Scope::Write)?;
    let run = find(api, caller, id).await?;
    may_change(caller, &run)?;
    if run.closed_at.is_some() {
        return Err(ApiError::NotFound(format!("the workflow {id:?} has ended")));
    }
    api.temporal
        .ask(async |client| client.process(id).cancel_because(reason).await)
        .await
}

/// Sends a signal to a workflow that runs.
async fn signal(api: &Api, id: &str, name: &str, payload: &Value) -> Result<()> {
    api.temporal
        .ask(async |client| client.process(id).signal(name, payload).await)
        .await
}
