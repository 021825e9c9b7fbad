//! The ways to reach someone. One file a channel; a new one is a file and its line in
//! [`Channels::new`].

pub mod email;
pub mod in_app;
pub mod web_push;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use partner_core::ports::mailer::Mailer;
use partner_core::ports::push::Pusher;
use sqlx::PgPool;

use crate::error::UserError;
use crate::ledger::{Delivered, Message, SendLedger};
use crate::notification::Notification;
use crate::repository::{
    Delivery, DeliveryKey, InboxRepository, PushSubscriptionRepository, Recipient,
};

use self::email::EmailChannel;
use self::in_app::InAppChannel;
use self::web_push::PushChannel;

/// A way to reach someone.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Its name: on the wire, in the preferences and in the ledger.
    fn name(&self) -> &'static str;

    /// Sends a notification, through the ledger, to every address that the recipient has here.
    ///
    /// # Errors
    /// [`UserError::Unreachable`] if there is none. A retryable error while the message may still
    /// go out to one of them.
    async fn send(&self, dispatch: Dispatch<'_>) -> Result<Delivered, UserError>;
}

/// A notification on its way to someone.
#[derive(Clone, Copy)]
pub struct Dispatch<'a> {
    /// What is told.
    pub notification: &'a Notification,
    /// Who is told.
    pub recipient: &'a Recipient,
    /// Where it is written down.
    pub ledger: &'a SendLedger,
    /// Whether the same sender has tried before.
    pub retried: bool,
}

impl Dispatch<'_> {
    /// Delivers the notification to one address of a channel.
    async fn deliver<Work, Working>(
        self,
        channel: &'static str,
        address: String,
        subject: Option<String>,
        work: Work,
    ) -> Result<Delivered, UserError>
    where
        Work: FnOnce(Delivery) -> Working,
        Working: Future<Output = Result<(), UserError>>,
    {
        let message = Message {
            key: DeliveryKey {
                notification_id: self.notification.id.clone(),
                recipient: address,
                channel,
            },
            subject,
            retried: self.retried,
        };
        self.ledger.deliver(message, work).await
    }
}

/// Every channel that there is.
#[derive(Clone)]
pub struct Channels(Vec<Arc<dyn Channel>>);

impl Channels {
    /// All of them. Without a pusher nobody is reached by push.
    pub fn new(
        pool: &PgPool,
        mailer: Arc<dyn Mailer>,
        pusher: Option<Arc<dyn Pusher>>,
        push_time_to_live: Duration,
    ) -> Self {
        Self(vec![
            Arc::new(EmailChannel { mailer }),
            Arc::new(InAppChannel {
                inbox: InboxRepository::new(pool.clone()),
            }),
            Arc::new(PushChannel {
                subscriptions: PushSubscriptionRepository::new(pool.clone()),
                pusher,
                time_to_live: push_time_to_live,
            }),
        ])
    }

    /// Those of these names, each once; all of them if none is named.
    ///
    /// # Errors
    /// [`UserError::Invalid`] if there is no channel of such a name.
    pub fn select(&self, names: Option<&[String]>) -> Result<Vec<&dyn Channel>, UserError> {
        let all = self.0.iter().map(AsRef::as_ref);
        let Some(names) = names else {
            return Ok(all.collect());
        };
        let unknown = |name: &&String| !self.0.iter().any(|channel| channel.name() == *name);
        if let Some(name) = names.iter().find(unknown) {
            let known: Vec<_> = all.map(Channel::name).collect();
            return Err(UserError::Invalid(format!(
                "channels: {name:?} is none, expected some of {}",
                known.join(", ")
            )));
        }
        Ok(all
            .filter(|channel| names.iter().any(|name| name == channel.name()))
            .collect())
    }
}
