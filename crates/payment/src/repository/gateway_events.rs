//! What the gateway told by itself, each event once.

use std::num::NonZeroU32;
use std::time::Duration;

use partner_core::ids::{OrderId, SubscriptionId, UserId};
use sqlx::PgPool;

use super::charges::attempt_of;
use super::subscriptions::method_of;
use crate::billing_calendar::BillingPeriod;
use crate::error::PaymentError;
use crate::gateway_events::{EventOutcome, GatewayEvent};
use crate::model::{ChargeState, OrderStatus, known, money_of};
use crate::workflows::process_payment::ProcessPaymentInput;
use crate::workflows::subscription_payment::SubscriptionPaymentInput;

/// Keeps what the gateway told.
#[derive(Debug, Clone)]
pub struct GatewayEventRepository {
    pool: PgPool,
}

/// A payment at the gateway, as the charge ledger has it.
#[derive(Debug, Clone)]
pub struct ChargedPayment {
    /// How the charge stands.
    pub state: ChargeState,
    /// The workflow that makes it, if that is known.
    pub workflow_id: Option<String>,
    /// What is paid for.
    pub paid_for: PaidFor,
}

/// What a payment is for, with what its workflow is started with.
#[derive(Debug, Clone)]
pub enum PaidFor {
    /// An order.
    Order(ProcessPaymentInput, OrderStatus),
    /// The period of a subscription that begins on this day.
    Subscription(SubscriptionPaymentInput, String),
}

/// Events that a person has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsToLookAt {
    /// How many say something else than the books.
    pub contradicting: i64,
    /// How many could not be handed over, and did not come again.
    pub waiting: i64,
}

impl GatewayEventRepository {
    /// Events of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes an event down, or that it came again; what became of it, if that is settled.
    pub async fn receive(
        &self,
        event: &GatewayEvent,
    ) -> Result<Option<EventOutcome>, PaymentError> {
        let outcome = sqlx::query_scalar!(
            "INSERT INTO gateway_events (id, kind, payment_id, happened_at)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE SET deliveries = gateway_events.deliveries + 1
             RETURNING outcome",
            event.id,
            event.kind,
            event.payment_id,
            event.happened_at
        )
        .fetch_one(&self.pool)
        .await?;
        outcome
            .map(|outcome| known(EventOutcome::from_text(&outcome), &outcome))
            .transpose()
    }

    /// Writes down what became of an event; what is written down already stays.
    pub async fn settle(
        &self,
        event_id: &str,
        outcome: EventOutcome,
        workflow_id: Option<&str>,
    ) -> Result<(), PaymentError> {
        sqlx::query!(
            "UPDATE gateway_events SET outcome = $2, workflow_id = $3 WHERE id = $1 AND outcome IS NULL",
            event_id,
            outcome.as_str(),
            workflow_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How much of the last thirty days a person has to look at.
    pub async fn to_look_at(&self) -> Result<EventsToLookAt, PaymentError> {
        let found = sqlx::query_as!(
            EventsToLookAt,
            r#"SELECT count(*) FILTER (WHERE outcome = 'contradicts') AS "contradicting!",
                      count(*) FILTER (WHERE outcome IS NULL AND received_at < now() - interval '10 minutes')
                          AS "waiting!"
               FROM gateway_events
               WHERE received_at > now() - interval '30 days'"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(found)
    }

    /// Forgets a part of the events that came longer ago than this; whether more may be there.
    pub async fn forget(&self, kept: Duration) -> Result<bool, PaymentError> {
        const PART: u64 = 1_000;
        let forgotten = sqlx::query!(
            "DELETE FROM gateway_events
             WHERE id IN (SELECT id FROM gateway_events
                          WHERE received_at < now() - make_interval(secs => $1) LIMIT 1000)",
            kept.as_secs_f64()
        )
        .execute(&self.pool)
        .await?;
        Ok(forgotten.rows_affected() >= PART)
    }

    /// The charge that is this payment at the gateway.
    pub async fn charge(&self, payment_id: &str) -> Result<Option<ChargedPayment>, PaymentError> {
        let row = sqlx::query!(
            r#"SELECT charge.subject_kind, charge.subject_id, charge.period, charge.purpose, charge.state,
                      -- A subscription's workflow is told what is agreed now, as the sweep would tell it.
                      COALESCE(subscription.user_id, charge.user_id) AS "user_id!",
                      COALESCE(subscription.amount_minor, charge.amount_minor) AS "amount_minor!",
                      COALESCE(subscription.currency, charge.currency) AS "currency!",
                      charge.payment_method,
                      COALESCE(charge.workflow_id, orders.payment_workflow_id) AS workflow_id,
                      orders.status AS "order_status?", subscription.billing_period AS "billing_period?"
               FROM charges AS charge
               LEFT JOIN orders ON charge.subject_kind = 'order' AND orders.id = charge.subject_id
               LEFT JOIN subscriptions AS subscription
                      ON charge.subject_kind = 'subscription' AND subscription.id = charge.subject_id
               WHERE charge.gateway_id = $1"#,
            payment_id
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let invalid = |error: &dyn std::fmt::Display| PaymentError::Invalid(error.to_string());
        let money = money_of(row.amount_minor, &row.currency)?;
        let (amount, currency) = (money.amount(), money.currency());
        let user_id = UserId::parse(&row.user_id).map_err(|error| invalid(&error))?;
        let id = &row.subject_id;
        let paid_for = if row.subject_kind == "order" {
            let status = row.order_status.unwrap_or_default();
            let input = ProcessPaymentInput {
                order_id: OrderId::parse(id).map_err(|error| invalid(&error))?,
                user_id,
                amount,
                currency,
                payment_method: method_of(row.payment_method.as_deref().unwrap_or_default())?,
                attempt: NonZeroU32::new(attempt_of(&row.purpose)?),
                retry_window_seconds: None,
            };
            PaidFor::Order(input, known(OrderStatus::from_text(&status), &status)?)
        } else {
            let period = row.billing_period.unwrap_or_default();
            let input = SubscriptionPaymentInput {
                subscription_id: SubscriptionId::parse(id).map_err(|error| invalid(&error))?,
                user_id,
                amount,
                currency,
                billing_period: known(BillingPeriod::from_text(&period), &period)?,
            };
            PaidFor::Subscription(input, row.period)
        };
        Ok(Some(ChargedPayment {
            state: known(ChargeState::from_text(&row.state), &row.state)?,
            workflow_id: row.workflow_id,
            paid_for,
        }))
    }
}
