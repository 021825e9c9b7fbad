//! The world around the activities: a database, the simulators, and the activities themselves.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use partner_adapters::{HttpFulfillment, HttpFulfillmentConfig, StripeConfig, StripeGateway};
use partner_core::money::{Amount, Currency, Money};
use partner_core::ports::payment_gateway::PaymentMethod;
use partner_core::wire::Wire;
use partner_local::fulfillment::{FulfillmentOptions, FulfillmentSimulator};
use partner_local::gateway::{GatewayOptions, GatewaySimulator, Operation};
use partner_payment::BillingSettings;
use partner_payment::activities::OrderResult;
use partner_payment::activities::fulfillment::FulfillmentActivities;
use partner_payment::activities::gateway::{
    GatewayActivities, LookupPaymentInput, ProcessPaymentGatewayInput, ProcessPaymentGatewayResult,
    RefundPaymentInput, RefundPaymentResult,
};
use partner_payment::activities::inventory::{
    InventoryActivities, ReleaseInventoryInput, ReserveInventoryInput,
};
use partner_payment::activities::order::{
    OrderActivities, UpdateOrderStatusInput, UpdateOrderStatusResult,
};
use partner_payment::activities::subscription::SubscriptionActivities;
use partner_payment::activities::validation::ValidationActivities;
use partner_payment::ledger::ChargeLedger;
use partner_payment::model::OrderStatus;
use partner_payment::repository::{
    ChargeRepository, InventoryRepository, OrderRepository, SubscriptionRepository,
};
use partner_payment::settings::Schedule;
use sqlx::PgPool;
use temporalio_sdk::activities::ActivityError;
use url::Url;

use crate::database::fresh_database;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often something is tried again.
const POLL: Duration = Duration::from_millis(20);

/// The buyer of every order that names no other.
pub(crate) const BUYER: &str = "ana";

/// What every order costs: 12.50 USD.
pub(crate) const PRICE: i64 = 1_250;

/// How the tests bill.
pub(crate) const BILLING: BillingSettings = BillingSettings {
    schedule: Schedule::Caller,
    retry_days: [3, 5],
    suspension_window: Duration::from_hours(30 * 24),
};

/// How an activity ends.
pub(crate) type Answer<T> = Result<T, ActivityError>;

