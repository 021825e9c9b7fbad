//! A report is of one moment, and ends in time.

use std::time::Duration;

use anyhow::{Context, Result};
use partner_analytics::metrics::{Metrics, SalesMetrics};
use partner_analytics::repository::MetricsRepository;
use partner_core::error::{ErrorCode, Failure};
use sqlx::{PgPool, Postgres, Transaction};

use crate::support::{BEGINS, Charge, PATIENCE, World, period};

/// How often something is looked at again.
const POLL: Duration = Duration::from_millis(10);

/// A transaction that lets nobody read a table.
async fn locked(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(statement).execute(&mut *transaction).await?;
    Ok(transaction)
}

/// Waits until someone waits for a lock.
async fn someone_waits(pool: &PgPool) -> Result<()> {
    let look = async {
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            let waits: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_locks
                                WHERE NOT granted
                                  AND database = (SELECT oid FROM pg_database
                                                  WHERE datname = current_database()))",
            )
            .fetch_one(pool)
            .await?;
            if waits {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .context("nobody ever waited")?
}

#[tokio::test]
async fn what_is_written_between_two_queries_is_in_none_of_them() -> Result<()> {
    let world = World::start().await?;
    world.item("order-1", "flat-1", 1, 100).await?;
    world
        .charge(Charge::taken("order-1", 100, "EUR", BEGINS))
        .await?;

    // The articles are read last: until then the report has the money and the orders.
    let items = locked(
        &world.pool,
        "LOCK TABLE order_items IN ACCESS EXCLUSIVE MODE",
    )
    .await?;
    let write = async {
        someone_waits(&world.pool).await?;
        let mut items = items;
        world.order("order-2", "paid", BEGINS).await?;
        world
            .charge(Charge::taken("order-2", 200, "EUR", BEGINS))
            .await?;
        sqlx::query(
            "INSERT INTO order_items (order_id, sku, quantity, unit_price_minor)
             VALUES ('order-2', 'flat-2', 1, 200)",
        )
        .execute(&mut *items)
        .await?;
        items.commit().await?;
        anyhow::Ok(())
    };
    let (during, written) = tokio::join!(world.sales(), write);
    written?;

    let skus = |metrics: &SalesMetrics| {
        let articles = metrics.top_articles.iter();
        articles
            .map(|article| article.sku.clone())
            .collect::<Vec<_>>()
    };
    let during = during?;
    assert_eq!(during.currencies[0].paid_orders.current, 1);
    assert_eq!(during.orders_by_status.len(), 0);
    assert_eq!(skus(&during), ["flat-1"]);
    let after = world.sales().await?;
    assert_eq!(after.currencies[0].paid_orders.current, 2);
    assert_eq!(after.orders_by_status.len(), 1);
    assert_eq!(skus(&after), ["flat-2", "flat-1"]);
    Ok(())
}

#[tokio::test]
async fn the_timestamp_is_the_databases() -> Result<()> {
    let world = World::start().await?;
    let before = world.metrics.now().await?;
    let document = world.metrics.analytics(period()?).await?;
    let after = world.metrics.now().await?;
    assert!(before <= document.timestamp && document.timestamp <= after);
    assert!(matches!(document.metrics, Metrics::Analytics(_)));
    Ok(())
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_given_up_and_may_be_tried_again() -> Result<()> {
    let world = World::start().await?;
    let items = locked(
        &world.pool,
        "LOCK TABLE order_items IN ACCESS EXCLUSIVE MODE",
    )
    .await?;
    let impatient = MetricsRepository::new(world.pool.clone(), Duration::from_millis(50));
    let error = impatient
        .sales(period()?)
        .await
        .err()
        .context("it was patient")?;
    assert_eq!(error.code(), ErrorCode::DatabaseError);
    assert!(error.is_retryable(), "{error}");
    items.rollback().await?;
    // The connection is as it was: the timeout was the report's.
    let timeout: String = sqlx::query_scalar("SHOW statement_timeout")
        .fetch_one(&world.pool)
        .await?;
    assert_eq!(timeout, "0");
    impatient.sales(period()?).await?;
    Ok(())
}
