//! Starting a workflow: once, however often it is asked for.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::future::{Either, select};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::auth::{Caller, Scope};
use crate::error::{ApiError, Result};
use crate::extract::{Body, IdempotencyKey, Query, problem};
use crate::places::Place;
use crate::progress::{WorkflowState, ended};
use crate::repository::First;
use crate::state::{Api, ApiState};

/// A body that starts a workflow.
pub(crate) trait Start: DeserializeOwned + ToSchema {
    /// The wire name of the workflow.
    const WORKFLOW: &'static str;
    /// What the caller must be allowed to.
    const SCOPE: Scope = Scope::Write;

    /// Whose the workflow is.
    fn user(&self) -> Option<&str>;

    /// Checks what the types do not say; `field: what is wrong`.
    fn check(&self) -> std::result::Result<(), String> {
        Ok(())
    }
}

/// How long to wait for the result.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// How many seconds to wait for the workflow's end, at most as many as are configured (30); then the
    /// answer is 200 with how it ended. If that takes longer, it is 202 all the same.
    #[param(minimum = 0, maximum = 600)]
    wait: Option<u32>,
}

/// A workflow that was started, now or before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    /// Its id.
    pub(crate) workflow_id: String,
    /// Where to ask how it stands.
    pub(crate) status_url: String,
    /// Where to hear of it as it goes on (server-sent events).
    pub(crate) events_url: String,
}

impl Started {
    pub(crate) fn new(workflow_id: String) -> Self {
        let status_url = format!(
            "/api/v1/workflows/{}",
            utf8_percent_encode(&workflow_id, ENCODED)
        );
        Self {
            events_url: format!("{status_url}/events"),
            status_url,
            workflow_id,
        }
    }

    /// 202, and where to look.
    pub(crate) fn accepted(self) -> Response {
        let location = HeaderValue::from_str(&self.status_url);
        let mut response = (StatusCode::ACCEPTED, Json(self)).into_response();
        // Percent-encoded, so that it is a header's value.
        if let Ok(location) = location {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// What stays as it is in a segment of a path: the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl WaitQuery {
    /// How long; at most as long as is allowed.
    fn patience(self, most: Duration) -> Option<Duration> {
        let seconds = self.wait.filter(|&seconds| seconds > 0)?;
        Some(most.min(Duration::from_secs(seconds.into())))
    }
}

/// What an operation that starts a workflow answers.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it is only described")]
pub(crate) enum StartResponses {
    /// It has ended within the wait
    #[response(status = 200)]
    Ended(WorkflowState),
    /// It is under way
    #[response(status = 202)]
    UnderWay(Started),
}

/// A request to start a workflow, and whoever makes it.
pub(crate) struct StartRequest<T> {
    pub(crate) api: ApiState,
    pub(crate) caller: Caller,
    pub(crate) key: IdempotencyKey,
    wait: WaitQuery,
    /// A part of what is asked, also where the body says nothing of it.
    path: String,
    body: Body<T>,
}

impl<T: Start> FromRequest<ApiState> for StartRequest<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, api).await?;
        caller.require(T::SCOPE)?;
        let key = IdempotencyKey::from_request_parts(&mut parts, api).await?;
        let Query(wait) = Query::from_request_parts(&mut parts, api).await?;
        let path = parts.uri.path().to_owned();
        let body = Body::from_request(Request::from_parts(parts, body), api).await?;
        Ok(Self {
            api: api.clone(),
            caller,
            key,
            wait,
            path,
            body,
        })
    }
}

impl<T: Start> StartRequest<T> {
    /// What was sent.
    pub(crate) const fn input(&self) -> &T {
        &self.body.value
    }

    /// Starts the workflow under this id, and waits for it if asked to.
    pub(crate) async fn start(self, id: String) -> Result<Response> {
        let Some(patience) = self.wait.patience(self.api.config.max_wait) else {
            return Ok(Started::new(self.begin(id).await?).accepted());
        };
        let _place = self.place_to_wait()?;
        let id = self.begin(id).await?;
        match in_time(&self.api, patience, finish(&self.api, &self.caller, &id)).await {
            Some(Ok(state)) => Ok(Json(state).into_response()),
            // It is under way, whatever became of the waiting.
            Some(Err(_)) | None => Ok(Started::new(id).accepted()),
        }
    }

