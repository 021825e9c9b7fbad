//! The index in a cluster: against the double, or against the real one at `OPENSEARCH_URL`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use partner_adapters::{OpenSearchConfig, OpenSearchCredentials, OpenSearchIndex};
use partner_core::ports::search_index::SearchIndex;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method};
use serde_json::json;
use url::Url;

use crate::conformance::conformance;
use crate::double::{OpenSearchDouble, PASSWORD, USER, authorization};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

static INDICES: AtomicUsize = AtomicUsize::new(0);

/// An index of its own in a cluster.
struct Stage {
    index: OpenSearchIndex,
    config: OpenSearchConfig,
    /// Gone when it is dropped.
    double: Option<OpenSearchDouble>,
}

impl Stage {
    fn index(&self) -> &dyn SearchIndex {
        &self.index
    }

    /// Leaves nothing behind in a real cluster.
    async fn close(self) -> Result<()> {
        if self.double.is_none() {
            administer(&self.config, Method::DELETE, "", &json!({})).await?;
        }
        Ok(())
    }
}

async fn open() -> Result<Stage> {
    if let Some(url) = real_cluster() {
        return open_in(url.parse()?).await;
    }
    let double = OpenSearchDouble::start().await?;
    let config = config(double.url.clone());
    Ok(Stage {
        index: OpenSearchIndex::new(config.clone())?,
        config,
        double: Some(double),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "only this test knows the variable, it is no configuration"
)]
fn real_cluster() -> Option<String> {
    std::env::var("OPENSEARCH_URL").ok()
}

/// An index in a real cluster, which is refreshed often because every write waits for it.
async fn open_in(mut url: Url) -> Result<Stage> {
    let user = url.username().to_owned();
    let password = url.password().unwrap_or_default().to_owned();
    let credentials = (!user.is_empty()).then(|| OpenSearchCredentials::Basic {
        user,
        password: password.into(),
    });
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    ensure!(cleared.is_ok(), "OPENSEARCH_URL is no address of a cluster");
    let config = OpenSearchConfig {
        credentials,
        ..config(url)
    };
    let index = OpenSearchIndex::new(config.clone())?;
    index.ensure_index().await?;
    let often = json!({"index": {"refresh_interval": "20ms"}});
    administer(&config, Method::PUT, "/_settings", &often).await?;
    Ok(Stage {
        index,
        config,
        double: None,
    })
}

fn config(base_url: Url) -> OpenSearchConfig {
    let number = INDICES.fetch_add(1, Ordering::Relaxed);
    OpenSearchConfig {
        base_url,
        index: format!("partner-conformance-{}-{number}", std::process::id()),
        credentials: Some(OpenSearchCredentials::Basic {
            user: USER.to_owned(),
            password: PASSWORD.into(),
        }),
        connect_timeout: PATIENCE,
        timeout: PATIENCE,
    }
}

/// What the adapter never does itself.
async fn administer(
    config: &OpenSearchConfig,
    method: Method,
    path: &str,
    body: &serde_json::Value,
) -> Result<()> {
    use secrecy::ExposeSecret;
    let url = config.base_url.join(&format!("{}{path}", config.index))?;
    let mut request = Client::builder().build()?.request(method, url).json(body);
    if let Some(OpenSearchCredentials::Basic { user, password }) = &config.credentials {
        request = request.basic_auth(user, Some(password.expose_secret()));
    }
    request.send().await?.error_for_status()?;
    Ok(())
}

conformance!(open);

#[tokio::test]
async fn an_index_that_many_create_at_once_is_there() -> Result<()> {
    let stage = open().await?;
    let workers = (0..8).map(|_| OpenSearchIndex::new(stage.config.clone()));
    let workers = workers.collect::<Result<Vec<_>, _>>()?;
    try_join_all(workers.iter().map(OpenSearchIndex::ensure_index)).await?;
    assert_eq!(stage.index.lookup("listing-1").await?, None);
    stage.close().await
}

const JSON: &str = "application/json";

const TOMBSTONE: &str = r#"{"listing_id": "a", "version": 1, "removed": true}"#;

/// Requests and the statuses that they get, in their order, from an index that was just created.
const REQUESTS: [(u16, &str, &str, &str, &str); 17] = [
    (
        201,
        "PUT",
        "_doc/a?version=1&version_type=external_gte",
        JSON,
        TOMBSTONE,
    ),
    // A parameter or a value of one that the API does not know.
    (400, "PUT", "_doc/a?wait=true", JSON, TOMBSTONE),
    (
        400,
        "PUT",
        "_doc/a?version=1&version_type=newest",
        JSON,
        TOMBSTONE,
    ),
    (
        400,
        "PUT",
        "_doc/a?version=-1&version_type=external",
        JSON,
        TOMBSTONE,
    ),
    (400, "PUT", "_doc/a?version=1", JSON, TOMBSTONE),
    (400, "POST", "_search?size=1", JSON, "{}"),
    // A version that is not high enough for its type.
    (
        409,
        "PUT",
        "_doc/a?version=1&version_type=external",
        JSON,
        TOMBSTONE,
    ),
    (
        409,
        "PUT",
        "_doc/a?version=0&version_type=external_gte",
        JSON,
        TOMBSTONE,
    ),
    // A body that is none, or has what the mapping or the query language does not know.
    (406, "PUT", "_doc/a", "text/plain", TOMBSTONE),
    (400, "PUT", "_doc/a", JSON, "{"),
    (
        400,
        "PUT",
        "_doc/a",
        JSON,
        r#"{"listing_id": "a", "color": "red"}"#,
    ),
    (400, "PUT", "_doc/a", JSON, r#"{"removed": "perhaps"}"#),
    (
        400,
        "POST",
        "_search?allow_partial_search_results=false&preference=a",
        JSON,
        r#"{"q": 1}"#,
    ),
    (400, "GET", "_doc/a", JSON, TOMBSTONE),
    // What exists already.
    (400, "PUT", "", JSON, r#"{"mappings": {}}"#),
    // What would be forgotten after a minute.
    (405, "DELETE", "_doc/a", JSON, ""),
    (200, "GET", "_doc/a", JSON, ""),
];

/// What the suite rests on: the double refuses what the API does not know, and what the adapter has
/// no reason to send.
#[tokio::test]
async fn the_double_refuses_what_must_not_be_sent() -> Result<()> {
    let double = OpenSearchDouble::start().await?;
    let index = OpenSearchIndex::new(OpenSearchConfig {
        index: "listings".to_owned(),
        ..config(double.url.clone())
    })?;
    index.ensure_index().await?;
    let client = Client::builder().build()?;
    let send = |method: &str, path: &str, content_type: &str, body: &str| {
        let url = format!("{}listings/{path}", double.url);
        let method = method.parse::<Method>()?;
        let request = client.request(method, url.trim_end_matches('/'));
        let request = request.header(CONTENT_TYPE, content_type);
        anyhow::Ok(request.body(body.to_owned()))
    };
    for (status, method, path, content_type, body) in REQUESTS {
        let request = send(method, path, content_type, body)?;
        let answer = request
            .header(AUTHORIZATION, authorization())
            .send()
            .await?;
        assert_eq!(answer.status().as_u16(), status, "{method} {path} {body}");
        let stranger = send(method, path, content_type, body)?;
        assert_eq!(
            stranger.send().await?.status().as_u16(),
            401,
            "{method} {path}"
        );
    }
    Ok(())
}
