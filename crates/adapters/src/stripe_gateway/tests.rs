//! The adapter against a scripted server: every status class.

use partner_core::money::Currency;
use serde_json::{Value, json};
use wiremock::matchers::{any, body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::testing::{LONG, Misbehaviour, SHORT, closed_port, http_at, intent, misbehaving_server};

const KEY: &str = "sk_test_very_secret";
const FIVE: Money = Money::from_minor(500, Currency::EUR);

fn gateway_within(base_url: Url, timeout: Duration) -> StripeGateway {
    let config = StripeConfig {
        connect_timeout: LONG,
        timeout,
        ..StripeConfig::new(base_url, SecretString::from(KEY))
    };
    StripeGateway::new(config).unwrap()
}

fn gateway(server: &MockServer) -> StripeGateway {
    gateway_within(Url::parse(&server.uri()).unwrap(), LONG)
}

fn new_payment(method: PaymentMethod) -> NewPayment {
    NewPayment {
        reference: "charge:order-1".to_owned(),
        idempotency_key: "create-order-1".to_owned(),
        amount: Money::from_minor(99_999, Currency::USD),
        method,
        user_id: "ana@example.com".to_owned(),
        stored_method: None,
        subject: PaymentSubject::Order {
            order_id: "order-1".to_owned(),
        },
    }
}

fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

async fn answering(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(answer(status, &body))
        .mount(&server)
        .await;
    server
}

fn card_error(payment_intent: Option<Value>) -> Value {
    let mut body = json!({"error": {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
    }});
    if let Some(payment_intent) = payment_intent {
        body["error"]["payment_intent"] = payment_intent;
    }
    body
}

fn insufficient_funds() -> PaymentState {
    PaymentState::Declined {
        code: "insufficient_funds".to_owned(),
        message: "Your card has insufficient funds.".to_owned(),
    }
}

async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[tokio::test]
async fn creating_sends_minor_units_references_and_the_key_and_charges_nothing() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/payment_intents"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .and(header("idempotency-key", "create-order-1"))
        .and(header("stripe-version", API_VERSION))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string(
            "amount=99999&currency=usd&confirm=false&capture_method=automatic\
             &payment_method=pm_card_visa&payment_method_types%5B%5D=card\
             &metadata%5Breference%5D=charge%3Aorder-1&metadata%5Buser_id%5D=ana%40example.com\
             &metadata%5Border_id%5D=order-1&expand%5B%5D=latest_charge",
        ))
        .respond_with(answer(
            200,
            &intent("pi_1", "requires_confirmation", "charge:order-1"),
        ))
        .expect(1)
        .mount(&server)
        .await;
    let created = gateway(&server)
        .create_payment(&new_payment(PaymentMethod::Card))
        .await
        .unwrap();
    assert_eq!(
        created,
        GatewayPayment {
            id: "pi_1".to_owned(),
            reference: Some("charge:order-1".to_owned()),
            amount: FIVE,
            refunded: Money::from_minor(0, Currency::EUR),
            state: PaymentState::RequiresConfirmation,
        }
    );
}

#[tokio::test]
async fn each_method_of_the_contract_has_its_payment_method() {
    for (method, expected) in [
        (
            PaymentMethod::Card,
            "payment_method=pm_c&payment_method_types%5B%5D=card&",
        ),
        (
            PaymentMethod::Upi,
            "payment_method=pm_u&payment_method_types%5B%5D=upi&",
        ),
        (
            PaymentMethod::Wallet,
            "payment_method=pm_w&payment_method_types%5B%5D=card&",
        ),
    ] {
        let server = answering(200, intent("pi_1", "requires_confirmation", "r")).await;
        let mut config = StripeConfig::new(Url::parse(&server.uri()).unwrap(), KEY.into());
        config.payment_methods = StripePaymentMethods {
            card: "pm_c".to_owned(),
            upi: "pm_u".to_owned(),
            wallet: "pm_w".to_owned(),
        };
        let gateway = StripeGateway::new(config).unwrap();
        gateway.create_payment(&new_payment(method)).await.unwrap();
        let body = String::from_utf8(only_request(&server).await.body).unwrap();
        assert!(body.contains(expected), "{body}");
    }
}