    /// A place to wait at: taken before anything is started, so that who gets none can ask again.
    pub(crate) fn place_to_wait(&self) -> Result<Place> {
        self.api.waits_of.take(&self.caller.id)
    }

    /// Starts the workflow, or joins the one that there is: the one of this id, or of the first request
    /// under the same key. Answers with its id.
    pub(crate) async fn begin(&self, mut id: String) -> Result<String> {
        let input = &self.body.value;
        self.caller.act_for(input.user())?;
        input
            .check()
            .map_err(|message| ApiError::Invalid(vec![problem(&message)]))?;
        if id.len() > LONGEST_ID {
            let message = format!("the ids are too long together: {} bytes", id.len());
            return Err(ApiError::field("", message));
        }
        if let Some(key) = &self.key.0 {
            let first = self.claim(key, &id).await?;
            id = first.workflow_id;
            if first.is_started {
                return Ok(id);
            }
        }
        match input.user() {
            Some(user) => self.start_for(&id, user).await?,
            None => self.start_as(&id).await?,
        }
        if let Some(key) = &self.key.0 {
            let noted = self.api.requests.started(&self.caller.id, key);
            self.api.within(noted).await?;
        }
        Ok(id)
    }

    /// The first request under this key; another request under it is refused.
    async fn claim(&self, key: &str, id: &str) -> Result<First> {
        // Objects are in the order of their names: the same fields are the same request.
        let hash = Sha256::digest(format!("{}\n{}\n{}", T::WORKFLOW, self.path, self.body.raw));
        let first = self.api.requests.claim(&self.caller.id, key, &hash, id);
        let first = self.api.within(first).await?;
        if first.request_hash == hash.as_slice() {
            return Ok(first);
        }
        Err(ApiError::Conflict(
            "Idempotency-Key: another request came under this key, take a new one".to_owned(),
        ))
    }

    async fn start_as(&self, id: &str) -> Result<()> {
        self.api
            .temporal
            .ask(async |client| {
                client.start(T::WORKFLOW, id, &self.body.raw).await?;
                Ok(())
            })
            .await
    }

    /// The run itself says whose it is. A run that is somebody else's is none to join: it is there, and
    /// the answer would tell of it.
    async fn start_for(&self, id: &str, user: &str) -> Result<()> {
        let added = self.api.workflows.add(id, user);
        self.api.within(added).await?;
        let run = self
            .api
            .temporal
            .ask(async |client| {
                let started = client.start_for(T::WORKFLOW, id, &self.body.raw, user);
                Ok(started.await?.describe().await?.summary)
            })
            .await?;
        // Whoever is bound to nobody may join what was started without the API.
        let may_join = run.user_id.is_none() && self.caller.user.is_none();
        if may_join || run.user_id.as_deref() == Some(user) {
            return Ok(());
        }
        Err(ApiError::Conflict(format!(
            "a workflow {id:?} exists, and is not this user's"
        )))
    }
}

/// The longest workflow id, in bytes: Temporal on an SQL database keeps no longer one.
const LONGEST_ID: usize = 255;

/// What comes within so long, and before this process is to stop.
pub(crate) async fn in_time<T>(
    api: &Api,
    patience: Duration,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let mut stopping = api.stopping.clone();
    let stopped = std::pin::pin!(stopping.wait_for(|stopping| *stopping));
    let answer = std::pin::pin!(timeout(patience, answer));
    match select(answer, stopped).await {
        Either::Left((answer, _)) => answer.ok(),
        Either::Right(_) => None,
    }
}

/// The workflow's end, however long it takes.
pub(crate) async fn finish(api: &Api, caller: &Caller, id: &str) -> Result<WorkflowState> {
    let client = api.temporal.client().await?;
    let process = client.process(id);
    let how = process.ended().await?;
    let description = api
        .temporal
        .ask(async |client| client.process(id).describe().await)
        .await?;
    Ok(ended(description, how).told_to(caller))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_becomes_one_segment_of_a_path() {
        let started = Started::new("reminder-a/b-ä@x-2027-01-01T00:00:00Z".to_owned());
        assert_eq!(
            started.status_url,
            "/api/v1/workflows/reminder-a%2Fb-%C3%A4%40x-2027-01-01T00%3A00%3A00Z"
        );
    }
}
