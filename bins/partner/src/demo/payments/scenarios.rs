//! The demo's traffic: what goes in, what goes wrong on the way, and what must come out.

use std::time::Duration;

use partner_core::error::ErrorCode;
use partner_local::fulfillment::{FulfillmentFault, FulfillmentFaultMode};
use partner_local::gateway::{Fault, FaultMode};
use serde_json::{Value, json};

/// The buyer of every order.
pub(crate) const USER: &str = "user-demo";
/// Where the buyer's mail goes.
pub(crate) const EMAIL: &str = "ana@example.com";
/// How many of its article each order finds in stock.
pub(crate) const STOCK: i32 = 3;

/// What happens to an order on its way.
#[derive(Debug, Clone, Default)]
pub(crate) enum Event {
    /// Nothing.
    #[default]
    Nothing,
    /// Its workflow is started a second time at once.
    StartedTwice,
    /// The buyer cancels before the charge.
    CancelledBeforeCharge,
    /// The buyer cancels while it is being handed over.
    CancelledAfterCharge,
    /// The buyer tries again after the decline.
    RetriedAfterDecline,
    /// The gateway does this.
    Gateway(Fault),
    /// The fulfilment service does this.
    Fulfillment(FulfillmentFault),
}

/// How an order must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Paid.
    Paid,
    /// Failed, with this code.
    Failed(ErrorCode),
}

/// One order and what must come of it.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) order_id: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: &'static str,
    pub(crate) quantity: i32,
    pub(crate) input: Value,
    pub(crate) event: Event,
    pub(crate) outcome: Outcome,
    pub(crate) order_status: &'static str,
    /// How the subjects of the buyer's mails end.
    pub(crate) mails: &'static [&'static str],
}

const PAID: &str = "is paid";
const NOT_PAID: &str = "could not be paid";
const CANCELLED: &str = "is cancelled";

impl Scenario {
    fn new(
        number: usize,
        name: &'static str,
        amount: &str,
        currency: &'static str,
        method: &str,
    ) -> Self {
        let order_id = format!("order-{number:02}");
        let amount: Value = serde_json::from_str(amount).unwrap_or_default();
        let input = json!({
            "orderId": order_id, "userId": USER, "amount": amount, "currency": currency, "paymentMethod": method,
        });
        Self {
            name,
            order_id,
            amount_minor: 4_999,
            currency,
            quantity: 1,
            input,
            event: Event::Nothing,
            outcome: Outcome::Paid,
            order_status: "paid",
            mails: &[PAID],
        }
    }

    fn during(self, event: Event) -> Self {
        Self { event, ..self }
    }

    fn fails(
        self,
        code: ErrorCode,
        order_status: &'static str,
        mails: &'static [&'static str],
    ) -> Self {
        Self {
            outcome: Outcome::Failed(code),
            order_status,
            mails,
            ..self
        }
    }

    /// Refused before anything was touched.
    fn refused(self) -> Self {
        self.fails(ErrorCode::ValidationError, "pending", &[])
    }

    fn with_retry_window(mut self) -> Self {
        self.input["retryWindowSeconds"] = json!(600);
        self
    }
}

/// Every order of the demo.
pub(crate) fn all() -> Vec<Scenario> {
    let mut scenarios = paid();
    scenarios.extend(refused(scenarios.len()));
    scenarios.extend(troubled(scenarios.len()));
    scenarios
}

fn paid() -> Vec<Scenario> {
    [
        ("card, USD", "USD", "card"),
        ("UPI, INR", "INR", "upi"),
        ("wallet, EUR", "EUR", "wallet"),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, (name, currency, method))| {
        Scenario::new(index + 1, name, "49.99", currency, method)
    })
    .collect()
}

fn refused(before: usize) -> Vec<Scenario> {
    let table = [
        ("amount 0", "0", "USD"),
        ("negative amount", "-49.99", "USD"),
        ("too many decimals", "49.999", "USD"),
        ("another amount than the order's", "4.99", "USD"),
        ("unknown currency", "49.99", "GBP"),
    ];
    table
        .into_iter()
        .enumerate()
        .map(|(index, (name, amount, currency))| {
            let mut scenario =
                Scenario::new(before + index + 1, name, amount, currency, "card").refused();
            scenario.currency = "USD";
            scenario
        })
        .collect()
}

fn troubled(before: usize) -> Vec<Scenario> {
    let gateway = |mode| Event::Gateway(Fault::once(mode));
    let code = "insufficient_funds".to_owned();
    let declined = gateway(FaultMode::Decline { code });
    let fulfillment = |mode, times| {
        Event::Fulfillment(FulfillmentFault {
            mode,
            times: Some(times),
            delay_ms: None,
        })
    };
    // The confirmation goes out at the same time as the request for fulfilment.
    let undeliverable = |scenario: Scenario| {
        scenario.fails(
            ErrorCode::ExternalServiceError,
            "payment_failed",
            &[NOT_PAID, PAID],
        )
    };
    let mut number = before;
    let mut order = |name| {
        number += 1;
        Scenario::new(number, name, "49.99", "USD", "card")
    };
    let mut out_of_stock = order("out of stock").fails(
        ErrorCode::InventoryUnavailable,
        "payment_failed",
        &[NOT_PAID],
    );
    out_of_stock.quantity = STOCK + 1;
    vec![
        order("declined").during(declined).fails(
            ErrorCode::PaymentFailed,
            "payment_failed",
            &[NOT_PAID],
        ),
        order("declined, then tried again")
            .during(Event::RetriedAfterDecline)
            .with_retry_window(),
        out_of_stock,
        order("started twice").during(Event::StartedTwice),
        order("gateway drops the connection after charging")
            .during(gateway(FaultMode::DropAfterCommit)),
        order("gateway answers 500 after charging").during(gateway(FaultMode::ErrorAfterCommit)),
        order("gateway slower than the timeout").during(gateway(FaultMode::Slow {
            delay: Duration::from_secs(4),
        })),
        undeliverable(
            order("fulfilment refuses").during(fulfillment(FulfillmentFaultMode::Refuse, 1)),
        ),
        // As long as every attempt lasts; then it answers again, and is told to forget the order.
        undeliverable(
            order("fulfilment is down").during(fulfillment(FulfillmentFaultMode::Unavailable, 5)),
        ),
        order("cancelled before the charge")
            .during(Event::CancelledBeforeCharge)
            .fails(ErrorCode::Cancelled, "cancelled", &[CANCELLED]),
        order("cancelled after the charge")
            .during(Event::CancelledAfterCharge)
            .fails(ErrorCode::Cancelled, "refunded", &[CANCELLED, PAID]),
    ]
}
