//! Web Push: a message to a browser or device, through whichever push service it subscribed at.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{ErrorCode, Failure};
use crate::ports::hand_over::{HandOver, Withheld};

/// Where and for whom a message is encrypted: what a browser's `PushSubscription` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTarget {
    /// The push service's address of the subscription.
    pub endpoint: String,
    /// The device's public key: P-256, uncompressed, base64url (RFC 8291).
    pub p256dh: String,
    /// The device's authentication secret: 16 bytes, base64url (RFC 8291).
    pub auth: String,
}

/// A message to one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushMessage {
    /// The device.
    pub target: PushTarget,
    /// Replaces an undelivered message of the same topic at the push service (RFC 8030, section
    /// 5.4): at most 32 characters of base64url.
    pub topic: String,
    /// How long the push service keeps it for a device that is offline.
    pub time_to_live: Duration,
    /// Whether it may wake a device that saves power.
    pub urgent: bool,
    /// What the service worker reads; at most about 3,900 bytes (RFC 8291, section 4).
    pub payload: Vec<u8>,
}

/// Sends push messages.
#[async_trait]
pub trait Pusher: Send + Sync {
    /// Hands a message to the push service; `Ok` means that it took responsibility for it.
    ///
    /// The gate is passed right before the request is sent.
    async fn push(&self, message: &PushMessage, gate: &dyn HandOver) -> Result<(), PushError>;
}

/// Why a push message did not go out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PushError {
    /// The subscription is dead (404, 410): nothing will ever reach it again.
    #[error("push subscription is gone (status {status})")]
    Gone {
        /// The HTTP status.
        status: u16,
    },
    /// The push service refused the message for good (other 4xx).
    #[error("push service refused the message with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// Too many messages (429): nothing was taken.
    #[error("push service asks to slow down")]
    RateLimited {
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The push service failed (5xx): it did not take the message.
    #[error("push service failed with status {status}: {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// The push service could not be reached; nothing was sent.
    #[error("push service cannot be reached: {0}")]
    Unreachable(String),
    /// The connection was lost while sending: the message may have been taken.
    #[error("push service gave no answer, the message may have been delivered: {0}")]
    NoAnswer(String),
    /// The gate stayed closed; nothing was sent.
    #[error(transparent)]
    Withheld(#[from] Withheld),
    /// The subscription or the message breaks a rule: an address that is not allowed, a key that is
    /// none, a payload that is too long.
    #[error("push message cannot be built: {0}")]
    Invalid(String),
}

impl PushError {
    /// Whether the push service may have taken the message all the same.
    pub const fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::NoAnswer(_))
    }

    /// Whether the subscription will never work again.
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }
}

impl Failure for PushError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::ValidationError,
            _ => ErrorCode::ExternalServiceError,
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Unreachable(_)
            | Self::NoAnswer(_)
            | Self::Withheld(_) => true,
            Self::Gone { .. } | Self::Refused { .. } | Self::Invalid(_) => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }
}
