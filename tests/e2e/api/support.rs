//! An API that serves in this process, and callers of it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use futures::channel::oneshot;
use futures::join;
use jsonschema::Validator;
use partner_api::auth::{Scope, Secret};
use partner_api::repository::{KeyRepository, NewKey};
use partner_api::{Ready, description, serve};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Host, PATIENCE, Stage};

/// The API's description, as it is served.
pub(super) static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(description()).expect("JSON"));

/// An API, and a stage for what it starts.
pub(crate) struct Api {
    pub(crate) stage: Stage,
    pub(crate) url: String,
    pub(crate) http: Client,
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    pub(crate) api: &'a Api,
    pub(crate) credentials: Option<String>,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .map(|value| value.to_str().expect("text"));
        value.unwrap_or_default()
    }

    /// The fields that a problem document names.
    pub(crate) fn fields(&self) -> BTreeSet<&str> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors.filter_map(|error| error["field"].as_str()).collect()
    }

    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }
}

/// Serves an API on the stage's task queue while the test runs, and stops it in good order.
pub(crate) async fn with_api(
    host: &'static Host,
    name: &str,
    variables: &[(&str, &str)],
    test: impl AsyncFnOnce(&Api),
) {
    let mut all = vec![
        ("PARTNER__TEMPORAL__TASK_QUEUE", name),
        ("PARTNER__API__ADDRESS", "127.0.0.1:0"),
        ("PARTNER__DATABASE__MAX_CONNECTIONS", "5"),
        // Two cores run everything here: only who tests slowness asks for haste.
        ("PARTNER__API__DEPENDENCY_TIMEOUT", "30s"),
    ];
    all.extend(variables);
    let (ready, is_ready) = oneshot::channel();
    let (stop, is_stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = is_stopped.await;
    };
    let served = serve(host.config(&all), stopped, |at| {
        let _ = ready.send(at);
    });
    let tested = async {
        let api = Api::at(host, name, is_ready.await.expect("the API serves")).await;
        test(&api).await;
        drop(stop);
    };
    let (served, ()) = join!(Box::pin(served), tested);
    assert!(served.expect("the API serves"), "a request was cut off");
}

impl Api {
    /// The API that serves there, with a stage of its name.
    pub(super) async fn at(host: &'static Host, name: &str, ready: Ready) -> Self {
        let http = Client::builder().timeout(PATIENCE).no_proxy().build();
        Self {
            stage: Stage::new(host, name).await,
            url: format!("http://{}", ready.address),
            http: http.expect("a client"),
        }
    }

    pub(crate) fn keys(&self) -> KeyRepository {
        KeyRepository::new(self.stage.shop().pool().clone())
    }

    /// Somebody with a new key.
    pub(crate) async fn caller(&self, scopes: &[Scope], user: Option<&str>) -> Caller<'_> {
        let secret = Secret::new().expect("randomness");
        let key = NewKey {
            name: "a test",
            scopes,
            user_id: user,
            expires_at: None,
        };
        self.keys().create(&secret, &key).await.expect("a key");
        self.with(secret.expose())
    }

    pub(crate) async fn admin(&self) -> Caller<'_> {
        self.caller(&[Scope::Admin], None).await
    }

    pub(crate) fn with(&self, credentials: impl Into<String>) -> Caller<'_> {
        Caller {
            api: self,
            credentials: Some(credentials.into()),
        }
    }

    pub(crate) const fn nobody(&self) -> Caller<'_> {
        Caller {
            api: self,
            credentials: None,
        }
    }
}

impl Caller<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body), &[]).await
    }

    /// The same under an idempotency key.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body), &[("idempotency-key", key)])
            .await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let answer = self.send(method.clone(), path, body, headers).await;
        let status = answer.status();
        let headers = answer.headers().clone();
        let text = answer.text().await.expect("a body");
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        };
        check(&method, path, status, &headers, &body);
        Answer {
            status: status.as_u16(),
            headers,
            body,
        }
    }

    /// The answer as it comes.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = self
            .api
            .http
            .request(method, format!("{}{path}", self.api.url));
        if let Some(credentials) = &self.credentials {
            request = request.bearer_auth(credentials);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.expect("an answer")
    }
}

/// Checks an answer against the description: the path, the status, the media type and the body.
fn check(
    method: &Method,
    path: &str,
    status: StatusCode,
    headers: &reqwest::header::HeaderMap,
    body: &Value,
) {
    let path = path.split('?').next().unwrap_or_default();
    let kind = headers
        .get("content-type")
        .map_or("", |kind| kind.to_str().expect("text"));
    if status.is_client_error() || status.is_server_error() {
        let is_health = path == "/readyz";
        assert!(
            kind == "application/problem+json" || is_health,
            "{path}: {kind}"
        );
    }
    let Some(operation) = operation(method, path) else {
        assert!(
            matches!(
                status,
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
            ),
            "{method} {path} is not described and answers {status}"
        );
        return;
    };
    let response = &operation["responses"][status.as_str()];
    assert!(
        !response.is_null(),
        "{method} {path}: {status} is not described: {body:#}"
    );
    let content = response["content"].as_object();
    let Some((media_type, content)) = content.and_then(|content| content.iter().next()) else {
        assert!(
            body.is_null(),
            "{method} {path}: {status} has no body, and brought {body:#}"
        );
        return;
    };
    assert!(
        kind.starts_with(media_type),
        "{method} {path}: {kind} instead of {media_type}"
    );
    let problems: Vec<_> = validator(&content["schema"])
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        problems.is_empty(),
        "{method} {path}: {status}: {problems:#?}\n{body:#}"
    );
}

/// The operation that a path is served by.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let paths = DESCRIPTION["paths"].as_object().expect("paths");
    let parts: Vec<_> = path.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<_> = template.split('/').collect();
        template.len() == parts.len()
            && template
                .iter()
                .zip(&parts)
                .all(|(expected, part)| expected.starts_with('{') || expected == part)
    };
    let (_, item) = paths.iter().find(|(template, _)| fits(template))?;
    item.get(method.as_str().to_lowercase())
}

fn validator(schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = DESCRIPTION["components"].clone();
    jsonschema::validator_for(&schema).expect("a schema")
}
