//! Web Push: one message to each device that the user allowed it on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use partner_core::error::Failure;
use partner_core::ports::push::{PushMessage, Pusher};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Channel, Dispatch};
use crate::error::UserError;
use crate::ledger::Delivered;
use crate::notification::Notification;
use crate::repository::{PushSubscription, PushSubscriptionRepository, Recipient};

/// The channel's name.
pub const NAME: &str = "push";

/// The most that a message may have, in bytes, so that it fits encrypted (RFC 8291, section 4).
const MOST_BYTES: usize = 3_900;

/// The longest topic (RFC 8030, section 5.4).
const TOPIC_LENGTH: usize = 32;

/// Sends push messages.
pub struct PushChannel {
    /// The devices.
    pub subscriptions: PushSubscriptionRepository,
    /// Who talks to their push services, if anybody does.
    pub pusher: Option<Arc<dyn Pusher>>,
    /// How long a push service keeps a message for a device that is offline.
    pub time_to_live: Duration,
}

#[async_trait]
impl Channel for PushChannel {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn send(&self, dispatch: Dispatch<'_>) -> Result<Delivered, UserError> {
        let Some(pusher) = self.pusher.as_deref() else {
            return Err(UserError::Unreachable(
                "push is not set up, set push.vapid_private_key",
            ));
        };
        let Recipient::User(user) = dispatch.recipient else {
            return Err(UserError::Unreachable("who has no account has no devices"));
        };
        let devices = self.subscriptions.list(&user.id).await?;
        let attempts = devices
            .into_iter()
            .map(|device| self.push(pusher, dispatch, device));
        overall(join_all(attempts).await)
    }
}

impl PushChannel {
    async fn push(
        &self,
        pusher: &dyn Pusher,
        dispatch: Dispatch<'_>,
        device: PushSubscription,
    ) -> Result<Delivered, UserError> {
        let message = self.message(dispatch.notification, &device);
        let send = async |gate| Ok(pusher.push(&message, &gate).await?);
        let delivered = dispatch
            .deliver(NAME, device.id.to_string(), None, send)
            .await;
        if let Err(UserError::Push(error)) = &delivered
            && error.is_gone()
        {
            self.subscriptions
                .disable(device.id, &error.to_string())
                .await?;
        }
        delivered
    }

    fn message(&self, notification: &Notification, device: &PushSubscription) -> PushMessage {
        PushMessage {
            target: device.target.clone(),
            topic: topic(&notification.id),
            time_to_live: self.time_to_live,
            urgent: notification.critical,
            payload: payload(notification),
        }
    }
}

/// What became of all devices together: not done while one may still be reached, and well if one was.
fn overall(pushed: Vec<Result<Delivered, UserError>>) -> Result<Delivered, UserError> {
    let mut overall = Err(UserError::Unreachable("the user allowed push on no device"));
    for device in pushed {
        overall = match (overall, device) {
            (Err(before), _) if before.is_retryable() => Err(before),
            (_, Err(error)) if error.is_retryable() => Err(error),
            (Ok(Delivered::Sent), _) | (_, Ok(Delivered::Sent)) => Ok(Delivered::Sent),
            (Ok(possibly), _) | (Err(_), Ok(possibly)) => Ok(possibly),
            (Err(_), Err(refused)) => Err(refused),
        };
    }
    overall
}

fn topic(notification_id: &str) -> String {
    let mut topic = URL_SAFE_NO_PAD.encode(Sha256::digest(notification_id));
    topic.truncate(TOPIC_LENGTH);
    topic
}

/// What the device gets: all of it if it fits, else without the metadata, else with less of the
/// message.
fn payload(notification: &Notification) -> Vec<u8> {
    let whole = encode(notification, &notification.message, &notification.metadata);
    if whole.len() <= MOST_BYTES {
        return whole;
    }
    let bare = encode(notification, &notification.message, &Map::new());
    let Some(excess) = bare
        .len()
        .checked_sub(MOST_BYTES)
        .filter(|&excess| excess > 0)
    else {
        return bare;
    };
    // A byte of the message takes at least one of the payload's, so this is never too little.
    let room = notification
        .message
        .len()
        .saturating_sub(excess + "…".len());
    let shortened = &notification.message[..notification.message.floor_char_boundary(room)];
    encode(notification, &format!("{shortened}…"), &Map::new())
}

