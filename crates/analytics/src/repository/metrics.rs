//! Gathers the figures of a report from the tables of every domain, in one snapshot.
//!
//! All queries of a report run in one transaction that reads and is REPEATABLE READ: what another
//! process commits meanwhile is in all of them or in none. Windows are half-open; both periods are
//! counted in one pass over a table.

mod analytics;
mod sales;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::error::AnalyticsError;
use crate::metrics::{Metrics, MetricsDocument};
use crate::model::Period;

/// Reads the figures of reports.
#[derive(Debug, Clone)]
pub struct MetricsRepository {
    pool: PgPool,
    statement_timeout: Duration,
}

impl MetricsRepository {
    /// Figures of this database; a query of a report may take so long, however long others may.
    pub const fn new(pool: PgPool, statement_timeout: Duration) -> Self {
        Self {
            pool,
            statement_timeout,
        }
    }

    /// The figures of a sales report.
    pub async fn sales(&self, period: Period) -> Result<MetricsDocument, AnalyticsError> {
        let (mut snapshot, timestamp) = self.begin().await?;
        let metrics = sales::gather(&mut snapshot, &period).await?;
        snapshot.commit().await?;
        Ok(MetricsDocument {
            period,
            metrics: Metrics::Sales(metrics),
            timestamp,
        })
    }

    /// The figures of an analytics report.
    pub async fn analytics(&self, period: Period) -> Result<MetricsDocument, AnalyticsError> {
        let (mut snapshot, timestamp) = self.begin().await?;
        let metrics = analytics::gather(&mut snapshot, &period).await?;
        snapshot.commit().await?;
        Ok(MetricsDocument {
            period,
            metrics: Metrics::Analytics(metrics),
            timestamp,
        })
    }

    /// The database's clock, for figures that come from elsewhere.
    pub async fn now(&self) -> Result<DateTime<Utc>, AnalyticsError> {
        let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
            .fetch_one(&self.pool)
            .await?;
        Ok(now)
    }

    /// Begins the transaction of a report and takes its snapshot; tells when that was.
    async fn begin(
        &self,
    ) -> Result<(Transaction<'static, Postgres>, DateTime<Utc>), AnalyticsError> {
        let mut snapshot = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await?;
        // A plan that fits every window fits none: a day of a year wants an index, a year does not.
        let timestamp = sqlx::query_scalar!(
            r#"SELECT now() AS "now!"
               FROM set_config('statement_timeout', $1, true) AS timeout,
                    set_config('plan_cache_mode', 'force_custom_plan', true) AS plans"#,
            format!("{}ms", self.statement_timeout.as_millis())
        )
        .fetch_one(&mut *snapshot)
        .await?;
        Ok((snapshot, timestamp))
    }
}

/// A count, which PostgreSQL has no unsigned type for.
fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}
