//! The mail relay.

use async_trait::async_trait;

use crate::contact::EmailAddress;
use crate::error::{ErrorCode, Failure};
use crate::ports::hand_over::{HandOver, Withheld};

/// A mail, ready to go out.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The `Message-ID`'s local part, the same on every attempt: receivers drop repeats by it.
    pub message_id: String,
    /// Who gets it.
    pub to: EmailAddress,
    /// The subject, without line breaks.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The text part, for readers without HTML.
    pub text: String,
    /// Files that come along.
    pub attachments: Vec<MailAttachment>,
}

/// A file that goes with a mail.
#[derive(Debug, Clone)]
pub struct MailAttachment {
    /// The name that the reader sees.
    pub filename: String,
    /// The MIME type, such as `application/pdf`.
    pub content_type: String,
    /// The bytes.
    pub content: Vec<u8>,
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail to the relay; `Ok` means that the relay took responsibility for it.
    ///
    /// The gate is passed when the relay waits for the content, right before the first byte of it.
    async fn send(&self, mail: &Mail, gate: &dyn HandOver) -> Result<(), MailerError>;
}

/// Why a mail did not go out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MailerError {
    /// The relay refused it for good (5xx).
    #[error("mail relay refused the mail: {0}")]
    Refused(String),
    /// The relay refused it for now (4xx).
    #[error("mail relay cannot take the mail now: {0}")]
    Deferred(String),
    /// The relay could not be reached; nothing was sent.
    #[error("mail relay cannot be reached: {0}")]
    Unreachable(String),
    /// The connection was lost while sending: the mail may have been taken.
    #[error("connection to the mail relay was lost, the mail may have been delivered: {0}")]
    ConnectionLost(String),
    /// The gate stayed closed; nothing was sent.
    #[error(transparent)]
    Withheld(#[from] Withheld),
    /// The mail cannot be written as a MIME message.
    #[error("mail cannot be built: {0}")]
    Invalid(String),
}

impl MailerError {
    /// Whether the relay may have taken the mail all the same.
    pub const fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::ConnectionLost(_))
    }
}

impl Failure for MailerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::ValidationError,
            _ => ErrorCode::ExternalServiceError,
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Deferred(_)
            | Self::Unreachable(_)
            | Self::ConnectionLost(_)
            | Self::Withheld(_) => true,
            Self::Refused(_) | Self::Invalid(_) => false,
        }
    }
}
