//! Workflows, whatever they are.
#![expect(
    unused_qualifications,
    reason = "utoipa writes several parameter lists so"
)]

use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use partner_core::activity_options::ActivityPolicies;
use partner_core::catalog::{Catalog, Kind};
use partner_core::client::{Filter, Status, Summary};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::listings::may_decide;
use super::{ReasonBody, show, signal as send};
use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::events;
use crate::extract::{Body, Path, Query};
use crate::paging::{PageQuery, Position, cursor, invalid_cursor};
use crate::places::PATIENCE;
use crate::progress::{WorkflowState, state};
use crate::repository::Owned;
use crate::state::{Api, ApiState};
use crate::visibility::{find, may_change};

/// A page of workflows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowPage {
    /// Their runs, the latest first.
    workflows: Vec<Summary>,
    /// Where the next page begins; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// How many runs of the workflows on a page are looked at.
const MOST_RUNS: usize = 10_000;

/// Which workflows.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct WorkflowQuery {
    /// Those of this type, such as `processPaymentWorkflow`.
    #[serde(default)]
    workflow_type: Option<String>,
    /// Those that stand so: `running`, `completed`, `failed`, `cancelled`, `terminated`, `continued_as_new`,
    /// `timed_out` or `paused`.
    #[serde(default)]
    status: Option<String>,
}

/// The body of a signal.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct SignalBody {
    /// What the signal brings; nothing without it.
    #[serde(default)]
    payload: Option<Value>,
}

/// List workflows, the latest first. One that has just begun or ended may take a moment to be here.
#[utoipa::path(
    get, path = "/api/v1/workflows", tag = "workflows", params(WorkflowQuery, PageQuery),
    responses((status = 200, description = "A page of them", body = WorkflowPage)),
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    caller: Caller,
    Query(which): Query<WorkflowQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<WorkflowPage>> {
    caller.require(Scope::Read)?;
    let filter = filter(which)?;
    match &caller.user {
        None => of_all(&api, &filter, &page).await.map(Json),
        Some(user) => of_user(&api, filter, user, &page).await.map(Json),
    }
}

fn filter(which: WorkflowQuery) -> Result<Filter> {
    let status = which.status.map(|text| {
        let known = Status::ALL
            .into_iter()
            .find(|status| status.as_str() == text);
        known.ok_or_else(|| {
            let known = Status::ALL.map(Status::as_str).join(", ");
            ApiError::field("status", format!("expected one of {known}"))
        })
    });
    if let Some(name) = &which.workflow_type {
        let known = CATALOG.names(Kind::Workflow);
        if !known.contains(&name.as_str()) {
            let message = format!("expected one of {}", known.join(", "));
            return Err(ApiError::field("workflowType", message));
        }
    }
    Ok(Filter {
        workflow_type: which.workflow_type,
        status: status.transpose()?,
        ..Filter::default()
    })
}

async fn of_all(api: &Api, filter: &Filter, page: &PageQuery) -> Result<WorkflowPage> {
    let size = i32::try_from(page.limit()?).unwrap_or(i32::MAX);
    let after: Option<String> = page.cursor()?;
    let after = after.map(|after| STANDARD.decode(after)).transpose();
    let after = after.map_err(|_| invalid_cursor())?;
    let is_first = after.is_none();
    let page = api
        .temporal
        .ask(
            async |client| match client.page(filter, size, after.unwrap_or_default()).await {
                Err(error) if !is_first && error.may_be_about_page() => Ok(None),
                page => page.map(Some),
            },
        )
        .await?
        .ok_or_else(invalid_cursor)?;
    let next = (!page.next.is_empty()).then(|| cursor(&STANDARD.encode(&page.next)));
    Ok(WorkflowPage {
        workflows: page.runs,
        next_cursor: next.transpose()?,
    })
}

/// Those that were started for the user through the API: Temporal cannot be asked for whose they are.
async fn of_user(api: &Api, filter: Filter, user: &str, page: &PageQuery) -> Result<WorkflowPage> {
    let limit = page.limit()?;
    let before = page.position()?.map(|before| Owned {
        workflow_id: before.id,
        created_at: before.at,
    });
    let owned = api.workflows.of_user(user, before.as_ref(), limit.into());
    let owned = api.within(owned).await?;
    let Some(last) = owned.last() else {
        return Ok(WorkflowPage {
            workflows: Vec::new(),
            next_cursor: None,
        });
    };
    let is_whole = owned.len() == limit as usize;
    let next = is_whole.then(|| {
        cursor(&Position {
            at: last.created_at,
            id: last.workflow_id.clone(),
        })
    });
    let next_cursor = next.transpose()?;
    let filter = Filter {
        ids: owned.into_iter().map(|owned| owned.workflow_id).collect(),
        ..filter
    };
    // A workflow may have several runs, and some that are others'.
    let mut workflows = api
        .temporal
        .ask(async |client| client.list(&filter, MOST_RUNS).await)
        .await?;
    workflows.retain(|run| run.user_id.as_deref() == Some(user));
    Ok(WorkflowPage {
        workflows,
        next_cursor,
    })
}