fn encode(notification: &Notification, message: &str, metadata: &Map<String, Value>) -> Vec<u8> {
    json!({
        "id": notification.id,
        "type": notification.kind,
        "title": notification.title,
        "message": message,
        "metadata": metadata,
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use partner_core::ports::push::PushError;
    use proptest::prelude::*;

    use super::*;

    fn notification(message: &str, metadata: Value) -> Notification {
        Notification {
            id: "order/1/paid".to_owned(),
            kind: "info".to_owned(),
            title: "Paid".to_owned(),
            message: message.to_owned(),
            metadata: metadata.as_object().cloned().unwrap_or_default(),
            email: None,
            critical: false,
        }
    }

    fn read(payload: &[u8]) -> Value {
        assert!(payload.len() <= MOST_BYTES, "{} bytes", payload.len());
        serde_json::from_slice(payload).unwrap()
    }

    #[test]
    fn a_payload_that_fits_has_everything() {
        let payload = payload(&notification("Hello", json!({"a": [1]})));
        assert_eq!(
            read(&payload),
            json!({
                "id": "order/1/paid", "type": "info", "title": "Paid", "message": "Hello",
                "metadata": {"a": [1]},
            })
        );
    }

    #[test]
    fn metadata_goes_before_the_message_does() {
        let metadata = json!({"a": "x".repeat(MOST_BYTES)});
        let read = read(&payload(&notification("Hello", metadata)));
        assert_eq!(
            (&read["message"], &read["metadata"]),
            (&json!("Hello"), &json!({}))
        );
    }

    proptest! {
        #[test]
        fn a_long_message_is_cut_to_what_fits(message in ".{0,6000}", metadata in ".{0,4000}") {
            let notification = notification(&message, json!({"a": metadata}));
            let read = read(&payload(&notification));
            let got = read["message"].as_str().unwrap();
            prop_assert!(got == message || message.starts_with(got.strip_suffix('…').unwrap()));
        }
    }

    #[test]
    fn a_topic_is_one_a_notification_and_short_enough() {
        let topics = [topic("order/1/paid"), topic("order/2/paid")];
        assert_ne!(topics[0], topics[1]);
        for topic in topics {
            assert_eq!(topic.len(), TOPIC_LENGTH);
            assert!(
                topic
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            );
        }
    }

    #[test]
    fn one_device_that_is_reached_is_enough_unless_another_may_still_be() {
        let possibly = || Ok(Delivered::Possibly("lost".to_owned()));
        let gone = || Err(UserError::Push(PushError::Gone { status: 410 }));
        let busy = || {
            Err(UserError::Push(PushError::RateLimited {
                retry_after: None,
            }))
        };
        let word = |devices| match overall(devices) {
            Ok(Delivered::Sent) => "sent",
            Ok(Delivered::Possibly(_)) => "possibly",
            Err(error) if error.is_retryable() => "later",
            Err(UserError::Unreachable(_)) => "no device",
            Err(_) => "never",
        };
        for (devices, expected) in [
            (vec![], "no device"),
            (vec![gone(), Ok(Delivered::Sent), possibly()], "sent"),
            (vec![gone(), possibly()], "possibly"),
            (vec![possibly(), gone()], "possibly"),
            (vec![Ok(Delivered::Sent), busy(), gone()], "later"),
            (vec![busy(), Ok(Delivered::Sent)], "later"),
            (vec![gone(), gone()], "never"),
        ] {
            let shown = format!("{devices:?}");
            assert_eq!(word(devices), expected, "{shown}");
        }
    }
}
