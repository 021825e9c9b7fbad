//! What can go wrong while reaching a user, and whether trying again can help.

use partner_core::database::DatabaseError;
use partner_core::error::{ErrorCode, Failure};
use partner_core::ports::mailer::MailerError;

/// An error of the user domain.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The input breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// The mail relay's error.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// PostgreSQL's error.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for UserError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for UserError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::ValidationError,
            Self::Mailer(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_) => false,
            Self::Mailer(error) => error.is_retryable(),
            Self::Database(error) => error.is_retryable(),
        }
    }
}