/// How a workflow stands, and what it came to.
#[utoipa::path(
    get, path = "/api/v1/workflows/{workflowId}", tag = "workflows",
    params(("workflowId" = String, Path, description = "The workflow")),
    responses((status = 200, description = "How it stands", body = WorkflowState)),
)]
pub(crate) async fn status(
    State(api): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WorkflowState>> {
    show(&api, &caller, &id).await
}

/// Hear of a workflow as it goes on.
///
/// Server-sent events: `status`, each with the same document as the workflow's status, whenever it has
/// changed; the last one is that of its end. After `max_stream` the stream ends, and its reader asks
/// for it again.
#[utoipa::path(
    get, path = "/api/v1/workflows/{workflowId}/events", tag = "workflows",
    params(("workflowId" = String, Path, description = "The workflow")),
    responses((status = 200, description = "The events", content_type = "text/event-stream", body = String)),
)]
pub(crate) async fn events(
    State(api): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    caller.require(Scope::Read)?;
    let own = api.streams_of.take(&caller.id)?;
    let streams = Arc::clone(&api.streams);
    let place = streams.try_acquire_owned();
    let place = place.map_err(|_| ApiError::TooMany("streams of events", PATIENCE))?;
    // A workflow that there is not is an error, not a stream.
    let first = state(&api, &caller, &id).await?;
    let stream = events::of(api, caller, id, first, move |state| {
        // For as long as the stream lasts.
        let _ = (&own, &place);
        Event::default().event("status").json_data(state)
    });
    Ok(Sse::new(stream)
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// Ask a workflow to stop: it undoes what has to be undone, and ends.
#[utoipa::path(
    post, path = "/api/v1/workflows/{workflowId}/cancel", tag = "workflows",
    params(("workflowId" = String, Path, description = "The workflow")),
    request_body = ReasonBody,
    responses((status = 202, description = "It was told so")),
)]
pub(crate) async fn cancel(
    State(api): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body<ReasonBody>,
) -> Result<StatusCode> {
    let reason = body.value.reason.unwrap_or_default();
    super::cancel(&api, &caller, &id, &reason).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Send a workflow that runs a signal that it knows.
#[utoipa::path(
    post, path = "/api/v1/workflows/{workflowId}/signals/{name}", tag = "workflows",
    params(
        ("workflowId" = String, Path, description = "The workflow"),
        ("name" = String, Path, description = "The signal, such as pause"),
    ),
    request_body = SignalBody,
    responses((status = 202, description = "It was sent")),
)]
pub(crate) async fn signal(
    State(api): State<ApiState>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
    body: Body<SignalBody>,
) -> Result<StatusCode> {
    caller.require(Scope::Write)?;
    let run = find(&api, &caller, &id).await?;
    check_name(&run, Kind::Signal, &name)?;
    may_change(&caller, &run)?;
    // A decision is a reviewer's, also as a signal.
    if matches!(&*name, "approve" | "reject") {
        may_decide(&caller, &run)?;
    }
    let payload = body.value.payload.unwrap_or_default();
    send(&api, &id, &name, &payload).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Ask a workflow, running or ended, a query that it knows.
#[utoipa::path(
    get, path = "/api/v1/workflows/{workflowId}/queries/{name}", tag = "workflows",
    params(
        ("workflowId" = String, Path, description = "The workflow"),
        ("name" = String, Path, description = "The query, such as getDetails"),
    ),
    responses((status = 200, description = "The workflow's answer", body = Value)),
)]
pub(crate) async fn query(
    State(api): State<ApiState>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
) -> Result<Json<Value>> {
    caller.require(Scope::Read)?;
    let run = find(&api, &caller, &id).await?;
    check_name(&run, Kind::Query, &name)?;
    let answer = api
        .temporal
        .ask(async |client| client.process(&id).query(&name).await)
        .await?;
    Ok(Json(answer_to(&caller, answer)))
}

/// What workflows tell in the words of the systems behind them. The status has it for everyone.
const OWN_WORDS: [&str; 2] = ["error", "undoFailures"];

/// A workflow's answer, without what is nobody's business but of those who look after our systems.
fn answer_to(caller: &Caller, mut answer: Value) -> Value {
    if caller.require(Scope::Admin).is_err()
        && let Some(fields) = answer.as_object_mut()
    {
        fields.retain(|name, _| !OWN_WORDS.contains(&name.as_str()));
    }
    answer
}

/// Refuses what the workflow would not understand: a signal of an unknown name would be lost silently.
fn check_name(run: &Summary, kind: Kind, name: &str) -> Result<()> {
    let workflow = &run.workflow_type;
    let known = names(kind, workflow);
    if known.contains(&name) {
        return Ok(());
    }
    let offer = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    Err(ApiError::field(
        "name",
        format!("{workflow} knows: {offer}"),
    ))
}

/// Everything that the platform's workflows offer.
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let policies = ActivityPolicies::default();
    Catalog::merge([
        partner_user::catalog(&policies),
        partner_payment::catalog(&policies),
        partner_listing::catalog(&policies),
        partner_analytics::catalog(&policies),
    ])
});

/// What only the payment gateway says, by its signed events.
const OF_THE_GATEWAY: &str = "gatewayEvent";

fn names(kind: Kind, workflow: &str) -> Vec<&'static str> {
    let entries = CATALOG.entries.iter();
    let of_workflow = entries.filter(|entry| {
        entry.kind == kind && entry.on == Some(workflow) && entry.name != OF_THE_GATEWAY
    });
    of_workflow.map(|entry| entry.name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_administrators_hear_the_words_of_our_systems() {
        let answer = json!({ "status": "failed", "error": "connection to 10.0.0.7 refused" });
        let told = |scope| {
            let caller = Caller {
                id: "key:1".to_owned(),
                name: "n".to_owned(),
                scopes: [scope].into(),
                person: None,
                user: None,
            };
            answer_to(&caller, answer.clone())
        };
        assert_eq!(told(Scope::Admin), answer);
        assert_eq!(told(Scope::Read), json!({ "status": "failed" }));
    }
}