/// The activities, and everything that they reach.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) gateway: GatewaySimulator,
    pub(crate) fulfillment: FulfillmentSimulator,
    pub(crate) stripe: StripeGateway,
    pub(crate) validation: ValidationActivities,
    pub(crate) inventory: InventoryActivities,
    pub(crate) payments: GatewayActivities,
    pub(crate) orders: OrderActivities,
    pub(crate) handover: FulfillmentActivities,
    pub(crate) subscriptions: SubscriptionActivities,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        Self::with_client_timeout(PATIENCE).await
    }

    /// One whose clients of the gateway and of the fulfilment service give up this soon.
    pub(crate) async fn with_client_timeout(timeout: Duration) -> Result<Self> {
        let pool = fresh_database().await?;
        let gateway = GatewaySimulator::start(GatewayOptions::default()).await?;
        let fulfillment = FulfillmentSimulator::start(FulfillmentOptions::default()).await?;
        let stripe = StripeGateway::new(StripeConfig {
            timeout,
            ..StripeConfig::new(Url::parse(gateway.url())?, gateway.api_key().into())
        })?;
        let http = HttpFulfillment::new(HttpFulfillmentConfig {
            base_url: Url::parse(fulfillment.url())?,
            token: fulfillment.token().into(),
            connect_timeout: PATIENCE,
            timeout,
        })?;
        let orders = OrderRepository::new(pool.clone());
        let charges = ChargeRepository::new(pool.clone());
        let ledger =
            ChargeLedger::new(charges.clone(), Arc::new(stripe.clone()), BILLING.dunning());
        Ok(Self {
            validation: ValidationActivities {
                orders: orders.clone(),
            },
            inventory: InventoryActivities {
                inventory: InventoryRepository::new(pool.clone()),
                reservation_ttl: Duration::from_mins(10),
            },
            payments: GatewayActivities {
                ledger: ledger.clone(),
            },
            orders: OrderActivities {
                orders: orders.clone(),
            },
            handover: FulfillmentActivities {
                orders,
                fulfillment: Arc::new(http),
            },
            subscriptions: SubscriptionActivities {
                subscriptions: SubscriptionRepository::new(pool.clone()),
                charges,
                ledger,
                settings: BILLING,
            },
            pool,
            gateway,
            fulfillment,
            stripe,
        })
    }

    /// Puts so many of an article on the shelf.
    pub(crate) async fn stock(&self, sku: &str, on_hand: i32) -> Result<()> {
        sqlx::query("INSERT INTO inventory (sku, on_hand) VALUES ($1, $2)")
            .bind(sku)
            .bind(on_hand)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A pending order of these articles.
    pub(crate) async fn order(&self, id: &str, lines: &[(&str, i32)]) -> Result<()> {
        sqlx::query(
            "INSERT INTO orders (id, user_id, amount_minor, currency) VALUES ($1, $2, $3, 'USD')",
        )
        .bind(id)
        .bind(BUYER)
        .bind(PRICE)
        .execute(&self.pool)
        .await?;
        for (sku, quantity) in lines {
            sqlx::query(
                "INSERT INTO order_items (order_id, sku, quantity, unit_price_minor) VALUES ($1, $2, $3, 1)",
            )
            .bind(id)
            .bind(sku)
            .bind(quantity)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    pub(crate) async fn reserve(&self, order_id: &str) -> Answer<OrderResult> {
        let input = ReserveInventoryInput {
            order_id: order_id.to_owned(),
            user_id: BUYER.to_owned(),
        };
        self.inventory.reserve(input.into()).await
    }

    pub(crate) async fn release(&self, order_id: &str) -> Answer<OrderResult> {
        self.inventory
            .release(
                ReleaseInventoryInput {
                    order_id: order_id.to_owned(),
                }
                .into(),
            )
            .await
    }

    /// Charges an attempt of an order.
    pub(crate) async fn charge(
        &self,
        order_id: &str,
        attempt: u32,
    ) -> Answer<ProcessPaymentGatewayResult> {
        self.payments
            .charge(charge_input(order_id, attempt).into())
            .await
    }

    /// Charges the first attempt of an order, which nothing gets in the way of.
    pub(crate) async fn charged(&self, order_id: &str) -> Result<String> {
        let result = done(self.charge(order_id, 1).await)?;
        result.transaction_id.context("nothing was charged")
    }

    pub(crate) async fn lookup(
        &self,
        order_id: &str,
        attempt: u32,
    ) -> Answer<ProcessPaymentGatewayResult> {
        self.payments
            .lookup(
                LookupPaymentInput {
                    order_id: order_id.to_owned(),
                    attempt,
                }
                .into(),
            )
            .await
    }

    pub(crate) async fn refund(&self, order_id: &str) -> Answer<RefundPaymentResult> {
        let input = RefundPaymentInput {
            order_id: order_id.to_owned(),
            reason: "a test".to_owned(),
        };
        self.payments.refund(input.into()).await
    }

    pub(crate) async fn set_status(
        &self,
        order_id: &str,
        status: OrderStatus,
        transaction_id: Option<&str>,
    ) -> Answer<UpdateOrderStatusResult> {
        let input = UpdateOrderStatusInput {
            order_id: order_id.to_owned(),
            status,
            transaction_id: transaction_id.map(str::to_owned),
            error_message: None,
        };
        self.orders.update(input.into()).await
    }

    /// Charges an order and marks it paid.
    pub(crate) async fn paid(&self, order_id: &str) -> Result<String> {
        let transaction_id = self.charged(order_id).await?;
        done(
            self.set_status(order_id, OrderStatus::Paid, Some(&transaction_id))
                .await,
        )?;
        Ok(transaction_id)
    }

    /// A text column of one row.
    pub(crate) async fn text(&self, query: &'static str, id: &str) -> Result<String> {
        Ok(sqlx::query_scalar(query)
            .bind(id)
            .fetch_one(&self.pool)
            .await?)
    }

    pub(crate) async fn order_status(&self, order_id: &str) -> Result<String> {
        self.text("SELECT status FROM orders WHERE id = $1", order_id)
            .await
    }

    /// How many times the issuer approved a charge of the order, over all its payments.
    pub(crate) fn times_charged(&self, order_id: &str) -> usize {
        let payments = self.gateway.payments_of(order_id);
        payments.iter().map(|payment| payment.times_charged).sum()
    }

    /// What was taken for the order and not given back.
    pub(crate) fn kept(&self, order_id: &str) -> i64 {
        let payments = self.gateway.payments_of(order_id);
        payments
            .iter()
            .map(|payment| payment.received - payment.refunded)
            .sum()
    }

    /// How many calls of this kind the gateway got.
    pub(crate) fn calls(&self, operation: Operation) -> u64 {
        self.gateway
            .summary()
            .requests
            .get(&operation)
            .copied()
            .unwrap_or(0)
    }
}

/// The charge of an attempt, as the workflow asks for it.
pub(crate) fn charge_input(order_id: &str, attempt: u32) -> ProcessPaymentGatewayInput {
    ProcessPaymentGatewayInput {
        order_id: order_id.to_owned(),
        amount: price(),
        currency: Currency::USD,
        payment_method: PaymentMethod::Card,
        user_id: BUYER.to_owned(),
        attempt,
    }
}

pub(crate) fn price() -> Amount {
    Money::from_minor(PRICE, Currency::USD).amount()
}

/// An input as JSON has it.
pub(crate) fn json<T: serde::de::DeserializeOwned>(json: &str) -> Wire<T> {
    Wire::from_json(json.as_bytes())
}

/// A failure as Temporal records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) code: String,
    pub(crate) retryable: bool,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) message: String,
}

