//! What a shop would write into the database: users, stock, orders, subscriptions and reviewers for
//! demos and tests, and what became of them and of listings.

mod analytics;
mod bulk;
mod listings;
mod subscriptions;
mod users;

use std::collections::BTreeMap;

use sqlx::PgPool;

pub use listings::{DecisionRow, ListingRow};
pub use subscriptions::{ChargeRow, NewSubscription, SubscriptionRow};
pub use users::{DeliveryRow, InboxRow, NewUser};

/// A shop's view of the platform's database.
#[derive(Debug, Clone)]
pub struct Shop {
    pool: PgPool,
}

/// An order to place: one article, so many of it.
#[derive(Debug, Clone)]
pub struct NewOrder<'a> {
    /// Its id.
    pub id: &'a str,
    /// The buyer.
    pub user_id: &'a str,
    /// What it costs, in minor units.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: &'a str,
    /// The article.
    pub sku: &'a str,
    /// How many.
    pub quantity: i32,
}

/// An order as the shop sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// How it stands.
    pub status: String,
    /// The charge that paid for it.
    pub transaction_id: Option<String>,
    /// Why it is not paid.
    pub error_message: Option<String>,
}

/// An article as the shop sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockRow {
    /// How many are there.
    pub on_hand: i32,
    /// How many of them are promised to orders that are not paid yet.
    pub reserved: i32,
}

impl Shop {
    /// The shop of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Connects to the database at this address.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        PgPool::connect(url).await.map(Self::new)
    }

    /// The database.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Puts so many of an article into stock.
    pub async fn add_stock(&self, sku: &str, on_hand: i32) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO inventory (sku, on_hand) VALUES ($1, $2)")
            .bind(sku)
            .bind(on_hand)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Places an order.
    pub async fn place(&self, order: &NewOrder<'_>) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO orders (id, user_id, amount_minor, currency) VALUES ($1, $2, $3, $4)",
        )
        .bind(order.id)
        .bind(order.user_id)
        .bind(order.amount_minor)
        .bind(order.currency)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO order_items (order_id, sku, quantity, unit_price_minor) VALUES ($1, $2, $3, $4)",
        )
        .bind(order.id)
        .bind(order.sku)
        .bind(order.quantity)
        .bind(order.amount_minor / i64::from(order.quantity))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// An order, as it stands.
    pub async fn order(&self, id: &str) -> Result<OrderRow, sqlx::Error> {
        let (status, transaction_id, error_message) = sqlx::query_as(
            "SELECT status, transaction_id, error_message FROM orders WHERE id = $1",
        )
        .bind(id)
        .fetch_one(&self.pool)
        .await?;
        Ok(OrderRow {
            status,
            transaction_id,
            error_message,
        })
    }

    /// Lets an order that is not paid hold one piece of its article, for longer than it may.
    pub async fn hold_too_long(&self, order_id: &str, sku: &str) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE inventory SET reserved = reserved + 1 WHERE sku = $1")
            .bind(sku)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO inventory_reservations (order_id, sku, quantity, state, expires_at)
             VALUES ($1, $2, 1, 'held', now() - interval '1 second')",
        )
        .bind(order_id)
        .bind(sku)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// An article, as it stands.
    pub async fn stock(&self, sku: &str) -> Result<StockRow, sqlx::Error> {
        let (on_hand, reserved) =
            sqlx::query_as("SELECT on_hand, reserved FROM inventory WHERE sku = $1")
                .bind(sku)
                .fetch_one(&self.pool)
                .await?;
        Ok(StockRow { on_hand, reserved })
    }

    /// What all orders that count as paid cost, in minor units by currency.
    pub async fn paid_totals(&self) -> Result<BTreeMap<String, i64>, sqlx::Error> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT lower(currency), sum(amount_minor)::bigint
             FROM orders
             WHERE status IN ('paid', 'processing', 'completed')
             GROUP BY currency",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().collect())
    }
}
