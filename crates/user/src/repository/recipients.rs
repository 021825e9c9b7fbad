//! Who is told: a user, or an email address of someone who has no account.

use partner_core::contact::EmailAddress;
use sqlx::PgPool;

use crate::error::UserError;
use crate::quiet_hours::QuietHours;

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// Someone with an account.
    User(ReachableUser),
    /// Someone without: mail is all that reaches them.
    Address(EmailAddress),
}

/// A user, as far as it takes to reach them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachableUser {
    /// Their id.
    pub id: String,
    /// Where their mail goes. Other services write it too, so it may be none.
    pub email: String,
    /// What they are called; may be empty.
    pub name: String,
}

/// Reads who is told.
#[derive(Debug, Clone)]
pub struct RecipientRepository {
    pool: PgPool,
}

impl RecipientRepository {
    /// Recipients of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The user with this id or, if there is none, with this email address: what they want holds
    /// under either. An address that is no user's is its own recipient.
    pub async fn resolve(&self, user_id: &str) -> Result<Recipient, UserError> {
        let user = sqlx::query_as!(
            ReachableUser,
            "SELECT id, email, name
             FROM users
             WHERE id = $1 OR lower(email) = lower($1)
             ORDER BY id = $1 DESC, id
             LIMIT 1",
            user_id
        )
        .fetch_optional(&self.pool)
        .await?;
        user.map_or_else(
            || stranger(user_id).map(Recipient::Address),
            |user| Ok(Recipient::User(user)),
        )
    }

    /// When the user is to be left alone; nothing if never, as with everyone who has no account.
    pub async fn quiet_hours(&self, user_id: &str) -> Result<Option<QuietHours>, UserError> {
        let user = sqlx::query!(
            "SELECT time_zone, quiet_from, quiet_until
             FROM users
             WHERE id = $1 OR lower(email) = lower($1)
             ORDER BY id = $1 DESC, id
             LIMIT 1",
            user_id
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(user) = user else {
            stranger(user_id)?;
            return Ok(None);
        };
        let (Some(from), Some(until)) = (user.quiet_from, user.quiet_until) else {
            return Ok(None);
        };
        let zone = user.time_zone.parse().map_err(|_| {
            UserError::Invalid(format!(
                "user {user_id}: time zone {:?} is none that IANA names, expected one such as Europe/Berlin",
                user.time_zone
            ))
        })?;
        Ok(Some(QuietHours::new(from, until, zone)))
    }
}

fn stranger(user_id: &str) -> Result<EmailAddress, UserError> {
    EmailAddress::parse(user_id).map_err(|_| UserError::UnknownRecipient(user_id.to_owned()))
}
