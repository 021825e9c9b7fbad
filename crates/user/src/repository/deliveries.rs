//! The rows of the send ledger. What follows from them is `crate::ledger`'s to say.

use std::time::Duration;

use async_trait::async_trait;
use partner_core::ports::hand_over::{HandOver, Withheld};
use sqlx::PgPool;

use crate::error::UserError;

/// How a message stands in the send ledger. The migration that creates the table explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// An attempt is on its way, or gave up for now; the other side has nothing.
    Sending,
    /// The gate was passed, and the answer is not known.
    HandedOver,
    /// The other side took it.
    Sent,
    /// The connection was lost after it was handed over.
    PossiblyDelivered,
    /// It was refused for good.
    Refused,
}

impl DeliveryState {
    const ALL: [Self; 5] = [
        Self::Sending,
        Self::HandedOver,
        Self::Sent,
        Self::PossiblyDelivered,
        Self::Refused,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::HandedOver => "handed_over",
            Self::Sent => "sent",
            Self::PossiblyDelivered => "possibly_delivered",
            Self::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Result<Self, UserError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UserError::Invalid(format!("deliveries.state: unknown value {text:?}")))
    }
}

/// What a message is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryKey {
    /// What is told.
    pub notification_id: String,
    /// Who is told: as the channel addresses them.
    pub recipient: String,
    /// How.
    pub channel: &'static str,
}

/// Which rows a new attempt may take.
#[derive(Debug, Clone, Copy)]
pub struct BeginRules {
    /// Those that were refused for good.
    pub refused: bool,
    /// Those that were handed over longer ago than the lease.
    pub unknown: bool,
    /// How long an attempt that handed over may still be alive.
    pub lease: Duration,
}

/// How a message stood when an attempt wanted to begin.
#[derive(Debug, Clone)]
pub enum Begun {
    /// The attempt is this one's.
    Attempt(Delivery),
    /// There is none to make: it stands like this.
    Standing(Standing),
}

/// How a message stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The state.
    pub state: DeliveryState,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How much of the lease is left, if it was handed over.
    pub rest_of_lease: Duration,
}

/// How a message went out to one recipient on one channel.
#[derive(Debug, Clone)]
pub struct DeliveryOutcome {
    /// How it was sent.
    pub channel: String,
    /// The state.
    pub state: DeliveryState,
    /// What went wrong last.
    pub last_error: Option<String>,
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

    /// Begins an attempt, if the row is new or one that the rules let it take.
    pub async fn begin(
        &self,
        key: &DeliveryKey,
        subject: Option<&str>,
        rules: BeginRules,
    ) -> Result<Begun, UserError> {
        let attempt = sqlx::query_scalar!(
            "INSERT INTO deliveries AS delivery (notification_id, recipient, channel, subject, attempts)
             VALUES ($1, $2, $3, $4, 1)
             ON CONFLICT (notification_id, recipient, channel) DO UPDATE
             SET attempts = delivery.attempts + 1,
                 state = 'sending',
                 subject = excluded.subject,
                 handed_over_at = NULL,
                 updated_at = now()
             WHERE delivery.state = 'sending'
                OR delivery.state = 'refused' AND $5
                OR delivery.state = 'handed_over' AND $6
                   AND delivery.handed_over_at <= now() - make_interval(secs => $7)
             RETURNING attempts",
            key.notification_id,
            key.recipient,
            key.channel,
            subject,
            rules.refused,
            rules.unknown,
            rules.lease.as_secs_f64()
        )
        .fetch_optional(&self.pool)
        .await?;
        match attempt {
            Some(attempt) => Ok(Begun::Attempt(Delivery {
                deliveries: self.clone(),
                key: key.clone(),
                attempt,
            })),
            None => Ok(Begun::Standing(self.standing(key, rules.lease).await?)),
        }
    }

