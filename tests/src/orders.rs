//! Orders to pay, and how their payments end.

use anyhow::{Result, ensure};
use partner_core::client::Process;
use partner_core::error::ErrorCode;
use partner_local::shop::NewOrder;
use serde_json::{Value, json};
use temporalio_client::{
    UntypedSignal, WorkflowIdReusePolicy, WorkflowStartOptions, WorkflowTerminateOptions,
};
use temporalio_common::UntypedWorkflow;
use temporalio_common::data_converters::RawValue;

use crate::books::Books;
use crate::stage::{Stage, TASK_QUEUE, payload};

/// The workflow that collects their payments.
pub const WORKFLOW: &str = "processPaymentWorkflow";
/// What every order costs, in minor units.
pub const PRICE: i64 = 1_999;
/// How many of its article each order finds in stock; it takes one.
pub const STOCK: i32 = 3;

/// An order to pay.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The buyer.
    pub user_id: String,
    /// Where the buyer's mail goes.
    pub email: String,
    /// The article.
    pub sku: String,
}

impl Order {
    /// The contract's id of the workflow that collects its payment.
    pub fn workflow_id(&self) -> String {
        format!("payment-{}", self.id)
    }

    /// The workflow's input.
    pub fn input(&self) -> Value {
        json!({
            "orderId": self.id,
            "userId": self.user_id,
            "amount": 19.99,
            "currency": "EUR",
            "paymentMethod": "card",
        })
    }

    /// The same with other fields over it.
    pub fn input_with(&self, fields: &Value) -> Value {
        let mut input = self.input();
        for (name, value) in fields.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        input
    }
}

impl Stage {
    /// Places an order of a new buyer for a new article.
    pub async fn order(&self, name: &str) -> Result<Order> {
        let sku = self.unique("sku");
        self.shop.add_stock(&sku, STOCK).await?;
        self.order_of(name, &sku).await
    }

    /// Places an order of a new buyer for this article.
    pub async fn order_of(&self, name: &str, sku: &str) -> Result<Order> {
        let id = self.unique(name);
        let order = Order {
            user_id: format!("user-of-{id}"),
            email: format!("{id}@example.com"),
            sku: sku.to_owned(),
            id,
        };
        self.shop
            .add_user(&order.user_id, &order.email, "Ana")
            .await?;
        let new = NewOrder {
            id: &order.id,
            user_id: &order.user_id,
            amount_minor: PRICE,
            currency: "EUR",
            sku,
            quantity: 1,
        };
        self.shop.place(&new).await?;
        Ok(order)
    }

    /// Starts collecting an order's payment.
    pub async fn pay(&self, order: &Order) -> Result<Process> {
        self.pay_with(order, &order.input()).await
    }

    /// Starts collecting an order's payment with this input.
    pub async fn pay_with(&self, order: &Order, input: &Value) -> Result<Process> {
        self.start(WORKFLOW, &order.workflow_id(), input).await
    }

    /// Starts an order's workflow once more, whatever became of the run before, with these fields
    /// over its input.
    pub async fn pay_again(&self, order: &Order, fields: &Value) -> Result<Process> {
        let input = vec![payload(&order.input_with(fields))];
        self.start_raw(WORKFLOW, &order.workflow_id(), input, |_| {})
            .await
    }

    /// Starts an order's workflow once more, whatever became of the run before, with a signal that is
    /// there before it begins.
    pub async fn pay_again_with_signal(&self, order: &Order, signal: &str) -> Result<Process> {
        let id = order.workflow_id();
        let options = WorkflowStartOptions::new(TASK_QUEUE, id.clone())
            .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
            .build();
        let input = RawValue::new(vec![payload(&order.input())]);
        let workflow = UntypedWorkflow::new(WORKFLOW);
        let nothing = RawValue::new(Vec::new());
        let temporal = self.client.temporal();
        temporal
            .signal_with_start_workflow(
                workflow,
                input,
                UntypedSignal::new(signal),
                nothing,
                options,
            )
            .await?;
        Ok(self.client.process(&id))
    }

    /// Ends an order's workflow as an operator would who gives it up.
    pub async fn terminate(&self, order: &Order) -> Result<()> {
        let handle = self
            .client
            .temporal()
            .get_workflow_handle::<UntypedWorkflow>(order.workflow_id());
        handle
            .terminate(WorkflowTerminateOptions::default())
            .await?;
        Ok(())
    }

    /// Starts an order's workflow on a server that skips the time in which nothing happens.
    pub async fn pay_skipping_time(&self, order: &Order, input: &Value) -> Result<Process> {
        self.start_skipping_time(WORKFLOW, &order.workflow_id(), input)
            .await
    }

    /// Waits for the end of an order's workflow, which must fail so and leave these books.
    pub async fn fails(
        &self,
        order: &Order,
        process: &Process,
        code: ErrorCode,
        books: &Books,
    ) -> Result<String> {
        let message = self.failure(process, code).await?;
        self.has(order, books).await?;
        Ok(message)
    }

    /// Waits for the end of an order's workflow, which must complete and leave these books.
    pub async fn completes(
        &self,
        order: &Order,
        process: &Process,
        books: &Books,
    ) -> Result<Value> {
        let result = self.result(process).await?;
        self.has(order, books).await?;
        Ok(result)
    }

    /// Waits for the end of an order's workflow, which must close as cancelled and leave these books.
    pub async fn is_cancelled(
        &self,
        order: &Order,
        process: &Process,
        books: &Books,
    ) -> Result<()> {
        self.cancelled(process).await?;
        self.has(order, books).await
    }

    /// Checks what an order came to.
    pub async fn has(&self, order: &Order, books: &Books) -> Result<()> {
        let found = Books::of(self, order).await?;
        ensure!(
            found == *books,
            "{}: expected {books:#?}, found {found:#?}",
            order.id
        );
        Ok(())
    }
}
