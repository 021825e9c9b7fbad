//! The gateway's errors, in the shape of its API.

use serde_json::{Value, json};

use super::payment::{Decline, Intent};
use super::wire;

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: u16,
    /// Whether it is the outcome of an execution, which the idempotency key then replays.
    pub(super) executed: bool,
    error: Value,
}

impl Problem {
    fn new(status: u16, kind: &str, message: &str) -> Self {
        Self {
            status,
            executed: false,
            error: json!({ "type": kind, "message": message }),
        }
    }

    fn invalid(message: &str) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    fn code(mut self, code: &str) -> Self {
        let page = code.replace('_', "-");
        let doc_url = format!("https://stripe.com/docs/error-codes/{page}");
        self.error["code"] = json!(code);
        self.error["doc_url"] = json!(doc_url);
        self
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.error[field] = value;
        self
    }

    const fn executed(mut self) -> Self {
        self.executed = true;
        self
    }

    /// A parameter is wrong: nothing was executed.
    pub(super) fn parameter(code: &str, param: &str, message: &str) -> Self {
        Self::invalid(message)
            .code(code)
            .with("param", json!(param))
    }

    /// A parameter is not there: nothing was executed.
    pub(super) fn missing_parameter(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::parameter("parameter_missing", param, &message)
    }

    /// There is no such object.
    pub(super) fn missing(object: &str, param: &str, id: &str) -> Self {
        let message = format!("No such {object}: '{id}'");
        Self::new(404, "invalid_request_error", &message)
            .code("resource_missing")
            .with("param", json!(param))
    }

    /// The intent's status forbids the call.
    pub(super) fn unexpected_state(intent: &Intent, message: &str) -> Self {
        Self::invalid(message)
            .code("payment_intent_unexpected_state")
            .with("payment_intent", wire::intent(intent, false))
            .executed()
    }

    /// There is nothing to refund.
    pub(super) fn not_charged(intent: &str) -> Self {
        let message =
            format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
        Self::invalid(&message)
            .with("param", json!("payment_intent"))
            .executed()
    }

    /// Everything went back already.
    pub(super) fn already_refunded(charge: &str) -> Self {
        let message = format!("Charge {charge} has already been refunded.");
        Self::invalid(&message)
            .code("charge_already_refunded")
            .executed()
    }

    /// The refund is more than what is left.
    pub(super) fn refund_too_large(amount: i64, left: i64, currency: &str) -> Self {
        let message = format!(
            "Refund amount ({amount} {currency}) is greater than unrefunded amount on charge \
             ({left} {currency})"
        );
        Self::parameter("amount_too_large", "amount", &message).executed()
    }

    /// The issuer declined the charge.
    pub(super) fn card(intent: &Intent, decline: &Decline) -> Self {
        let charge = intent.latest_charge().map(|charge| &charge.id);
        Self::new(402, "card_error", &decline.message)
            .code(&decline.code)
            .with("decline_code", json!(decline.reason))
            .with("charge", json!(charge))
            .with("payment_intent", wire::intent(intent, false))
            .executed()
    }

    /// The API key is missing or wrong.
    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(401, "invalid_request_error", message)
    }

    /// No such endpoint.
    pub(super) fn no_route(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(404, "invalid_request_error", &message)
    }

    /// The idempotency key was used with another request.
    pub(super) fn key_reused(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were \
             first used with. Try using a key other than '{key}' if you meant to execute a \
             different request."
        );
        Self::new(400, "idempotency_error", &message)
    }

    /// Another request with the same idempotency key is under way.
    pub(super) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key ('{key}'). \
             Please try again later."
        );
        Self::new(409, "idempotency_error", &message).code("idempotency_key_in_use")
    }

    /// Too many requests.
    pub(super) fn rate_limited() -> Self {
        Self::new(429, "invalid_request_error", "Request rate limit exceeded.").code("rate_limit")
    }

    /// A refusal that a test asked for.
    pub(super) fn refused() -> Self {
        Self::invalid("The request was refused.").code("parameter_invalid_string_blank")
    }

    /// The gateway itself failed.
    pub(super) fn internal() -> Self {
        Self::new(500, "api_error", "An unknown error occurred.")
    }

    pub(super) fn body(&self) -> Value {
        json!({ "error": self.error })
    }
}
