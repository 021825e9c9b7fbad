//! An order to pay, and what must have come of it.

use partner_core::client::Process;
use partner_local::shop::NewOrder;
use serde_json::{Value, json};

use crate::support::{Host, Stage};

/// The workflow that pays it.
pub(crate) const WORKFLOW: &str = "processPaymentWorkflow";

/// What every order costs, in minor units.
const AMOUNT: i64 = 4_999;

/// How many of its article every order finds in stock.
const STOCK: i32 = 3;

impl Stage {
    /// A stage with an order, a buyer and an article, all of the stage's name. Nothing pays it yet.
    pub(crate) async fn with_order(host: &'static Host, name: &str) -> Self {
        let stage = Self::new(host, name).await;
        stage.add_user("active").await;
        stage
            .shop()
            .add_stock(name, STOCK)
            .await
            .expect("a new article");
        let order = NewOrder {
            id: name,
            user_id: name,
            amount_minor: AMOUNT,
            currency: "USD",
            sku: name,
            quantity: 1,
        };
        stage.shop().place(&order).await.expect("a new order");
        stage
    }

    /// Starts the payment.
    pub(crate) async fn pay(&self) -> Process {
        let input = json!({
            "orderId": self.name, "userId": self.name, "amount": 49.99, "currency": "USD", "paymentMethod": "card",
        });
        self.start(WORKFLOW, "payment", &input).await
    }

    /// Waits for the payment's end, and counts money, stock and goods from outside.
    pub(crate) async fn expect_paid_once(&self, process: &Process) {
        let name = &self.name;
        let result = self.result(process).await;
        let payments = self.platform().gateway.payments_of(name);
        let [payment] = payments.as_slice() else {
            panic!("{name}: {payments:?}")
        };
        assert_eq!(
            (payment.times_charged, payment.received, payment.refunded),
            (1, AMOUNT, 0),
            "{name}"
        );
        assert_eq!(
            result["transactionId"],
            Value::from(payment.id.as_str()),
            "{name}"
        );
        let order = self.shop().order(name).await.expect("the order");
        assert_eq!(
            (order.status.as_str(), order.transaction_id),
            ("paid", Some(payment.id.clone())),
            "{name}"
        );
        let stock = self.shop().stock(name).await.expect("the article");
        assert_eq!((stock.on_hand, stock.reserved), (STOCK - 1, 0), "{name}");
        let goods = self
            .platform()
            .fulfillment
            .order(name)
            .expect("the order is handed over");
        assert!(
            goods.request.is_some() && !goods.cancelled,
            "{name}: {goods:?}"
        );
    }

    /// The buyer was told once, and what is true.
    pub(crate) fn expect_one_mail(&self) {
        assert_eq!(
            self.subjects(),
            [format!("Your order {} is paid", self.name)]
        );
    }
}
