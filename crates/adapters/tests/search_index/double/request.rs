//! A request, taken apart without mercy.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wiremock::Request;

use super::{Answer, PASSWORD, USER};

/// Why a request is refused, as the API says it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    kind: &'static str,
    reason: String,
}

impl Refusal {
    pub(super) fn new(status: u16, kind: &'static str, reason: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            reason: reason.into(),
        }
    }

    pub(super) fn argument(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    pub(super) fn into_answer(self) -> Answer {
        let cause = json!({"type": self.kind, "reason": self.reason});
        let mut error = cause.clone();
        error["root_cause"] = json!([cause]);
        (self.status, json!({"error": error, "status": self.status}))
    }
}

/// The header of the only user.
pub(crate) fn authorization() -> String {
    let pair = format!("{USER}:{PASSWORD}");
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

pub(super) fn authorize(request: &Request) -> Result<(), Refusal> {
    let given = request.headers.get("authorization");
    if given.is_some_and(|given| given.as_bytes() == authorization().as_bytes()) {
        return Ok(());
    }
    let reason = "missing or wrong authentication credentials";
    Err(Refusal::new(401, "security_exception", reason))
}

/// The segments of the path, decoded.
pub(super) fn path(request: &Request) -> Result<Vec<String>, Refusal> {
    let segments = request.url.path_segments().into_iter().flatten();
    segments
        .map(|segment| decode(segment).ok_or_else(|| Refusal::argument("path is not UTF-8")))
        .collect()
}

/// A plus is a plus in a path.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

/// The parameters, each one of those that are allowed and given once.
pub(super) fn parameters(
    request: &Request,
    allowed: &[&str],
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut parameters = BTreeMap::new();
    for (name, value) in request.url.query_pairs() {
        if !allowed.contains(&&*name) {
            let reason = format!("request contains unrecognized parameter: [{name}]");
            return Err(Refusal::argument(reason));
        }
        if parameters
            .insert(name.to_string(), value.to_string())
            .is_some()
        {
            return Err(Refusal::argument(format!("parameter [{name}] is repeated")));
        }
    }
    Ok(parameters)
}

pub(super) fn no_body(request: &Request) -> Result<(), Refusal> {
    if request.body.is_empty() {
        return Ok(());
    }
    Err(Refusal::argument("request does not support having a body"))
}

pub(super) fn json(request: &Request) -> Result<Value, Refusal> {
    let content_type = request.headers.get("content-type");
    if content_type.is_none_or(|given| given.as_bytes() != b"application/json") {
        let reason = format!("Content-Type header {content_type:?} is not supported");
        return Err(Refusal::new(406, "media_type_header_exception", reason));
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::new(400, "parse_exception", error.to_string()))
}
