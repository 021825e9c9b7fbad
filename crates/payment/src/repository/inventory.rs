//! Stock: reserved before the charge, committed with the payment, given back otherwise.

use std::time::Duration;

use chrono::TimeDelta;
use sqlx::{PgConnection, PgPool};

use super::orders::lock;
use crate::error::PaymentError;

/// Reserves and releases stock.
#[derive(Debug, Clone)]
pub struct InventoryRepository {
    pool: PgPool,
}

struct Line {
    sku: String,
    quantity: i32,
}

impl InventoryRepository {
    /// Stock of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Reserves everything that an order needs, or nothing. Doing it again renews the time.
    pub async fn reserve(&self, order_id: &str, ttl: Duration) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, order_id).await?;
        Self::lock_articles(&mut transaction, order_id).await?;
        let ttl = TimeDelta::from_std(ttl).unwrap_or_else(|_| TimeDelta::days(365));
        for line in Self::missing(&mut transaction, order_id).await? {
            Self::take(&mut transaction, order_id, &line, ttl).await?;
        }
        sqlx::query!(
            "UPDATE inventory_reservations
             SET expires_at = now() + $2::interval, updated_at = now()
             WHERE order_id = $1 AND state = 'held'",
            order_id,
            ttl as _
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Gives back what an order holds, also what it had already taken with it.
    pub async fn release(&self, order_id: &str) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, order_id).await?;
        Self::lock_articles(&mut transaction, order_id).await?;
        sqlx::query!(
            "WITH released AS (
                 UPDATE inventory_reservations AS reservation
                 SET state = 'released', updated_at = now()
                 FROM (SELECT order_id, sku, state FROM inventory_reservations
                       WHERE order_id = $1 AND state IN ('held', 'committed')) AS before
                 WHERE reservation.order_id = before.order_id AND reservation.sku = before.sku
                 RETURNING reservation.sku, reservation.quantity, before.state
             )
             UPDATE inventory
             SET reserved = reserved - CASE WHEN released.state = 'held' THEN released.quantity ELSE 0 END,
                 on_hand = on_hand + CASE WHEN released.state = 'committed' THEN released.quantity ELSE 0 END,
                 updated_at = now()
             FROM released
             WHERE inventory.sku = released.sku",
            order_id
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes what a paid order reserved out of the stock, within the transaction that marks it paid.
    ///
    /// A reservation that expired meanwhile is taken anew, if there is still stock.
    pub(super) async fn commit(
        connection: &mut PgConnection,
        order_id: &str,
    ) -> Result<(), PaymentError> {
        Self::lock_articles(connection, order_id).await?;
        for line in Self::missing(connection, order_id).await? {
            Self::take(connection, order_id, &line, TimeDelta::zero()).await?;
        }
        sqlx::query!(
            "WITH committed AS (
                 UPDATE inventory_reservations
                 SET state = 'committed', updated_at = now()
                 WHERE order_id = $1 AND state = 'held'
                 RETURNING sku, quantity
             )
             UPDATE inventory
             SET reserved = reserved - committed.quantity,
                 on_hand = on_hand - committed.quantity,
                 updated_at = now()
             FROM committed
             WHERE inventory.sku = committed.sku",
            order_id
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Locks the order's articles, before its reservations and always in the same sequence.
    ///
    /// Two orders that share articles would otherwise wait for each other in a circle, and one that
    /// takes back what has expired would do so while the holder releases it.
    async fn lock_articles(
        connection: &mut PgConnection,
        order_id: &str,
    ) -> Result<(), PaymentError> {
        sqlx::query_scalar!(
            "SELECT sku FROM inventory
             WHERE sku IN (SELECT sku FROM order_items WHERE order_id = $1
                           UNION
                           SELECT sku FROM inventory_reservations WHERE order_id = $1)
             ORDER BY sku
             FOR UPDATE",
            order_id
        )
        .fetch_all(connection)
        .await?;
        Ok(())
    }

    /// The order's lines that it neither holds nor has taken.
    async fn missing(
        connection: &mut PgConnection,
        order_id: &str,
    ) -> Result<Vec<Line>, PaymentError> {
        let lines = sqlx::query_as!(
            Line,
            "SELECT item.sku, item.quantity
             FROM order_items AS item
             WHERE item.order_id = $1
               AND NOT EXISTS (SELECT 1 FROM inventory_reservations AS reservation
                               WHERE reservation.order_id = item.order_id
                                 AND reservation.sku = item.sku
                                 AND reservation.state IN ('held', 'committed'))
             ORDER BY item.sku",
            order_id
        )
        .fetch_all(connection)
        .await?;
        Ok(lines)
    }

    async fn take(
        connection: &mut PgConnection,
        order_id: &str,
        line: &Line,
        ttl: TimeDelta,
    ) -> Result<(), PaymentError> {
        let mut available = Self::lock_available(connection, &line.sku).await?;
        if available < line.quantity {
            Self::expire(connection, &line.sku).await?;
            available = Self::lock_available(connection, &line.sku).await?;
        }
        if available < line.quantity {
            return Err(PaymentError::OutOfStock {
                sku: line.sku.clone(),
                wanted: line.quantity,
                available,
            });
        }
        sqlx::query!(
            "UPDATE inventory SET reserved = reserved + $2, updated_at = now() WHERE sku = $1",
            line.sku,
            line.quantity
        )
        .execute(&mut *connection)
        .await?;
        sqlx::query!(
            "INSERT INTO inventory_reservations (order_id, sku, quantity, state, expires_at)
             VALUES ($1, $2, $3, 'held', now() + $4::interval)
             ON CONFLICT (order_id, sku) DO UPDATE
             SET quantity = EXCLUDED.quantity, state = 'held',
                 expires_at = EXCLUDED.expires_at, updated_at = now()",
            order_id,
            line.sku,
            line.quantity,
            ttl as _
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// How many of an article are free, with the article locked; an unknown article has none.
    async fn lock_available(connection: &mut PgConnection, sku: &str) -> Result<i32, PaymentError> {
        let available = sqlx::query_scalar!(
            r#"SELECT on_hand - reserved AS "available!" FROM inventory WHERE sku = $1 FOR UPDATE"#,
            sku
        )
        .fetch_optional(connection)
        .await?;
        Ok(available.unwrap_or(0))
    }

    /// The articles of which unpaid orders hold something past their time, the earliest first.
    pub async fn articles_to_expire(&self, limit: u32) -> Result<Vec<String>, PaymentError> {
        let articles = sqlx::query_scalar!(
            "SELECT sku FROM inventory_reservations
             WHERE state = 'held' AND expires_at <= now()
             GROUP BY sku
             ORDER BY min(expires_at), sku
             LIMIT $1",
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(articles)
    }

    /// Takes back what unpaid orders hold of an article past their time; how many reservations.
    pub async fn expire_article(&self, sku: &str) -> Result<u64, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        // Before its reservations, as everyone does who changes both.
        Self::lock_available(&mut transaction, sku).await?;
        let expired = Self::expire(&mut transaction, sku).await?;
        transaction.commit().await?;
        Ok(expired)
    }

    /// Takes back what unpaid orders hold of an article past their time, with the article locked.
    async fn expire(connection: &mut PgConnection, sku: &str) -> Result<u64, PaymentError> {
        let expired = sqlx::query_scalar!(
            r#"WITH expired AS (
                 UPDATE inventory_reservations
                 SET state = 'expired', updated_at = now()
                 WHERE sku = $1 AND state = 'held' AND expires_at <= now()
                 RETURNING quantity
             )
             UPDATE inventory
             SET reserved = reserved - (SELECT COALESCE(sum(quantity), 0) FROM expired), updated_at = now()
             WHERE sku = $1
             RETURNING (SELECT count(*) FROM expired) AS "expired!""#,
            sku
        )
        .fetch_optional(connection)
        .await?;
        Ok(u64::try_from(expired.unwrap_or_default()).unwrap_or_default())
    }
}
