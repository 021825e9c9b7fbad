//! Orders, and the buyer's address.

use partner_core::contact::EmailAddress;
use partner_core::ports::fulfillment::FulfillmentItem;
use sqlx::{PgConnection, PgPool};

use super::charges::ChargeRepository;
use super::inventory::InventoryRepository;
use crate::error::PaymentError;
use crate::model::{ChargeState, ChargeSubject, Order, OrderStatus, known, money_of};

/// Reads and moves orders.
#[derive(Debug, Clone)]
pub struct OrderRepository {
    pool: PgPool,
}

/// The buyer, as the platform knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// Where mail goes.
    pub email: EmailAddress,
    /// Whether they may buy.
    pub suspended: bool,
}

impl OrderRepository {
    /// Orders of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The order with this id.
    pub async fn lookup(&self, id: &str) -> Result<Option<Order>, PaymentError> {
        let mut connection = self.pool.acquire().await?;
        find(&mut connection, id).await
    }

    /// The user with this id; an email address that is no user's id is its own buyer.
    pub async fn buyer(&self, user_id: &str) -> Result<Option<Buyer>, PaymentError> {
        let row = sqlx::query!("SELECT email, status FROM users WHERE id = $1", user_id)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else {
            let buyer = EmailAddress::parse(user_id).map(|email| Buyer {
                email,
                suspended: false,
            });
            return Ok(buyer.ok());
        };
        let email = EmailAddress::parse(&row.email)
            .map_err(|error| PaymentError::Invalid(format!("user {user_id}: {error}")))?;
        Ok(Some(Buyer {
            email,
            suspended: row.status == "suspended",
        }))
    }

    /// Takes it on a workflow to collect the order's payment.
    ///
    /// `false` if another workflow has: two must never pay, and undo, the same order at once. An
    /// order whose payment failed is free to be taken by the next.
    pub async fn claim(&self, id: &str, workflow_id: &str) -> Result<bool, PaymentError> {
        let claimed = sqlx::query!(
            "UPDATE orders SET payment_workflow_id = $2
             WHERE id = $1
               AND (payment_workflow_id IS NULL OR payment_workflow_id = $2 OR status = 'payment_failed')",
            id,
            workflow_id
        )
        .execute(&self.pool)
        .await?;
        Ok(claimed.rows_affected() == 1)
    }

    /// What the order is made of.
    pub async fn items(&self, id: &str) -> Result<Vec<FulfillmentItem>, PaymentError> {
        let items = sqlx::query_as!(
            FulfillmentItem,
            "SELECT sku, quantity FROM order_items WHERE order_id = $1 ORDER BY sku",
            id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(items)
    }

    /// Moves an order to a status, along its state machine and in step with the charge ledger.
    ///
    /// In one transaction: an order becomes `paid` only with a charge that stands, and takes its
    /// reserved stock with it; it stops being paid only when no charge stands any more.
    pub async fn update_status(
        &self,
        id: &str,
        next: OrderStatus,
        transaction_id: Option<&str>,
        error_message: Option<&str>,
    ) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let order = lock(&mut transaction, id).await?;
        if !order.status.may_become(next) {
            return Err(PaymentError::IllegalTransition {
                order: id.to_owned(),
                from: order.status,
                to: next,
            });
        }
        match next {
            OrderStatus::Paid => {
                Self::require_charge(&mut transaction, id, transaction_id).await?;
                InventoryRepository::commit(&mut transaction, id).await?;
            }
            OrderStatus::PaymentFailed | OrderStatus::Cancelled | OrderStatus::Refunded => {
                Self::require_no_charge(&mut transaction, id, next).await?;
            }
            OrderStatus::Pending | OrderStatus::Processing | OrderStatus::Completed => {}
        }
        sqlx::query!(
            "UPDATE orders
             SET status = $2,
                 transaction_id = COALESCE($3, transaction_id),
                 error_message = $4,
                 updated_at = now()
             WHERE id = $1",
            id,
            next.as_str(),
            transaction_id,
            error_message
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn require_charge(
        connection: &mut PgConnection,
        id: &str,
        transaction_id: Option<&str>,
    ) -> Result<(), PaymentError> {
        let charges =
            ChargeRepository::of(connection, &ChargeSubject::Order(id.to_owned())).await?;
        let stands = charges.iter().any(|charge| {
            charge.state == ChargeState::Succeeded && charge.gateway_id.as_deref() == transaction_id
        });
        if stands {
            return Ok(());
        }
        Err(PaymentError::LedgerDisagrees {
            order: id.to_owned(),
            to: OrderStatus::Paid,
            reason: format!(
                "no charge {} stands",
                transaction_id.unwrap_or("without transactionId")
            ),
        })
    }

    async fn require_no_charge(
        connection: &mut PgConnection,
        id: &str,
        next: OrderStatus,
    ) -> Result<(), PaymentError> {
        let charges =
            ChargeRepository::of(connection, &ChargeSubject::Order(id.to_owned())).await?;
        match charges.iter().find(|charge| charge.state.is_open()) {
            None => Ok(()),
            Some(charge) => Err(PaymentError::LedgerDisagrees {
                order: id.to_owned(),
                to: next,
                reason: format!("charge of attempt {} is {}", charge.attempt, charge.state),
            }),
        }
    }
}

/// The order, locked until the transaction ends.
pub(super) async fn lock(connection: &mut PgConnection, id: &str) -> Result<Order, PaymentError> {
    sqlx::query_scalar!("SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", id)
        .fetch_optional(&mut *connection)
        .await?;
    find(connection, id)
        .await?
        .ok_or_else(|| PaymentError::OrderNotFound(id.to_owned()))
}

async fn find(connection: &mut PgConnection, id: &str) -> Result<Option<Order>, PaymentError> {
    let row = sqlx::query!(
        "SELECT id, user_id, amount_minor, currency, status, transaction_id, payment_workflow_id
         FROM orders
         WHERE id = $1",
        id
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Order {
            total: money_of(row.amount_minor, &row.currency)?,
            status: known(OrderStatus::from_text(&row.status), &row.status)?,
            id: row.id,
            user_id: row.user_id,
            transaction_id: row.transaction_id,
            payment_workflow_id: row.payment_workflow_id,
        })
    })
    .transpose()
}
