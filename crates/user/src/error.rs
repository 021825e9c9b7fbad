//! What can go wrong while reaching a user, and whether trying again can help.

use std::time::Duration;

use partner_core::database::DatabaseError;
use partner_core::error::{ErrorCode, Failure};
use partner_core::ports::hand_over::Withheld;
use partner_core::ports::mailer::MailerError;
use partner_core::ports::object_store::ObjectStoreError;
use partner_core::ports::push::PushError;

use crate::model::UserStatus;

/// An error of the user domain.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The input breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// No such user.
    #[error("user {0} does not exist; give email and name to create them")]
    UserNotFound(String),
    /// The user's state machine has no such step.
    #[error("user {user} is {from}, they cannot become {to}; possible: {}", from.next())]
    IllegalTransition {
        /// Which user.
        user: String,
        /// What they are.
        from: UserStatus,
        /// What they should have become.
        to: UserStatus,
    },
    /// A mail's template could not be filled in.
    #[error("mail cannot be written")]
    Template(#[from] askama::Error),
    /// Nobody is known by this id, and no mail can be sent to it.
    #[error("userId: {0:?} is no user's id, and no email address either")]
    UnknownRecipient(String),
    /// The recipient has not got this channel.
    #[error("{0}")]
    Unreachable(&'static str),
    /// An earlier attempt was refused for good.
    #[error("it was refused before: {0}")]
    RefusedBefore(String),
    /// The gate stayed closed; nothing was sent.
    #[error(transparent)]
    Withheld(#[from] Withheld),
    /// The mail relay's error.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// The push service's error.
    #[error(transparent)]
    Push(#[from] PushError),
    /// Object storage's error.
    #[error(transparent)]
    Objects(#[from] ObjectStoreError),
    /// PostgreSQL's error.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl UserError {
    /// Whether the other side may have taken the message all the same.
    pub const fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Mailer(error) => error.outcome_is_unknown(),
            Self::Push(error) => error.outcome_is_unknown(),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for UserError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for UserError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_)
            | Self::UserNotFound(_)
            | Self::IllegalTransition { .. }
            | Self::UnknownRecipient(_)
            | Self::Unreachable(_) => ErrorCode::ValidationError,
            Self::RefusedBefore(_) | Self::Withheld(_) => ErrorCode::ExternalServiceError,
            Self::Template(_) => ErrorCode::Unknown,
            Self::Mailer(error) => error.code(),
            Self::Push(error) => error.code(),
            Self::Objects(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::UserNotFound(_)
            | Self::IllegalTransition { .. }
            | Self::UnknownRecipient(_)
            | Self::Unreachable(_)
            | Self::RefusedBefore(_)
            | Self::Template(_) => false,
            Self::Withheld(_) => true,
            Self::Mailer(error) => error.is_retryable(),
            Self::Push(error) => error.is_retryable(),
            Self::Objects(error) => error.is_retryable(),
            Self::Database(error) => error.is_retryable(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Mailer(error) => error.retry_after(),
            Self::Push(error) => error.retry_after(),
            _ => None,
        }
    }
}