#[tokio::test]
async fn confirming_captures_and_cancels_by_id_under_its_key() {
    let server = MockServer::start().await;
    for (action, form) in [
        (
            "confirm",
            "error_on_requires_action=true&expand%5B%5D=latest_charge",
        ),
        (
            "capture",
            "expand%5B%5D=latest_charge&amount_to_capture=500",
        ),
        ("cancel", "expand%5B%5D=latest_charge"),
    ] {
        Mock::given(method("POST"))
            .and(path(format!("/v1/payment_intents/pi_1/{action}")))
            .and(header("idempotency-key", format!("{action}-1")))
            .and(header("authorization", format!("Bearer {KEY}")))
            .and(body_string(form))
            .respond_with(answer(200, &intent("pi_1", "succeeded", "r")))
            .expect(1)
            .mount(&server)
            .await;
    }
    let gateway = gateway(&server);
    let confirmed = gateway
        .confirm_payment("pi_1", Presence::Present, "confirm-1")
        .await
        .unwrap();
    assert_eq!(confirmed.state, PaymentState::Succeeded);
    gateway
        .capture_payment("pi_1", Some(FIVE), "capture-1")
        .await
        .unwrap();
    gateway.cancel_payment("pi_1", "cancel-1").await.unwrap();
}

#[tokio::test]
async fn capturing_wholly_names_no_amount() {
    let server = answering(200, intent("pi_1", "succeeded", "r")).await;
    gateway(&server)
        .capture_payment("pi_1", None, "k")
        .await
        .unwrap();
    assert_eq!(
        only_request(&server).await.body,
        b"expand%5B%5D=latest_charge"
    );
}

#[tokio::test]
async fn refunding_names_the_payment_and_the_amount() {
    let server = MockServer::start().await;
    let refund = json!({"id": "re_1", "amount": 500, "currency": "eur", "status": "succeeded"});
    Mock::given(method("POST"))
        .and(path("/v1/refunds"))
        .and(header("idempotency-key", "refund-1"))
        .and(body_string("payment_intent=pi_1&amount=500"))
        .respond_with(answer(200, &refund))
        .expect(1)
        .mount(&server)
        .await;
    let refund = gateway(&server)
        .refund_payment("pi_1", FIVE, "refund-1")
        .await
        .unwrap();
    assert_eq!((refund.id.as_str(), refund.amount), ("re_1", FIVE));
}

#[tokio::test]
async fn retrieving_expands_the_charge_to_learn_what_was_refunded() {
    let server = MockServer::start().await;
    let mut partly_refunded = intent("pi_1", "succeeded", "r");
    partly_refunded["latest_charge"]["amount_refunded"] = json!(200);
    Mock::given(method("GET"))
        .and(path("/v1/payment_intents/pi_1"))
        .and(query_param("expand[]", "latest_charge"))
        .respond_with(answer(200, &partly_refunded))
        .expect(1)
        .mount(&server)
        .await;
    let payment = gateway(&server).retrieve_payment("pi_1").await.unwrap();
    assert_eq!(payment.refunded, Money::from_minor(200, Currency::EUR));
}

#[tokio::test]
async fn a_declined_confirmation_is_a_state_and_not_an_error() {
    for status in ["requires_payment_method", "requires_confirmation"] {
        let declined = card_error(Some(intent("pi_1", status, "r")));
        let server = answering(402, declined).await;
        let payment = gateway(&server)
            .confirm_payment("pi_1", Presence::Present, "k")
            .await
            .unwrap();
        assert_eq!(
            (payment.id.as_str(), payment.state),
            ("pi_1", insufficient_funds())
        );
    }
}

#[tokio::test]
async fn a_decline_without_its_payment_looks_the_payment_up() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(answer(402, &card_error(None)))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/v1/payment_intents/pi_1"))
        .respond_with(answer(200, &intent("pi_1", "requires_payment_method", "r")))
        .expect(1)
        .mount(&server)
        .await;
    let payment = gateway(&server)
        .confirm_payment("pi_1", Presence::Present, "k")
        .await
        .unwrap();
    assert_eq!(payment.state, insufficient_funds());
    assert_eq!(payment.reference.as_deref(), Some("r"));
}

