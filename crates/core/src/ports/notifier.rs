//! Telling someone something, for a domain that does not know how: the user domain implements it.
//!
//! A workflow that tells one person calls the activity `sendNotification`. This port is for an
//! activity whose own business is to tell several, such as all reviewers, at the cost of one.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::contracts::notification::{SendNotificationInput, SendNotificationResult};
use crate::error::{ErrorCode, Failure};

/// Sends notifications on every channel that their user wants and has.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Sends a notification, once per `notification_id`, recipient and channel, however often it is
    /// asked to. `retried` says whether the caller may have asked before: what was refused for good
    /// then is not tried again.
    ///
    /// # Errors
    /// [`NotifierError`] if it reached nobody who should have had it.
    async fn notify(
        &self,
        notification: SendNotificationInput,
        retried: bool,
    ) -> Result<SendNotificationResult, NotifierError>;
}

/// Why a notification did not go out: the implementing domain's own error.
#[derive(Debug)]
pub struct NotifierError(Box<dyn Failure>);

impl NotifierError {
    /// The error of the domain that tried.
    pub fn new(error: impl Failure) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for NotifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotifierError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Failure for NotifierError {
    fn code(&self) -> ErrorCode {
        self.0.code()
    }

    fn is_retryable(&self) -> bool {
        self.0.is_retryable()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after()
    }
}
