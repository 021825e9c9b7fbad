//! A bucket behind S3's wire protocol, with the part of it that the adapter uses, and with faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::path::Path;
use reqwest::Method;
use sha2::{Digest as _, Sha256};
use url::Url;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

/// The bucket's name.
pub(super) const BUCKET: &str = "files";

/// A running server.
pub(super) struct S3Double {
    server: MockServer,
    bucket: Bucket,
}

impl S3Double {
    pub(super) async fn start() -> Self {
        let server = MockServer::start().await;
        let bucket = Bucket::default();
        Mock::given(matchers::any())
            .respond_with(bucket.clone())
            .mount(&server)
            .await;
        Self { server, bucket }
    }

    pub(super) fn endpoint(&self) -> Url {
        self.server.uri().parse().unwrap()
    }

    /// Answers the next request that this says with a status instead of doing it.
    pub(super) fn fail(&self, request: &'static str, status: u16) {
        self.bucket.lock().faults.push((request, status, false));
    }

    /// Does the next such request, and answers with a status all the same.
    pub(super) fn fail_after(&self, request: &'static str, status: u16) {
        self.bucket.lock().faults.push((request, status, true));
    }

    /// Refuses the next request in these words.
    pub(super) fn echo(&self, words: &str) {
        self.bucket.lock().refusal = Some(words.to_owned());
    }

    /// The keys of all files.
    pub(super) fn keys(&self) -> Vec<String> {
        self.bucket.lock().files.keys().cloned().collect()
    }

    /// Puts another content in the place of a file.
    pub(super) fn replace(&self, key: &str, content: &[u8]) {
        let mut state = self.bucket.lock();
        state.files.insert(key.to_owned(), content.to_vec());
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub(super) fn open_uploads(&self) -> usize {
        self.bucket.lock().uploads.len()
    }

    /// What was asked for so far: method, path and query.
    pub(super) async fn requests(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().map(described).collect()
    }
}

fn described(request: &Request) -> String {
    let query = request.url.query().map(|query| format!("?{query}"));
    format!(
        "{} {}{}",
        request.method,
        request.url.path(),
        query.unwrap_or_default()
    )
}

#[derive(Clone, Default)]
struct Bucket(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    begun: u32,
    /// Part of a request's description, the status, and whether the request is done first.
    faults: Vec<(&'static str, u16, bool)>,
    /// What the next request is refused with.
    refusal: Option<String>,
}

impl Bucket {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Respond for Bucket {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.lock();
        let said = described(request);
        let fault = state
            .faults
            .iter()
            .position(|(part, ..)| said.contains(part));
        let fault = fault.map(|index| state.faults.remove(index));
        if let Some(words) = state.refusal.take() {
            return ResponseTemplate::new(400).set_body_string(words);
        }
        if let Some((_, status, false)) = fault {
            return problem(status);
        }
        let answer = state.answer(request);
        match fault {
            Some((_, status, _)) => problem(status),
            None => answer,
        }
    }
}

fn problem(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string("<Error><Code>Fault</Code></Error>")
}

impl State {
    fn answer(&mut self, request: &Request) -> ResponseTemplate {
        let key = request
            .url
            .path()
            .strip_prefix(&format!("/{BUCKET}/"))
            .map(|key| Path::from_url_path(key).unwrap().to_string());
        let Some(key) = key else {
            return problem(400);
        };
        let query: BTreeMap<_, _> = request.url.query_pairs().into_owned().collect();
        let upload = query.get("uploadId");
        match (request.method.as_str(), upload) {
            ("POST", None) => self.begin(),
            ("PUT", Some(upload)) => self.put_part(upload, &query["partNumber"], request),
            ("POST", Some(upload)) => self.complete(upload, key, request),
            ("DELETE", Some(upload)) => {
                self.uploads.remove(upload);
                ResponseTemplate::new(204)
            }
            ("PUT", None) => self.put(key, request),
            ("DELETE", None) => {
                self.files.remove(&key);
                ResponseTemplate::new(204)
            }
            _ => self.get(&key, request),
        }
    }

    fn put(&mut self, key: String, request: &Request) -> ResponseTemplate {
        if header(request, "if-none-match") == Some("*") && self.files.contains_key(&key) {
            return problem(412);
        }
        self.files.insert(key, request.body.clone());
        ResponseTemplate::new(200).insert_header("etag", etag(&request.body))
    }

    fn get(&self, key: &str, request: &Request) -> ResponseTemplate {
        let Some(content) = self.files.get(key) else {
            return problem(404);
        };
        let tag = etag(content);
        if header(request, "if-match").is_some_and(|wanted| wanted != tag) {
            return problem(412);
        }
        let answer = |status| {
            ResponseTemplate::new(status)
                .insert_header("etag", tag.as_str())
                .insert_header("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT")
        };
        match header(request, "range").filter(|_| request.method == Method::GET) {
            None => answer(200)
                .insert_header("content-length", content.len().to_string())
                .set_body_bytes(content.clone()),
            Some(range) => {
                let (from, to) = range
                    .strip_prefix("bytes=")
                    .and_then(|range| range.split_once('-'))
                    .unwrap();
                let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
                let described = format!("bytes {from}-{to}/{}", content.len());
                answer(206)
                    .insert_header("content-range", described)
                    .set_body_bytes(&content[from..=to])
            }
        }
    }

    fn begin(&mut self) -> ResponseTemplate {
        self.begun += 1;
        let id = format!("upload-{}", self.begun);
        self.uploads.insert(id.clone(), BTreeMap::new());
        ResponseTemplate::new(200).set_body_string(format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ))
    }

    fn put_part(&mut self, upload: &str, number: &str, request: &Request) -> ResponseTemplate {
        let source = header(request, "x-amz-copy-source");
        let content = match source {
            None => request.body.clone(),
            Some(source) => {
                let key = source.strip_prefix(&format!("{BUCKET}/")).unwrap();
                self.files[&Path::from_url_path(key).unwrap().to_string()].clone()
            }
        };
        let tag = etag(&content);
        let Some(parts) = self.uploads.get_mut(upload) else {
            return problem(404);
        };
        parts.insert(number.parse().unwrap(), content);
        let answer = ResponseTemplate::new(200).insert_header("etag", tag.as_str());
        match source {
            None => answer,
            Some(_) => answer.set_body_string(format!(
                "<CopyPartResult><ETag>{tag}</ETag></CopyPartResult>"
            )),
        }
    }

    fn complete(&mut self, upload: &str, key: String, request: &Request) -> ResponseTemplate {
        if header(request, "if-none-match") == Some("*") && self.files.contains_key(&key) {
            return problem(412);
        }
        let Some(parts) = self.uploads.remove(upload) else {
            return problem(404);
        };
        let content = parts.into_values().flatten().collect::<Vec<_>>();
        let tag = etag(&content);
        self.files.insert(key, content);
        ResponseTemplate::new(200).set_body_string(format!(
            "<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        ))
    }
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Sha256::digest(content)))
}
