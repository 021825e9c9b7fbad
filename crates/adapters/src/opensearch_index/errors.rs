//! What the cluster's refusals mean to us.

use partner_core::ports::search_index::SearchIndexError;
use reqwest::StatusCode;

use super::answer::Answer;
use crate::http;

/// A call without a whole answer.
pub(super) fn not_answered(error: reqwest::Error) -> SearchIndexError {
    if error.is_builder() {
        // It never left: it cannot be written into a request.
        return SearchIndexError::Refused {
            status: StatusCode::BAD_REQUEST.as_u16(),
            message: format!("not sent: {}", http::describe(error)),
        };
    }
    SearchIndexError::NoAnswer(http::describe(error))
}

/// An answer that is not a success.
pub(super) fn refusal(answer: &Answer) -> SearchIndexError {
    let status = answer.status;
    // Somebody or something has locked the index for now, such as a disk that is almost full: in
    // older versions that is a 403, and it is lifted all the same.
    let is_blocked = answer.error_type() == Some("cluster_block_exception");
    if is_blocked || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return SearchIndexError::Unavailable {
            status: status.as_u16(),
            message: words(answer),
            retry_after: answer.retry_after,
        };
    }
    SearchIndexError::Refused {
        status: status.as_u16(),
        message: words(answer),
    }
}

/// The API's own words, else the beginning of whatever it is.
fn words(answer: &Answer) -> String {
    const ENOUGH: usize = 500;
    let text = match &answer.error {
        Some(error) => error.to_string(),
        None => answer.body.clone(),
    };
    text.chars().take(ENOUGH).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::wire::ApiError;
    use super::*;

    const WAIT: Option<Duration> = Some(Duration::from_secs(7));

    fn refused(status: u16, body: &Value) -> SearchIndexError {
        let status = StatusCode::from_u16(status).unwrap();
        let body = body.to_string();
        refusal(&Answer {
            status,
            retry_after: WAIT,
            error: ApiError::read(status, &body),
            body,
        })
    }

    fn error(kind: &str) -> Value {
        json!({"error": {"type": kind, "reason": "words"}, "status": 0})
    }

    #[test]
    fn every_status_has_its_meaning() {
        for (status, kind, is_unavailable) in [
            (302, "", false),
            (400, "strict_dynamic_mapping_exception", false),
            (401, "security_exception", false),
            (403, "security_exception", false),
            (403, "cluster_block_exception", true),
            (404, "index_not_found_exception", false),
            (409, "some_other_conflict", false),
            (413, "", false),
            (429, "es_rejected_execution_exception", true),
            (429, "cluster_block_exception", true),
            (500, "", true),
            (502, "", true),
            (503, "unavailable_shards_exception", true),
        ] {
            match refused(status, &error(kind)) {
                SearchIndexError::Unavailable {
                    status: given,
                    message,
                    retry_after,
                } => {
                    assert!(is_unavailable, "{status} {kind}");
                    assert_eq!((given, retry_after), (status, WAIT));
                    assert_eq!(message, format!("{kind}: words"));
                }
                SearchIndexError::Refused {
                    status: given,
                    message,
                } => {
                    assert!(!is_unavailable, "{status} {kind}");
                    assert_eq!(given, status);
                    assert_eq!(message, format!("{kind}: words"));
                }
                other => panic!("{status}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_words_are_kept_whoever_wrote_them() {
        for (body, expected) in [
            (
                json!({"error": "no such header", "status": 406}),
                "no such header",
            ),
            (json!({"error": {"type": "a_exception"}}), "a_exception"),
            (
                json!({"message": "a proxy's"}),
                r#"{"message":"a proxy's"}"#,
            ),
        ] {
            let error = refused(406, &body).to_string();
            assert!(error.ends_with(expected), "{error}");
        }
        let long = refused(400, &json!("x".repeat(10_000))).to_string();
        assert!(long.len() < 600, "{}", long.len());
    }
}
