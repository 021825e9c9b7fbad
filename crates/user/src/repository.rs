//! The send ledger of mail.

use sqlx::PgPool;

use crate::error::UserError;

/// How a mail stands in the send ledger. The migration that creates the table explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// The relay took it.
    Sent,
    /// The connection was lost after the mail was handed over.
    PossiblyDelivered,
    /// The relay refused it for good.
    Refused,
}

impl DeliveryState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::PossiblyDelivered => "possibly_delivered",
            Self::Refused => "refused",
        }
    }
}

/// Reads and writes the send ledger.
#[derive(Debug, Clone)]
pub struct DeliveryRepository {
    pool: PgPool,
}

impl DeliveryRepository {
    /// Deliveries of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes down that a mail is about to be sent; `false` if it already was.
    pub async fn begin(
        &self,
        message_id: &str,
        recipient: &str,
        subject: &str,
    ) -> Result<bool, UserError> {
        let begun = sqlx::query!(
            "INSERT INTO email_deliveries AS delivery (message_id, recipient, subject, attempts)
             VALUES ($1, $2, $3, 1)
             ON CONFLICT (message_id) DO UPDATE
             SET attempts = delivery.attempts + 1, state = 'sending', updated_at = now()
             WHERE delivery.state <> 'sent'",
            message_id,
            recipient,
            subject
        )
        .execute(&self.pool)
        .await?;
        Ok(begun.rows_affected() == 1)
    }

    /// Writes down what the relay said.
    pub async fn finish(
        &self,
        message_id: &str,
        state: DeliveryState,
        last_error: Option<&str>,
    ) -> Result<(), UserError> {
        sqlx::query!(
            "UPDATE email_deliveries
             SET state = $2, last_error = $3, updated_at = now()
             WHERE message_id = $1 AND state <> 'sent'",
            message_id,
            state.as_str(),
            last_error
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
