//! What Stripe's refusals mean to us.
//!
//! The one question is whether the call may have taken effect. A refusal counts only if Stripe
//! wrote it: a proxy's 404 page says nothing about a payment.

use partner_core::ports::payment_gateway::GatewayError;

use super::answer::Answer;
use super::wire::ApiError;
use crate::http;

/// A call without a whole answer.
pub(super) fn not_answered(error: reqwest::Error) -> GatewayError {
    if error.is_builder() {
        // It never left: the key or a parameter cannot be written into a request.
        return GatewayError::Refused {
            code: "invalid_request".to_owned(),
            message: format!("not sent: {}", http::describe(error)),
        };
    }
    GatewayError::NoAnswer(http::describe(error))
}

/// An answer that is not a success.
pub(super) fn refusal(answer: &Answer) -> GatewayError {
    let status = answer.status.as_u16();
    match (status, answer.error()) {
        (429, _) => GatewayError::RateLimited {
            retry_after: answer.retry_after,
        },
        (401 | 403, error) => GatewayError::Unauthorized(words(answer, error.as_ref())),
        (500.., error) => GatewayError::Unavailable {
            status,
            message: words(answer, error.as_ref()),
        },
        (400..500, Some(error)) => described(answer, &error),
        _ => GatewayError::Unreadable(format!(
            "status {status} without an error of Stripe's, is this its API?"
        )),
    }
}

/// A 4xx in Stripe's own words.
fn described(answer: &Answer, error: &ApiError) -> GatewayError {
    let code = error.code.as_deref().unwrap_or_default();
    let message = words(answer, Some(error));
    match (answer.status.as_u16(), code) {
        // Before the error's type: both of these can come as an `idempotency_error`.
        (_, "idempotency_key_in_use") | (409, "lock_timeout") => GatewayError::InProgress,
        _ if error.kind.as_deref() == Some("idempotency_error") => {
            GatewayError::IdempotencyConflict(message)
        }
        // Any other conflict is with a call that is under way, too.
        (409, _) => GatewayError::InProgress,
        (404, _) => GatewayError::NotFound(message),
        (_, "resource_missing") if error.is_about_the_payment() => GatewayError::NotFound(message),
        (_, "payment_intent_unexpected_state" | "charge_already_refunded") => {
            GatewayError::UnexpectedState {
                code: code.to_owned(),
                message,
            }
        }
        _ => GatewayError::Refused {
            code: error.most_telling_code(),
            message,
        },
    }
}

/// Stripe's message, with the name of the call.
fn words(answer: &Answer, error: Option<&ApiError>) -> String {
    let message = error
        .and_then(|error| error.message.as_deref())
        .unwrap_or("no message");
    match &answer.request_id {
        Some(request_id) => format!("{message} (request {request_id})"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::StatusCode;
    use serde_json::{Value, json};

    use super::*;

    fn refused(status: u16, body: &Value) -> GatewayError {
        refusal(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(Duration::from_secs(7)),
            request_id: Some("req_1".to_owned()),
            body: body.to_string(),
        })
    }

    fn error(kind: &str, code: &str) -> Value {
        json!({"error": {"type": kind, "code": code, "message": "words"}})
    }

    #[test]
    fn every_status_of_stripe_has_its_meaning() {
        let invalid = "invalid_request_error";
        for (status, body, expected) in [
            (
                400,
                error("idempotency_error", ""),
                "IdempotencyConflict(\"words (request req_1)\")",
            ),
            (
                400,
                error(invalid, "payment_intent_unexpected_state"),
                "UnexpectedState",
            ),
            (
                400,
                error(invalid, "charge_already_refunded"),
                "UnexpectedState",
            ),
            (
                400,
                error(invalid, "parameter_missing"),
                "Refused { code: \"parameter_missing\"",
            ),
            (401, error(invalid, ""), "Unauthorized"),
            (
                402,
                error("card_error", "card_declined"),
                "Refused { code: \"card_declined\"",
            ),
            (403, error(invalid, ""), "Unauthorized"),
            (404, error(invalid, "resource_missing"), "NotFound"),
            (409, error(invalid, "idempotency_key_in_use"), "InProgress"),
            (
                409,
                error("idempotency_error", "idempotency_key_in_use"),
                "InProgress",
            ),
            (409, error(invalid, "lock_timeout"), "InProgress"),
            (409, error(invalid, ""), "InProgress"),
            (424, error("api_error", ""), "Refused { code: \"api_error\""),
            (
                429,
                error(invalid, "lock_timeout"),
                "RateLimited { retry_after: Some(7s) }",
            ),
            (500, error("api_error", ""), "Unavailable { status: 500"),
            (503, error("api_error", ""), "Unavailable { status: 503"),
        ] {
            let actual = format!("{:?}", refused(status, &body));
            assert!(actual.starts_with(expected), "{status} {body}: {actual}");
        }
    }

    #[test]
    fn a_missing_payment_is_not_found_and_a_missing_method_is_refused() {
        let missing = |param: &str| {
            let body = json!({"error": {"code": "resource_missing", "param": param}});
            refused(400, &body)
        };
        assert!(matches!(
            missing("payment_intent"),
            GatewayError::NotFound(_)
        ));
        assert!(matches!(
            missing("payment_method"),
            GatewayError::Refused { .. }
        ));
    }

    #[test]
    fn a_refusal_that_stripe_did_not_write_leaves_the_outcome_open() {
        for status in [302, 400, 402, 404, 409, 418] {
            let error = refused(status, &json!("<html>not found</html>"));
            assert!(
                matches!(error, GatewayError::Unreadable(_)),
                "{status}: {error:?}"
            );
            assert!(error.outcome_is_unknown());
        }
    }
}