impl Failed {
    fn read(error: &ActivityError) -> Result<Self> {
        let ActivityError::Application(failure) = error else {
            bail!("not an application failure: {error:?}");
        };
        Ok(Self {
            code: failure
                .type_name()
                .context("a failure without a type")?
                .to_owned(),
            retryable: !failure.is_non_retryable(),
            retry_after: failure.next_retry_delay(),
            message: failure.to_string(),
        })
    }

    /// The code, and whether Temporal tries again.
    pub(crate) fn is(&self, code: &str, retryable: bool) -> Result<()> {
        ensure!(
            self.code == code && self.retryable == retryable,
            "expected {code}, retryable {retryable}, got {self:?}"
        );
        Ok(())
    }
}

/// The result of an activity that must succeed.
pub(crate) fn done<T>(answer: Answer<T>) -> Result<T> {
    answer.map_err(|error| anyhow!("the activity failed: {error:?}"))
}

/// The failure of an activity that must fail.
pub(crate) fn failed<T: Debug>(answer: Answer<T>) -> Result<Failed> {
    match answer {
        Ok(result) => Err(anyhow!("the activity succeeded: {result:?}")),
        Err(error) => Failed::read(&error),
    }
}

/// Repeats an activity until it succeeds, as Temporal does; every failure must be worth it.
pub(crate) async fn until_done<T>(activity: impl AsyncFn() -> Answer<T>) -> Result<T> {
    let repeat = async {
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            match activity().await {
                Ok(result) => return Ok(result),
                Err(error) => {
                    let failure = Failed::read(&error)?;
                    ensure!(failure.retryable, "gave up: {failure:?}");
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, repeat)
        .await
        .context("the activity never succeeded")?
}
