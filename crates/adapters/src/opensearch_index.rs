//! The search index in a cluster: the document API that Elasticsearch and `OpenSearch` share.
//!
//! # Versions
//! A write carries its version as an external one, and the cluster compares it with the document's
//! own when it writes: "versioning is completely real time, and is not affected by the near real
//! time aspects of search operations" (Elasticsearch's index API, *Versioning*). The version type is
//! `external_gte` and not `external`: an attempt whose answer was lost is made again with the same
//! version, and must not be told that it lost against itself. What that type is warned of, that two
//! different documents of one version overwrite each other, cannot be here, because a version is one
//! write's.
//!
//! A removal is a document too, a *tombstone*. The version of a deleted document is forgotten after
//! `index.gc_deletes`, a minute by default (delete API, *Versioning*), and a publish that comes later
//! would bring the listing back.
//!
//! # Reading
//! Every write waits until searches see it (`refresh=wait_for`), so the index must refresh by itself:
//! with `index.refresh_interval` at -1 no write would be answered. A lookup is real time in any case.

mod answer;
mod errors;
mod query;
mod wire;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use partner_core::ports::search_index::{
    SearchDocument, SearchIndex, SearchIndexError, SearchPage, SearchQuery, check_listing_id,
    check_write,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::OnceCell;
use url::Url;

use self::answer::Answer;
use crate::http::{self, BaseUrl, HttpConfigError};
use crate::search_position::{self, Position};

/// Where the cluster is and how to call it.
#[derive(Debug, Clone)]
pub struct OpenSearchConfig {
    /// The cluster's address.
    pub base_url: Url,
    /// The index, or an alias of one: lower-case letters, digits, `-`, `_` and `.`, beginning with a
    /// letter or digit.
    pub index: String,
    /// Who we are, if the cluster asks.
    pub credentials: Option<OpenSearchCredentials>,
    /// The most that connecting may take.
    pub connect_timeout: Duration,
    /// The most that a whole call may take; a write waits for the index to be refreshed, which is
    /// every second by default.
    pub timeout: Duration,
}

/// Who we are.
#[derive(Debug, Clone)]
pub enum OpenSearchCredentials {
    /// Elasticsearch's API key, as it is handed out: the base64 of `id:key`.
    ApiKey(SecretString),
    /// A user of the cluster.
    Basic {
        /// Its name.
        user: String,
        /// Its password.
        password: SecretString,
    },
}

/// Why the adapter cannot be built.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenSearchConfigError {
    /// The address or the HTTP client.
    #[error(transparent)]
    Http(#[from] HttpConfigError),
    /// The name could address other indices, or none.
    #[error(
        "{0:?} cannot be the name of an index: expected lower-case letters, digits, -, _ and ., beginning with a letter or digit"
    )]
    IndexName(String),
    /// The credentials do not fit into a header.
    #[error("credentials of the search cluster contain a character that no header carries")]
    Credentials,
}

/// The search index in a cluster.
#[derive(Clone)]
pub struct OpenSearchIndex {
    client: Client,
    base: BaseUrl,
    index: String,
    /// Kept to be cut out of what the cluster says.
    secret: SecretString,
    /// Set once the index was seen.
    ready: OnceCell<()>,
}

impl OpenSearchIndex {
    /// A client of the cluster at this address.
    ///
    /// # Errors
    /// [`OpenSearchConfigError`] if the address, the index's name or the credentials cannot be used.
    pub fn new(config: OpenSearchConfig) -> Result<Self, OpenSearchConfigError> {
        if !is_index_name(&config.index) {
            return Err(OpenSearchConfigError::IndexName(config.index));
        }
        let credentials = config.credentials.as_ref();
        let headers = credentials.map(authorization).transpose()?;
        let builder = http::builder(config.connect_timeout, config.timeout)
            .default_headers(headers.unwrap_or_default());
        Ok(Self {
            client: http::build(builder)?,
            base: BaseUrl::new(config.base_url)?,
            index: config.index,
            secret: match config.credentials {
                Some(OpenSearchCredentials::ApiKey(key)) => key,
                Some(OpenSearchCredentials::Basic { password, .. }) => password,
                None => SecretString::default(),
            },
            ready: OnceCell::new(),
        })
    }