    async fn standing(&self, key: &DeliveryKey, lease: Duration) -> Result<Standing, UserError> {
        let row = sqlx::query!(
            r#"SELECT state,
                      last_error,
                      coalesce(extract(epoch FROM handed_over_at - now()), 0)::float8 + $4 AS "rest!"
               FROM deliveries
               WHERE notification_id = $1 AND recipient = $2 AND channel = $3"#,
            key.notification_id,
            key.recipient,
            key.channel,
            lease.as_secs_f64()
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Standing {
            state: DeliveryState::parse(&row.state)?,
            last_error: row.last_error,
            rest_of_lease: Duration::try_from_secs_f64(row.rest).unwrap_or_default(),
        })
    }

    /// Writes down that a message may have arrived, because whoever handed it over did not come
    /// back within the lease. `false` if somebody did in between.
    pub async fn give_up(
        &self,
        key: &DeliveryKey,
        lease: Duration,
        reason: &str,
    ) -> Result<bool, UserError> {
        let given_up = sqlx::query!(
            "UPDATE deliveries
             SET state = 'possibly_delivered', last_error = $5, updated_at = now()
             WHERE notification_id = $1 AND recipient = $2 AND channel = $3
               AND state = 'handed_over'
               AND handed_over_at <= now() - make_interval(secs => $4)",
            key.notification_id,
            key.recipient,
            key.channel,
            lease.as_secs_f64(),
            reason
        )
        .execute(&self.pool)
        .await?;
        Ok(given_up.rows_affected() == 1)
    }

    /// How a notification went out, on every channel and to every recipient.
    pub async fn outcomes(&self, notification_id: &str) -> Result<Vec<DeliveryOutcome>, UserError> {
        let rows = sqlx::query!(
            "SELECT channel, state, last_error
             FROM deliveries
             WHERE notification_id = $1
             ORDER BY channel, recipient",
            notification_id
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(DeliveryOutcome {
                    channel: row.channel,
                    state: DeliveryState::parse(&row.state)?,
                    last_error: row.last_error,
                })
            })
            .collect()
    }
}

/// One attempt to deliver a message, and the gate that it passes.
#[derive(Debug, Clone)]
pub struct Delivery {
    deliveries: DeliveryRepository,
    key: DeliveryKey,
    attempt: i32,
}

impl Delivery {
    /// What is delivered.
    pub const fn key(&self) -> &DeliveryKey {
        &self.key
    }

    /// Which attempt it is. Only the latest one passes the gate.
    pub const fn attempt(&self) -> i32 {
        self.attempt
    }

    /// Writes down how the attempt ended, unless a later one has begun.
    ///
    /// What is known for certain also replaces that the message *may* have arrived.
    pub async fn finish(
        &self,
        state: DeliveryState,
        last_error: Option<&str>,
    ) -> Result<(), UserError> {
        // It quotes the other side, and PostgreSQL's text holds everything but this character.
        let last_error = last_error.map(|text| text.replace('\0', ""));
        sqlx::query!(
            "UPDATE deliveries
             SET state = $5, last_error = $6, updated_at = now()
             WHERE notification_id = $1 AND recipient = $2 AND channel = $3
               AND attempts = $4
               AND state IN ('sending', 'handed_over', 'possibly_delivered')",
            self.key.notification_id,
            self.key.recipient,
            self.key.channel,
            self.attempt,
            state.as_str(),
            last_error
        )
        .execute(&self.deliveries.pool)
        .await?;
        Ok(())
    }

    async fn pass(&self) -> Result<bool, sqlx::Error> {
        let passed = sqlx::query!(
            "UPDATE deliveries
             SET state = 'handed_over', handed_over_at = now(), updated_at = now()
             WHERE notification_id = $1 AND recipient = $2 AND channel = $3
               AND attempts = $4
               AND state = 'sending'",
            self.key.notification_id,
            self.key.recipient,
            self.key.channel,
            self.attempt
        )
        .execute(&self.deliveries.pool)
        .await?;
        Ok(passed.rows_affected() == 1)
    }
}

#[async_trait]
impl HandOver for Delivery {
    async fn hand_over(&self) -> Result<(), Withheld> {
        match self.pass().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(superseded()),
            Err(error) => Err(Withheld(format!("the send ledger cannot be used: {error}"))),
        }
    }
}

/// Why the gate is closed to an attempt that is not the latest any more.
pub(super) fn superseded() -> Withheld {
    Withheld("a later attempt has taken over".to_owned())
}
