//! A database with rows of the day of the report, of the day before, and of the moments between.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use partner_analytics::metrics::{AnalyticsMetrics, Metrics, SalesMetrics};
use partner_analytics::model::Period;
use partner_analytics::repository::MetricsRepository;
use sqlx::PgPool;
use temporalio_sdk::activities::ActivityError;

use crate::database::fresh_database;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The last moment of which nothing counts any more, and the first of which something does.
pub(crate) const TOO_EARLY: &str = "2026-11-29T23:59:59.999999Z";
pub(crate) const BEFORE_BEGINS: &str = "2026-11-30T00:00:00Z";
pub(crate) const BEFORE_ENDS: &str = "2026-11-30T23:59:59.999999Z";
pub(crate) const BEGINS: &str = "2026-12-01T00:00:00Z";
pub(crate) const ENDS: &str = "2026-12-01T23:59:59.999999Z";
pub(crate) const TOO_LATE: &str = "2026-12-02T00:00:00Z";

pub(crate) fn at(time: &str) -> Result<DateTime<Utc>> {
    Ok(time.parse()?)
}

/// A charge, as the ledger has it once all is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charge<'a> {
    pub(crate) subject: (&'a str, &'a str),
    pub(crate) state: &'a str,
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
    pub(crate) concluded_at: Option<&'a str>,
    pub(crate) refunded_at: Option<&'a str>,
    pub(crate) decline_code: Option<&'a str>,
}

impl<'a> Charge<'a> {
    /// The money for an order, taken at a time.
    pub(crate) const fn taken(
        order: &'a str,
        amount: i64,
        currency: &'a str,
        time: &'a str,
    ) -> Self {
        Self {
            subject: ("order", order),
            state: "succeeded",
            amount,
            currency,
            concluded_at: Some(time),
            refunded_at: None,
            decline_code: None,
        }
    }

    /// The money for a period of a subscription instead.
    pub(crate) const fn of_subscription(self, subscription: &'a str) -> Self {
        Self {
            subject: ("subscription", subscription),
            ..self
        }
    }

    /// The same, given back at a time.
    pub(crate) const fn refunded(self, time: &'a str) -> Self {
        Self {
            state: "refunded",
            refunded_at: Some(time),
            ..self
        }
    }

    /// The same, declined for a reason.
    pub(crate) const fn declined(self, code: Option<&'a str>) -> Self {
        Self {
            state: "declined",
            decline_code: code,
            ..self
        }
    }

    /// The same in a state in which nothing is decided.
    pub(crate) const fn undecided(self, state: &'a str) -> Self {
        Self {
            state,
            concluded_at: None,
            ..self
        }
    }
}

pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) metrics: MetricsRepository,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let pool = fresh_database().await?;
        Ok(Self {
            metrics: MetricsRepository::new(pool.clone(), PATIENCE),
            pool,
        })
    }

    pub(crate) async fn run(&self, statement: &'static str) -> Result<()> {
        sqlx::raw_sql(statement).execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) async fn charge(&self, charge: Charge<'_>) -> Result<()> {
        let (kind, id) = charge.subject;
        let time = |time: Option<&str>| time.map(at).transpose();
        sqlx::query(
            "INSERT INTO charges (subject_kind, subject_id, period, purpose, parameters_hash, user_id,
                                  amount_minor, currency, payment_method, state, gateway_id,
                                  decline_code, concluded_at, refunded_at)
             SELECT $1, $2, CASE $1 WHEN 'order' THEN '' ELSE '2026-12-01' END,
                    'payment/' || (SELECT count(*) + 1 FROM charges WHERE subject_id = $2),
                    '', 'ana', $3, $4, 'card', $5, gen_random_uuid()::text, $6, $7, $8",
        )
        .bind(kind)
        .bind(id)
        .bind(charge.amount)
        .bind(charge.currency)
        .bind(charge.state)
        .bind(charge.decline_code)
        .bind(time(charge.concluded_at)?)
        .bind(time(charge.refunded_at)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn order(&self, id: &str, status: &str, created_at: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO orders (id, user_id, amount_minor, currency, status, transaction_id, created_at)
             VALUES ($1, 'ana', 100, 'EUR', $2, $1, $3)",
        )
        .bind(id)
        .bind(status)
        .bind(at(created_at)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What an order is made of; the order, if it is not there yet, was placed in time.
    pub(crate) async fn item(
        &self,
        order: &str,
        sku: &str,
        quantity: i32,
        price: i64,
    ) -> Result<()> {
        sqlx::query(
            "WITH placed AS (
                 INSERT INTO orders (id, user_id, amount_minor, currency, created_at)
                 VALUES ($1, 'ana', 100, 'EUR', '2026-11-01')
                 ON CONFLICT DO NOTHING)
             INSERT INTO order_items (order_id, sku, quantity, unit_price_minor) VALUES ($1, $2, $3, $4)",
        )
        .bind(order)
        .bind(sku)
        .bind(quantity)
        .bind(price)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn sales(&self) -> Result<SalesMetrics> {
        match self.metrics.sales(period()?).await?.metrics {
            Metrics::Sales(metrics) => Ok(metrics),
            other => bail!("not sales: {other:?}"),
        }
    }

    pub(crate) async fn analytics(&self) -> Result<AnalyticsMetrics> {
        match self.metrics.analytics(period()?).await?.metrics {
            Metrics::Analytics(metrics) => Ok(metrics),
            other => bail!("not analytics: {other:?}"),
        }
    }
}

/// What an activity failed with, for a test's error.
pub(crate) fn failed(error: ActivityError) -> anyhow::Error {
    match error {
        ActivityError::Application(failure) => anyhow!("{failure}"),
        other => anyhow!("{other:?}"),
    }
}

/// The first of December 2026.
pub(crate) fn period() -> Result<Period> {
    Ok(Period::new(at(BEGINS)?, at(TOO_LATE)?, Tz::UTC)?)
}