    /// Creates the index, with its mapping, unless it is there.
    ///
    /// Several may do so at once: that somebody else was first is as good. Every other call does
    /// this before its first own request, because the first write to an index that is missing would
    /// otherwise create it with a guessed mapping.
    ///
    /// # Errors
    /// [`SearchIndexError`], as of any call.
    pub async fn ensure_index(&self) -> Result<(), SearchIndexError> {
        let url = self.base.join(&[&self.index]);
        // Asked first, because an alias is found here and cannot be created over.
        let head = self.send(self.client.head(url.clone())).await?;
        if head.status != StatusCode::NOT_FOUND {
            return head.accepted();
        }
        let create = self.client.put(url).json(&wire::index_definition());
        let created = self.send(create).await?;
        if created.error_type() == Some("resource_already_exists_exception") {
            return Ok(());
        }
        let wire::Acknowledged { acknowledged } = created.parse()?;
        if !acknowledged {
            return Err(SearchIndexError::NoAnswer(
                "the cluster has not yet created the index".to_owned(),
            ));
        }
        Ok(())
    }

    async fn ready(&self) -> Result<(), SearchIndexError> {
        self.ready.get_or_try_init(|| self.ensure_index()).await?;
        Ok(())
    }

    /// Writes a document or a tombstone, unless a newer one is there.
    async fn write(
        &self,
        listing_id: &str,
        version: i64,
        body: &impl Serialize,
    ) -> Result<(), SearchIndexError> {
        check_write(listing_id, version)?;
        self.ready().await?;
        let request = self
            .client
            .put(self.base.join(&[&self.index, "_doc", listing_id]))
            .query(&[
                ("version", version.to_string().as_str()),
                ("version_type", "external_gte"),
                ("refresh", "wait_for"),
            ])
            .json(body);
        let answer = self.send(request).await?;
        if answer.error_type() == Some("version_conflict_engine_exception") {
            return Err(SearchIndexError::Superseded {
                listing_id: listing_id.to_owned(),
                version,
            });
        }
        let written: wire::Written = answer.parse()?;
        if written.version != version {
            return Err(answer.unreadable("another version than the one sent"));
        }
        Ok(())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, SearchIndexError> {
        let response = request.send().await.map_err(errors::not_answered)?;
        Answer::read(response, &self.secret).await
    }
}

impl fmt::Debug for OpenSearchIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSearchIndex")
            .field("base", &self.base)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SearchIndex for OpenSearchIndex {
    async fn publish(&self, document: &SearchDocument) -> Result<(), SearchIndexError> {
        let live = wire::Live::of(document);
        self.write(&document.listing_id, document.version, &live)
            .await
    }

    async fn remove(&self, listing_id: &str, version: i64) -> Result<(), SearchIndexError> {
        let tombstone = wire::Tombstone::new(listing_id, version);
        self.write(listing_id, version, &tombstone).await
    }

    async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchIndexError> {
        let after = query.after.as_ref().map(Position::read).transpose()?;
        self.ready().await?;
        let request = self
            .client
            .post(self.base.join(&[&self.index, "_search"]))
            .query(&[
                // A page that leaves out what some shard has would be a gap without a trace.
                ("allow_partial_search_results", "false"),
                ("preference", query::preference(query).as_str()),
            ])
            .json(&query::body(query, after.as_ref()));
        let answer = self.send(request).await?;
        let found: wire::Found = answer.parse()?;
        let hits = found
            .into_hits()
            .map_err(|problem| answer.unreadable(problem))?;
        Ok(search_position::page(hits, query.page_size()))
    }

    async fn lookup(&self, listing_id: &str) -> Result<Option<SearchDocument>, SearchIndexError> {
        check_listing_id(listing_id)?;
        self.ready().await?;
        let url = self.base.join(&[&self.index, "_doc", listing_id]);
        let answer = self.send(self.client.get(url)).await?;
        // Only the API says so in these words; a missing index and a proxy's page are no answer
        // about a listing.
        if answer.is_not_found() {
            return Ok(None);
        }
        let got: wire::Got = answer.parse()?;
        got.into_document()
            .map_err(|problem| answer.unreadable(problem))
    }
}

fn authorization(credentials: &OpenSearchCredentials) -> Result<HeaderMap, OpenSearchConfigError> {
    let text = match credentials {
        OpenSearchCredentials::ApiKey(key) => format!("ApiKey {}", key.expose_secret()),
        OpenSearchCredentials::Basic { user, password } => {
            let pair = format!("{user}:{}", password.expose_secret());
            format!("Basic {}", BASE64_STANDARD.encode(pair))
        }
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| OpenSearchConfigError::Credentials)?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// Whether a name means one index: a comma, a star or a leading minus would make it a list, a
/// pattern or an exclusion (multi-target syntax), and a leading underscore an API.
fn is_index_name(name: &str) -> bool {
    let is_letter_or_digit = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 255
        && name.bytes().next().is_some_and(is_letter_or_digit)
        && name
            .bytes()
            .all(|c| is_letter_or_digit(c) || b"-_.".contains(&c))
}

#[cfg(test)]
mod tests;
