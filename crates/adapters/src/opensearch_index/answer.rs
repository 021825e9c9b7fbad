//! An answer of the cluster, before anyone knows whether it is good news.

use std::fmt::Display;
use std::time::Duration;

use partner_core::ports::search_index::SearchIndexError;
use reqwest::{Response, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::{errors, wire};
use crate::http;

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: String,
    pub(super) error: Option<wire::ApiError>,
}

impl Answer {
    /// Reads the answer to its end; half of one is none.
    pub(super) async fn read(
        response: Response,
        secret: &SecretString,
    ) -> Result<Self, SearchIndexError> {
        let status = response.status();
        let retry_after = http::retry_after(response.headers());
        let text = response.text().await.map_err(errors::not_answered)?;
        // Errors repeat the body's words, and must not repeat the secret if those do.
        let body = http::redact(text, secret);
        Ok(Self {
            status,
            retry_after,
            error: wire::ApiError::read(status, &body),
            body,
        })
    }

    /// Whether it is a success, whatever it says.
    pub(super) fn accepted(&self) -> Result<(), SearchIndexError> {
        if self.status.is_success() {
            return Ok(());
        }
        Err(errors::refusal(self))
    }

    /// What the answer says, if it is a success.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, SearchIndexError> {
        self.accepted()?;
        serde_json::from_str(&self.body).map_err(|error| self.unreadable(error))
    }

    /// A success that is none of the API's.
    pub(super) fn unreadable(&self, problem: impl Display) -> SearchIndexError {
        SearchIndexError::NoAnswer(format!(
            "status {} with something unreadable: {problem}",
            self.status.as_u16()
        ))
    }

    /// The API's name for what went wrong, if it says.
    pub(super) fn error_type(&self) -> Option<&str> {
        self.error.as_ref().and_then(|error| error.kind.as_deref())
    }

    /// Whether the API says that there is no such document.
    pub(super) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
            && serde_json::from_str(&self.body).is_ok_and(|wire::NotFound { found }| !found)
    }
}
