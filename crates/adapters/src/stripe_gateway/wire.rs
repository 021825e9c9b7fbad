//! The part of Stripe's JSON that we read.
//!
//! No `untagged` and no `flatten`: with `serde_json`'s `arbitrary_precision` they lose numbers.

use std::collections::BTreeMap;

use partner_core::money::{Currency, Money};
use partner_core::ports::payment_gateway::{
    GatewayError, GatewayPayment, GatewayRefund, PaymentState,
};
use serde::Deserialize;
use serde_json::Value;

/// A payment intent.
#[derive(Debug, Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    amount: i64,
    currency: String,
    status: String,
    metadata: Option<BTreeMap<String, String>>,
    last_payment_error: Option<ApiError>,
    /// The charge if it was expanded, else its id.
    latest_charge: Option<Value>,
}

impl PaymentIntent {
    /// Our reference, if it was stored.
    pub(super) fn reference(&self) -> Option<&str> {
        self.metadata.as_ref()?.get("reference").map(String::as_str)
    }

    /// How much of the buyer's money is in it: among repeats, the one to know about is first.
    pub(super) fn weight(&self) -> u8 {
        match self.status.as_str() {
            "succeeded" => 4,
            "processing" | "requires_capture" => 3,
            "canceled" => 0,
            _ => 1,
        }
    }

    /// The payment in our terms.
    pub(super) fn into_payment(self) -> Result<GatewayPayment, GatewayError> {
        let currency = currency(&self.currency)?;
        Ok(GatewayPayment {
            reference: self.reference().map(str::to_owned),
            amount: Money::from_minor(self.amount, currency),
            refunded: Money::from_minor(self.refunded()?, currency),
            state: state(&self.status, self.last_payment_error)?,
            id: self.id,
        })
    }

    fn refunded(&self) -> Result<i64, GatewayError> {
        let refunded = self
            .latest_charge
            .as_ref()
            .and_then(|charge| charge.get("amount_refunded"))
            .and_then(Value::as_i64);
        match refunded {
            Some(refunded) => Ok(refunded),
            // Zero would be a guess, and an undo step would give the money back twice.
            None if self.status == "succeeded" => Err(GatewayError::Unreadable(format!(
                "payment {} is charged, but its latest_charge was not expanded",
                self.id
            ))),
            None => Ok(0),
        }
    }
}

fn state(status: &str, error: Option<ApiError>) -> Result<PaymentState, GatewayError> {
    Ok(match (status, error) {
        ("requires_payment_method", Some(error)) => PaymentState::Declined {
            code: error.most_telling_code(),
            message: error.message.unwrap_or_default(),
        },
        ("requires_payment_method" | "requires_confirmation", _) => {
            PaymentState::RequiresConfirmation
        }
        ("requires_action", _) => PaymentState::Declined {
            code: "authentication_required".to_owned(),
            message: "The payment waits for its buyer to authenticate it.".to_owned(),
        },
        ("processing", _) => PaymentState::Processing,
        ("requires_capture", _) => PaymentState::RequiresCapture,
        ("succeeded", _) => PaymentState::Succeeded,
        ("canceled", _) => PaymentState::Canceled,
        (other, _) => {
            return Err(GatewayError::Unreadable(format!(
                "unknown payment status {other:?}"
            )));
        }
    })
}

fn currency(code: &str) -> Result<Currency, GatewayError> {
    Currency::parse(code).map_err(|error| GatewayError::Unreadable(error.to_string()))
}

/// A page of payment intents, of a list or of a search.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<PaymentIntent>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// A refund.
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    id: String,
    amount: i64,
    currency: String,
    status: Option<String>,
    failure_reason: Option<String>,
}

impl Refund {
    /// The refund in our terms. A pending one counts: Stripe has taken it on.
    pub(super) fn into_refund(self) -> Result<GatewayRefund, GatewayError> {
        if matches!(self.status.as_deref(), Some("failed" | "canceled")) {
            return Err(GatewayError::Refused {
                code: self
                    .failure_reason
                    .unwrap_or_else(|| "refund_failed".to_owned()),
                message: format!("refund {} did not go through", self.id),
            });
        }
        Ok(GatewayRefund {
            amount: Money::from_minor(self.amount, currency(&self.currency)?),
            id: self.id,
        })
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: ApiError,
}

/// What Stripe says went wrong, with a call or with a payment.
#[derive(Debug, Deserialize)]
pub(super) struct ApiError {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) code: Option<String>,
    decline_code: Option<String>,
    pub(super) message: Option<String>,
    param: Option<String>,
    payment_intent: Option<Box<PaymentIntent>>,
}

