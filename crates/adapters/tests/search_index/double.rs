//! The part of the cluster's API that the adapter uses, in memory, and not a word more.
//!
//! External versions, the visibility of writes, strict mappings, `search_after` and the language of
//! `simple_query_string` behave as in `OpenSearch`, from whose sources their rules are taken; of the
//! English analyzer and of the scoring there is as much as the suite needs. Whatever a request says
//! beyond that is refused.

mod analysis;
mod documents;
mod mapping;
mod request;
mod search;
mod simple_query;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use self::documents::Index;
use self::request::Refusal;

pub(crate) use self::request::authorization;

/// The only user.
pub(crate) const USER: &str = "partner";

/// Its password.
pub(crate) const PASSWORD: &str = "correct horse";

/// A cluster of its own, gone when it is dropped.
pub(crate) struct OpenSearchDouble {
    pub(crate) url: Url,
    _server: MockServer,
}

impl OpenSearchDouble {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(Cluster::default())
            .mount(&server)
            .await;
        Ok(Self {
            url: server.uri().parse()?,
            _server: server,
        })
    }
}

#[derive(Default)]
struct Cluster {
    indices: Mutex<BTreeMap<String, Index>>,
}

/// A status and a body.
type Answer = (u16, Value);

impl Respond for Cluster {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let (status, body) = self.answer(request).unwrap_or_else(Refusal::into_answer);
        let response = ResponseTemplate::new(status);
        // An answer to HEAD has no body.
        if request.method == "HEAD" {
            return response;
        }
        response.set_body_json(body)
    }
}

impl Cluster {
    fn answer(&self, request: &Request) -> Result<Answer, Refusal> {
        request::authorize(request)?;
        let path = request::path(request)?;
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let mut indices = self.indices.lock().unwrap_or_else(PoisonError::into_inner);
        match (request.method.as_str(), path.as_slice()) {
            ("HEAD", [name]) => {
                request::parameters(request, &[])?;
                request::no_body(request)?;
                Ok((
                    if indices.contains_key(*name) {
                        200
                    } else {
                        404
                    },
                    Value::Null,
                ))
            }
            ("PUT", [name]) => {
                request::parameters(request, &[])?;
                create(&mut indices, name, &request::json(request)?)
            }
            ("PUT", [name, "_doc", id]) => {
                let parameters = ["version", "version_type", "refresh"];
                let parameters = request::parameters(request, &parameters)?;
                let source = request::json(request)?;
                existing(&mut indices, name)?.put(id, &parameters, source)
            }
            ("GET", [name, "_doc", id]) => {
                request::parameters(request, &[])?;
                request::no_body(request)?;
                Ok(existing(&mut indices, name)?.get(id))
            }
            ("POST", [name, "_search"]) => {
                let parameters = ["allow_partial_search_results", "preference"];
                let parameters = request::parameters(request, &parameters)?;
                search::check(&parameters)?;
                let body = request::json(request)?;
                search::run(existing(&mut indices, name)?, body)
            }
            _ => Err(Refusal::new(
                405,
                "method_not_allowed",
                format!("{} {}", request.method, request.url.path()),
            )),
        }
    }
}

fn create(
    indices: &mut BTreeMap<String, Index>,
    name: &str,
    definition: &Value,
) -> Result<Answer, Refusal> {
    if indices.contains_key(name) {
        let reason = format!("index [{name}/0] already exists");
        return Err(Refusal::new(
            400,
            "resource_already_exists_exception",
            reason,
        ));
    }
    indices.insert(name.to_owned(), Index::create(name, definition)?);
    let body = json!({"acknowledged": true, "shards_acknowledged": true, "index": name});
    Ok((200, body))
}

/// The index, which no request creates by the way (`action.auto_create_index` is off).
fn existing<'a>(
    indices: &'a mut BTreeMap<String, Index>,
    name: &str,
) -> Result<&'a mut Index, Refusal> {
    indices.get_mut(name).ok_or_else(|| {
        let reason = format!("no such index [{name}]");
        Refusal::new(404, "index_not_found_exception", reason)
    })
}
