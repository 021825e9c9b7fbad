//! The in-app inbox: rows that a user reads through the platform.

use async_trait::async_trait;

use super::{Channel, Dispatch};
use crate::error::UserError;
use crate::ledger::Delivered;
use crate::repository::{InboxRepository, Recipient};

/// The channel's name.
pub const NAME: &str = "in_app";

/// Puts notifications into inboxes.
pub struct InAppChannel {
    /// The inboxes.
    pub inbox: InboxRepository,
}

#[async_trait]
impl Channel for InAppChannel {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn send(&self, dispatch: Dispatch<'_>) -> Result<Delivered, UserError> {
        let Recipient::User(user) = dispatch.recipient else {
            return Err(UserError::Unreachable("who has no account has no inbox"));
        };
        let notification = dispatch.notification;
        let add = async |gate| self.inbox.add(&gate, &user.id, notification).await;
        dispatch.deliver(NAME, user.id.clone(), None, add).await
    }
}
