//! The rows of the charge ledger. What may follow what is `crate::ledger`'s to say.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use super::subscriptions::{self, Charged, Subscription};
use crate::due::{self, Due};
use crate::dunning::{DeclineClass, DunningPolicy};
use crate::error::PaymentError;
use crate::model::{
    Charge, ChargeRequest, ChargeState, ChargeSubject, PeriodCharge, known, money_of,
};

/// Reads and writes the charge ledger.
#[derive(Debug, Clone)]
pub struct ChargeRepository {
    pool: PgPool,
}

/// What the gateway said of a charge that was submitted.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'a> {
    /// The money was taken.
    Succeeded,
    /// It was refused.
    Declined {
        /// The gateway's code.
        code: &'a str,
        /// The gateway's words.
        message: &'a str,
    },
}

/// A charge's end, to be written down with everything that follows from it.
#[derive(Debug, Clone, Copy)]
pub struct Conclusion<'a> {
    /// The row of the charge.
    pub charge_id: i64,
    /// What was paid for.
    pub subject: &'a ChargeSubject,
    /// How it ended.
    pub verdict: Verdict<'a>,
    /// What follows a decline of a subscription's charge.
    pub dunning: DunningPolicy,
    /// The time that counts for what follows; without it, the database's.
    pub as_of: Option<DateTime<Utc>>,
}

/// The purpose of the n-th attempt, as the ledger's key has it.
fn purpose(attempt: u32) -> String {
    format!("payment/{attempt}")
}

/// Reads a purpose back.
pub(super) fn attempt_of(purpose: &str) -> Result<u32, PaymentError> {
    let number = purpose.rsplit('/').next();
    known(number.and_then(|number| number.parse().ok()), purpose)
}

impl ChargeRepository {
    /// Charges of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The charge for this purpose; written down now if it was not before.
    ///
    /// Refused with [`PaymentError::EarlierAttemptStands`] while another attempt for the same subject
    /// is open: the table has room for one, also for two workers at the same moment.
    pub async fn open(&self, request: &ChargeRequest, hash: &str) -> Result<Charge, PaymentError> {
        let mut connection = self.pool.acquire().await?;
        sqlx::query!(
            "INSERT INTO charges (subject_kind, subject_id, period, purpose, parameters_hash,
                                  user_id, amount_minor, currency, payment_method, workflow_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT DO NOTHING",
            request.subject.kind(),
            request.subject.id(),
            request.subject.period(),
            purpose(request.attempt),
            hash,
            request.user_id,
            request.amount.minor(),
            request.amount.currency().as_str(),
            request.method.as_str(),
            request.workflow_id
        )
        .execute(&mut *connection)
        .await?;
        let charges = Self::of(&mut connection, &request.subject).await?;
        if let Some(own) = charges
            .iter()
            .find(|charge| charge.attempt == request.attempt)
        {
            return Ok(own.clone());
        }
        Err(match charges.iter().find(|charge| charge.state.is_open()) {
            Some(other) => PaymentError::EarlierAttemptStands {
                subject: request.subject.to_string(),
                attempt: other.attempt,
                state: other.state,
            },
            // It was settled in between.
            None => PaymentError::ConcurrentChange,
        })
    }

