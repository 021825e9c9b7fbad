//! The HTTP client of the stores: the workspace's own, which goes where it was sent and nowhere else.

use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions, Error as StoreError};
use reqwest::StatusCode;

use super::ObjectStorageConfig;
use crate::http;

/// Makes the clients that a store asks for: one for files, perhaps one for credentials.
#[derive(Debug)]
pub(super) struct Connector {
    connect_timeout: Duration,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(config: &ObjectStorageConfig) -> Self {
        Self {
            connect_timeout: config.connect_timeout,
            timeout: config.timeout,
        }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient, StoreError> {
        // Instances get their credentials over plain HTTP from their own machine: the crate asks
        // for that where it is so.
        let allows_http = options
            .get_config_value(&ClientConfigKey::AllowHttp)
            .is_some_and(|value| value == "true");
        let builder = http::builder(self.connect_timeout, self.timeout)
            .http1_only()
            .https_only(!allows_http);
        let client = http::build(builder).map_err(|error| StoreError::Generic {
            store: "HTTP client",
            source: Box::new(error),
        })?;
        Ok(HttpClient::new(Service(client)))
    }
}

/// A refusal by the store's own words: another attempt would be refused as well.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {body}")]
pub(super) struct Refusal {
    status: StatusCode,
    body: String,
}

#[derive(Debug)]
struct Service(reqwest::Client);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = HttpService::call(&self.0, request).await?;
        let status = response.status();
        if !is_refusal(status) {
            return Ok(response);
        }
        let body = response.into_body().bytes().await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Err(HttpError::new(
            HttpErrorKind::Unknown,
            Refusal { status, body },
        ))
    }
}

/// Whether the crate would report this status as any other trouble, although it is final.
fn is_refusal(status: StatusCode) -> bool {
    let has_its_own_error = matches!(
        status,
        StatusCode::NOT_MODIFIED
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::PRECONDITION_FAILED
    );
    let may_pass = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    );
    (status.is_redirection() || status.is_client_error()) && !has_its_own_error && !may_pass
}
