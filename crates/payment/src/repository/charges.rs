//! The rows of the charge ledger. What may follow what is `crate::ledger`'s to say.

use sqlx::{PgConnection, PgPool};

use crate::error::PaymentError;
use crate::model::{Charge, ChargeRequest, ChargeState, known, money_of};

/// Reads and writes the charge ledger.
#[derive(Debug, Clone)]
pub struct ChargeRepository {
    pool: PgPool,
}

/// The purpose of an order's n-th attempt, as the ledger's key has it.
fn purpose(attempt: u32) -> String {
    format!("payment/{attempt}")
}

impl ChargeRepository {
    /// Charges of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The charge for this purpose; written down now if it was not before.
    ///
    /// Refused with [`PaymentError::EarlierAttemptStands`] while another attempt of the order is
    /// open: the table has room for one, also for two workers at the same moment.
    pub async fn open(&self, request: &ChargeRequest, hash: &str) -> Result<Charge, PaymentError> {
        let mut connection = self.pool.acquire().await?;
        sqlx::query!(
            "INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash,
                                  user_id, amount_minor, currency, payment_method)
             VALUES ('order', $1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT DO NOTHING",
            request.order_id,
            purpose(request.attempt),
            hash,
            request.user_id,
            request.amount.minor(),
            request.amount.currency().as_str(),
            request.method.as_str()
        )
        .execute(&mut *connection)
        .await?;
        let charges = Self::of_order(&mut connection, &request.order_id).await?;
        if let Some(own) = charges
            .iter()
            .find(|charge| charge.attempt == request.attempt)
        {
            return Ok(own.clone());
        }
        Err(match charges.iter().find(|charge| charge.state.is_open()) {
            Some(other) => PaymentError::EarlierAttemptStands {
                attempt: other.attempt,
                state: other.state,
            },
            // It was settled in between.
            None => PaymentError::ConcurrentChange,
        })
    }

    /// Closes an attempt that nobody has begun, so that nobody can any more.
    ///
    /// `false` if it is begun after all, or if there is no such order.
    pub async fn close(&self, order_id: &str, attempt: u32) -> Result<bool, PaymentError> {
        let closed = sqlx::query!(
            "INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash,
                                  user_id, amount_minor, currency, state)
             SELECT 'order', id, $2, '', user_id, amount_minor, currency, 'abandoned'
             FROM orders
             WHERE id = $1
             ON CONFLICT ON CONSTRAINT charges_once_per_purpose DO NOTHING",
            order_id,
            purpose(attempt)
        )
        .execute(&self.pool)
        .await?;
        Ok(closed.rows_affected() == 1)
    }

    /// All charges of an order, the first attempt first.
    pub async fn list(&self, order_id: &str) -> Result<Vec<Charge>, PaymentError> {
        let mut connection = self.pool.acquire().await?;
        Self::of_order(&mut connection, order_id).await
    }

    pub(super) async fn of_order(
        connection: &mut PgConnection,
        order_id: &str,
    ) -> Result<Vec<Charge>, PaymentError> {
        let rows = sqlx::query!(
            "SELECT id, purpose, parameters_hash, amount_minor, currency, state, gateway_id,
                    decline_code, decline_message
             FROM charges
             WHERE subject_kind = 'order' AND subject_id = $1
             ORDER BY id",
            order_id
        )
        .fetch_all(connection)
        .await?;
        rows.into_iter()
            .map(|row| {
                let attempt = row
                    .purpose
                    .rsplit('/')
                    .next()
                    .and_then(|number| number.parse().ok());
                Ok(Charge {
                    id: row.id,
                    attempt: known(attempt, &row.purpose)?,
                    parameters_hash: row.parameters_hash,
                    amount: money_of(row.amount_minor, &row.currency)?,
                    state: known(ChargeState::from_text(&row.state), &row.state)?,
                    gateway_id: row.gateway_id,
                    decline_code: row.decline_code,
                    decline_message: row.decline_message,
                })
            })
            .collect()
    }

    /// Moves a charge from one state to another and keeps the gateway's id.
    ///
    /// Refused with [`PaymentError::ConcurrentChange`] if it is no longer in the first: whoever
    /// changed it meanwhile knows more.
    pub async fn advance(
        &self,
        id: i64,
        from: ChargeState,
        to: ChargeState,
        gateway_id: Option<&str>,
    ) -> Result<(), PaymentError> {
        let changed = sqlx::query!(
            "UPDATE charges
             SET state = $3, gateway_id = COALESCE($4, gateway_id), updated_at = now()
             WHERE id = $1 AND state = $2",
            id,
            from.as_str(),
            to.as_str(),
            gateway_id
        )
        .execute(&self.pool)
        .await?;
        ensure_one(changed.rows_affected())
    }

    /// Records a decline.
    pub async fn decline(&self, id: i64, code: &str, message: &str) -> Result<(), PaymentError> {
        let changed = sqlx::query!(
            "UPDATE charges
             SET state = 'declined', decline_code = $2, decline_message = $3, updated_at = now()
             WHERE id = $1 AND state IN ('submitted', 'declined')",
            id,
            code,
            message
        )
        .execute(&self.pool)
        .await?;
        ensure_one(changed.rows_affected())
    }

    /// Writes down, before the gateway is asked, that the money shall go back.
    pub async fn begin_refund(&self, id: i64, reason: &str) -> Result<(), PaymentError> {
        let changed = sqlx::query!(
            "UPDATE charges
             SET state = 'refunding', refund_reason = COALESCE(refund_reason, $2), updated_at = now()
             WHERE id = $1 AND state IN ('succeeded', 'refunding')",
            id,
            reason
        )
        .execute(&self.pool)
        .await?;
        ensure_one(changed.rows_affected())
    }

    /// Records that the money went back.
    pub async fn finish_refund(
        &self,
        id: i64,
        refund_id: Option<&str>,
    ) -> Result<(), PaymentError> {
        let changed = sqlx::query!(
            "UPDATE charges
             SET state = 'refunded', refund_id = COALESCE($2, refund_id), updated_at = now()
             WHERE id = $1 AND state IN ('refunding', 'refunded')",
            id,
            refund_id
        )
        .execute(&self.pool)
        .await?;
        ensure_one(changed.rows_affected())
    }
}

fn ensure_one(rows: u64) -> Result<(), PaymentError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(PaymentError::ConcurrentChange)
    }
}
