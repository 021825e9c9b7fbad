//! The port [`Notifier`] over the send ledger: for domains whose activities tell several people.

use async_trait::async_trait;
use partner_core::contracts::notification::{SendNotificationInput, SendNotificationResult};
use partner_core::ports::notifier::{Notifier, NotifierError};

use crate::activities::notification::NotificationActivities;

#[async_trait]
impl Notifier for NotificationActivities {
    async fn notify(
        &self,
        notification: SendNotificationInput,
        retried: bool,
    ) -> Result<SendNotificationResult, NotifierError> {
        // Whoever asks gives the key: there is no activity whose own could stand in for it.
        self.tell(notification, "", retried)
            .await
            .map_err(NotifierError::new)
    }
}