impl ApiError {
    /// The issuer's own reason, else Stripe's code, else the kind of error.
    pub(super) fn most_telling_code(&self) -> String {
        [&self.decline_code, &self.code, &self.kind]
            .into_iter()
            .flatten()
            .find(|code| !code.is_empty())
            .map_or_else(|| "unknown".to_owned(), Clone::clone)
    }

    /// Whether it complains about the payment that the call was for.
    pub(super) fn is_about_the_payment(&self) -> bool {
        matches!(self.param.as_deref(), Some("intent" | "payment_intent"))
    }

    /// The decline, if the card is what went wrong.
    pub(super) fn into_decline(self) -> Option<Decline> {
        if self.kind.as_deref() != Some("card_error") {
            return None;
        }
        Some(Decline {
            code: self.most_telling_code(),
            message: self.message.unwrap_or_default(),
            payment_intent: self.payment_intent.map(|intent| *intent),
        })
    }
}

/// An issuer's refusal.
pub(super) struct Decline {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) payment_intent: Option<PaymentIntent>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payment(overrides: Value) -> Result<GatewayPayment, GatewayError> {
        let mut intent = json!({
            "id": "pi_1",
            "amount": 99_999,
            "currency": "inr",
            "status": "requires_confirmation",
            "metadata": {"reference": "ref-1"},
            "last_payment_error": null,
            "latest_charge": null,
        });
        for (name, value) in overrides.as_object().unwrap() {
            intent[name] = value.clone();
        }
        serde_json::from_value::<PaymentIntent>(intent)
            .unwrap()
            .into_payment()
    }

    #[test]
    fn every_status_has_its_state() {
        let charged = json!({"amount_refunded": 0});
        for (status, expected) in [
            (
                "requires_payment_method",
                PaymentState::RequiresConfirmation,
            ),
            ("requires_confirmation", PaymentState::RequiresConfirmation),
            ("processing", PaymentState::Processing),
            ("requires_capture", PaymentState::RequiresCapture),
            ("succeeded", PaymentState::Succeeded),
            ("canceled", PaymentState::Canceled),
        ] {
            let payment = payment(json!({"status": status, "latest_charge": charged})).unwrap();
            assert_eq!(payment.state, expected, "{status}");
        }
        let waiting = payment(json!({"status": "requires_action"})).unwrap().state;
        assert!(
            matches!(&waiting, PaymentState::Declined { code, .. } if code == "authentication_required"),
            "{waiting:?}"
        );
        let error = payment(json!({"status": "requires_magic"})).unwrap_err();
        assert!(matches!(error, GatewayError::Unreadable(_)), "{error:?}");
    }

    #[test]
    fn a_decline_has_the_issuers_code_if_there_is_one() {
        for (error, expected) in [
            (
                json!({"code": "card_declined", "decline_code": "insufficient_funds"}),
                "insufficient_funds",
            ),
            (json!({"code": "expired_card"}), "expired_card"),
            (json!({"type": "card_error"}), "card_error"),
            (json!({}), "unknown"),
        ] {
            let state = payment(json!({
                "status": "requires_payment_method",
                "last_payment_error": error,
            }))
            .unwrap()
            .state;
            assert!(
                matches!(&state, PaymentState::Declined { code, .. } if code == expected),
                "{state:?}"
            );
        }
    }

    #[test]
    fn refunds_are_read_from_the_expanded_charge_and_never_guessed() {
        let partly = payment(json!({
            "status": "succeeded",
            "latest_charge": {"id": "ch_1", "amount_refunded": 400},
        }));
        assert_eq!(
            partly.unwrap().refunded,
            Money::from_minor(400, Currency::INR)
        );
        for unexpanded in [json!("ch_1"), json!(null)] {
            let error = payment(json!({"status": "succeeded", "latest_charge": unexpanded}));
            assert!(
                matches!(error, Err(GatewayError::Unreadable(_))),
                "{error:?}"
            );
        }
        // A failed charge is named by its id inside an error, and nothing of it can be refunded.
        let declined = payment(json!({"latest_charge": "ch_1"})).unwrap();
        assert_eq!(declined.refunded.minor(), 0);
    }

    #[test]
    fn a_currency_outside_the_contract_is_unreadable() {
        let error = payment(json!({"currency": "jpy"})).unwrap_err();
        assert!(error.to_string().contains("jpy"), "{error}");
    }

    #[test]
    fn a_failed_refund_is_no_refund() {
        let refund = |status: &str| {
            let refund = json!({"id": "re_1", "amount": 5, "currency": "usd", "status": status});
            serde_json::from_value::<Refund>(refund)
                .unwrap()
                .into_refund()
        };
        assert_eq!(
            refund("pending").unwrap().amount,
            Money::from_minor(5, Currency::USD)
        );
        assert_eq!(refund("succeeded").unwrap().id, "re_1");
        assert!(matches!(
            refund("failed"),
            Err(GatewayError::Refused { .. })
        ));
    }
}