#[tokio::test]
async fn a_decline_never_hides_that_the_payment_is_charged() {
    let server = answering(402, card_error(Some(intent("pi_1", "succeeded", "r")))).await;
    let payment = gateway(&server)
        .confirm_payment("pi_1", Presence::Present, "k")
        .await
        .unwrap();
    assert_eq!(payment.state, PaymentState::Succeeded);
}

#[tokio::test]
async fn confirming_twice_is_an_unexpected_state() {
    let body = json!({"error": {
        "type": "invalid_request_error",
        "code": "payment_intent_unexpected_state",
        "message": "already succeeded",
        "payment_intent": intent("pi_1", "succeeded", "r"),
    }});
    let server = answering(400, body).await;
    let error = gateway(&server)
        .confirm_payment("pi_1", Presence::Present, "k")
        .await
        .unwrap_err();
    assert!(
        matches!(error, GatewayError::UnexpectedState { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn rate_limits_carry_how_long_to_wait() {
    let server = MockServer::start().await;
    let limited = answer(429, &json!({})).insert_header("retry-after", "3");
    Mock::given(any())
        .respond_with(limited)
        .mount(&server)
        .await;
    let error = gateway(&server).retrieve_payment("pi_1").await.unwrap_err();
    let wait = Some(Duration::from_secs(3));
    assert!(
        matches!(error, GatewayError::RateLimited { retry_after } if retry_after == wait),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_success_that_cannot_be_read_leaves_the_outcome_open() {
    for body in ["", "<html>", "{}", "{\"id\": \"pi_1\", \"amount\": 1.5}"] {
        let server = MockServer::start().await;
        let unreadable = ResponseTemplate::new(200).set_body_string(body);
        Mock::given(any())
            .respond_with(unreadable)
            .mount(&server)
            .await;
        let error = gateway(&server)
            .confirm_payment("pi_1", Presence::Present, "k")
            .await
            .unwrap_err();
        assert!(
            matches!(error, GatewayError::Unreadable(_)),
            "{body}: {error:?}"
        );
    }
}

#[tokio::test]
async fn no_answer_is_no_answer() {
    for (url, timeout) in [
        (http_at(closed_port()), LONG),
        (misbehaving_server(Misbehaviour::Drop), LONG),
        (misbehaving_server(Misbehaviour::HalfAnAnswer), LONG),
        (misbehaving_server(Misbehaviour::Silence), SHORT),
    ] {
        let gateway = gateway_within(url, timeout);
        for error in [
            gateway
                .confirm_payment("pi_1", Presence::Present, "k")
                .await
                .unwrap_err(),
            gateway.find_payment("r").await.unwrap_err(),
        ] {
            assert!(matches!(error, GatewayError::NoAnswer(_)), "{error:?}");
            // The address can carry a reference.
            assert!(!error.to_string().contains("http://"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_a_request_is_refused_unsent() {
    let server = MockServer::start().await;
    let gateway = gateway(&server);
    for id in ["", "..", "pi_1/confirm", "pi_1?x", "pi 1", "pi_ü"] {
        let error = gateway
            .confirm_payment(id, Presence::Present, "k")
            .await
            .unwrap_err();
        assert!(
            matches!(error, GatewayError::Refused { .. }),
            "{id}: {error:?}"
        );
    }
    let error = gateway
        .confirm_payment("pi_1", Presence::Present, "two\nlines")
        .await
        .unwrap_err();
    assert!(matches!(error, GatewayError::Refused { .. }), "{error:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_api_key_never_shows() {
    let echo = json!({"error": {"message": format!("Invalid API Key provided: {KEY}")}});
    for status in [400, 401, 402, 404, 409, 500] {
        let server = answering(status, echo.clone()).await;
        let gateway = gateway(&server);
        let error = gateway
            .confirm_payment("pi_1", Presence::Present, "k")
            .await
            .unwrap_err();
        let config = StripeConfig::new(Url::parse(&server.uri()).unwrap(), KEY.into());
        let shown = format!("{error} {error:?} {gateway:?} {config:?}");
        assert!(!shown.contains(KEY), "{shown}");
    }
    let unreachable = gateway_within(http_at(closed_port()), LONG);
    let error = unreachable.retrieve_payment("pi_1").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(KEY));
}