    /// Closes an attempt that nobody has begun, so that nobody can any more.
    ///
    /// `false` if it is begun after all, or if there is no such order or subscription.
    pub async fn close(&self, subject: &ChargeSubject, attempt: u32) -> Result<bool, PaymentError> {
        let closed = match subject {
            ChargeSubject::Order(id) => {
                sqlx::query!(
                    "INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash,
                                          user_id, amount_minor, currency, state)
                     SELECT 'order', id, $2, '', user_id, amount_minor, currency, 'abandoned'
                     FROM orders
                     WHERE id = $1
                     ON CONFLICT ON CONSTRAINT charges_once_per_purpose DO NOTHING",
                    id,
                    purpose(attempt)
                )
                .execute(&self.pool)
                .await?
            }
            ChargeSubject::SubscriptionPeriod {
                subscription_id,
                period,
            } => {
                sqlx::query!(
                    "INSERT INTO charges (subject_kind, subject_id, period, purpose, parameters_hash,
                                          user_id, amount_minor, currency, state)
                     SELECT 'subscription', id, $2, $3, '', user_id, amount_minor, currency, 'abandoned'
                     FROM subscriptions
                     WHERE id = $1
                     ON CONFLICT ON CONSTRAINT charges_once_per_purpose DO NOTHING",
                    subscription_id,
                    period,
                    purpose(attempt)
                )
                .execute(&self.pool)
                .await?
            }
        };
        Ok(closed.rows_affected() == 1)
    }

    /// All charges for a subject, the first attempt first.
    pub async fn list(&self, subject: &ChargeSubject) -> Result<Vec<Charge>, PaymentError> {
        let mut connection = self.pool.acquire().await?;
        Self::of(&mut connection, subject).await
    }

    pub(super) async fn of(
        connection: &mut PgConnection,
        subject: &ChargeSubject,
    ) -> Result<Vec<Charge>, PaymentError> {
        let rows = sqlx::query!(
            "SELECT id, purpose, parameters_hash, amount_minor, currency, state, gateway_id,
                    decline_code, decline_message
             FROM charges
             WHERE subject_kind = $1 AND subject_id = $2 AND period = $3
             ORDER BY id",
            subject.kind(),
            subject.id(),
            subject.period()
        )
        .fetch_all(connection)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Charge {
                    id: row.id,
                    attempt: attempt_of(&row.purpose)?,
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

    /// Orders that hold, or may hold, their buyer's money for more than an hour without being marked paid:
    /// their workflow waits for the gateway, or was ended before its work was. The first of them, and
    /// how many there are.
    pub async fn unfinished_orders(&self) -> Result<(Vec<String>, usize), PaymentError> {
        const NAMED: usize = 5;
        let mut orders = sqlx::query_scalar!(
            "SELECT DISTINCT orders.id
             FROM charges
             JOIN orders ON orders.id = charges.subject_id
             WHERE charges.subject_kind = 'order'
               AND charges.state IN ('submitted', 'succeeded', 'refunding')
               AND orders.status = 'pending'
               AND charges.updated_at < now() - interval '1 hour'
             ORDER BY orders.id"
        )
        .fetch_all(&self.pool)
        .await?;
        let count = orders.len();
        orders.truncate(NAMED);
        Ok((orders, count))
    }

    /// What a subscription owes next.
    pub async fn due(&self, subscription: &Subscription) -> Result<Due, PaymentError> {
        let (calendar, standing) = (&subscription.calendar, &subscription.standing);
        let from = due::earliest_name(calendar, due::first_open(calendar, standing));
        let charges = self.of_periods_from(&subscription.id, &from).await?;
        Ok(due::due(calendar, standing, &charges))
    }

    /// The charges of a subscription for the periods of this name and later ones.
    pub async fn of_periods_from(
        &self,
        subscription_id: &str,
        period: &str,
    ) -> Result<Vec<PeriodCharge>, PaymentError> {
        let rows = sqlx::query!(
            "SELECT period, purpose, state
             FROM charges
             WHERE subject_kind = 'subscription' AND subject_id = $1 AND period >= $2
             ORDER BY id",
            subscription_id,
            period
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(PeriodCharge {
                    attempt: attempt_of(&row.purpose)?,
                    state: known(ChargeState::from_text(&row.state), &row.state)?,
                    period: row.period,
                })
            })
            .collect()
    }

    /// The gateway's id of the charge that paid for the latest period of a subscription.
    pub async fn last_payment(
        &self,
        subscription_id: &str,
    ) -> Result<Option<String>, PaymentError> {
        let id = sqlx::query_scalar!(
            "SELECT gateway_id
             FROM charges
             WHERE subject_kind = 'subscription' AND subject_id = $1 AND state = 'succeeded'
             ORDER BY period DESC
             LIMIT 1",
            subscription_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(id.flatten())
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

    /// Records how a submitted charge ended, and in the same transaction what follows from it.
    ///
    /// Only whoever moves the row out of `submitted` changes the subscription, however often and by
    /// however many this is called. A subscription's charge that succeeded after the subscription
    /// had ended becomes `refunding`.
    pub async fn conclude(&self, end: &Conclusion<'_>) -> Result<ChargeState, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let (state, decline) = match end.verdict {
            Verdict::Succeeded => (ChargeState::Succeeded, None),
            Verdict::Declined { code, message } => (ChargeState::Declined, Some((code, message))),
        };
        let moved = sqlx::query!(
            "UPDATE charges
             SET state = $2, decline_code = $3, decline_message = $4, updated_at = now()
             WHERE id = $1 AND state = 'submitted'
             RETURNING parameters_hash, user_id, amount_minor, currency, payment_method",
            end.charge_id,
            state.as_str(),
            decline.map(|(code, _)| code),
            decline.map(|(_, message)| message)
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = moved else {
            return Self::concluded_before(&mut transaction, end.charge_id, state).await;
        };
        let ChargeSubject::SubscriptionPeriod {
            subscription_id,
            period,
        } = end.subject
        else {
            transaction.commit().await?;
            return Ok(state);
        };
        let charged = Charged {
            subscription_id,
            period,
            parameters_hash: row.parameters_hash,
            user_id: row.user_id,
            amount: money_of(row.amount_minor, &row.currency)?,
            method: row.payment_method,
            decline: decline.map(|(code, _)| DeclineClass::of(code)),
        };
        let counts =
            subscriptions::apply(&mut transaction, &charged, end.dunning, end.as_of).await?;
        let is_owed_back = state == ChargeState::Succeeded && !counts;
        if is_owed_back {
            let reason = "the subscription had ended";
            Self::owe_back(&mut transaction, end.charge_id, Some(reason)).await?;
        }
        transaction.commit().await?;
        Ok(if is_owed_back {
            ChargeState::Refunding
        } else {
            state
        })
    }

    /// Somebody else recorded an end: fine, if it is the same.
    async fn concluded_before(
        connection: &mut PgConnection,
        id: i64,
        state: ChargeState,
    ) -> Result<ChargeState, PaymentError> {
        let recorded = sqlx::query_scalar!("SELECT state FROM charges WHERE id = $1", id)
            .fetch_optional(connection)
            .await?;
        if recorded.as_deref() == Some(state.as_str()) {
            Ok(state)
        } else {
            Err(PaymentError::ConcurrentChange)
        }
    }

    /// Writes down, before the gateway is asked, that the money shall go back.
    pub async fn begin_refund(&self, id: i64, reason: Option<&str>) -> Result<(), PaymentError> {
        let mut connection = self.pool.acquire().await?;
        Self::owe_back(&mut connection, id, reason).await
    }

    async fn owe_back(
        connection: &mut PgConnection,
        id: i64,
        reason: Option<&str>,
    ) -> Result<(), PaymentError> {
        let changed = sqlx::query!(
            "UPDATE charges
             SET state = 'refunding', refund_reason = COALESCE(refund_reason, $2), updated_at = now()
             WHERE id = $1 AND state IN ('succeeded', 'refunding')",
            id,
            reason
        )
        .execute(connection)
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
