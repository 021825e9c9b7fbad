//! Signed webhooks: what happened is posted to the receiver, in order, a few times at most.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::mpsc::UnboundedReceiver;

use super::WebhookOptions;
use super::ledger::Event;
use super::wire;
use crate::loopback::{StartError, now, pause};

/// A receiver that is down for longer than all of these misses the event.
const RETRY_DELAYS: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts events to one receiver.
pub(super) struct Poster {
    client: reqwest::Client,
    options: WebhookOptions,
}

impl Poster {
    pub(super) fn new(options: WebhookOptions) -> Result<Self, StartError> {
        // One provider serves the process; another part of it may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .map_err(|error| StartError::Webhook {
                reason: error.to_string(),
            })?;
        Ok(Self { client, options })
    }

    /// Posts every event until no more can come.
    pub(super) async fn run(self, id_prefix: String, mut events: UnboundedReceiver<Event>) {
        let mut number: u64 = 0;
        while let Some(event) = events.recv().await {
            number += 1;
            let id = format!("evt_{id_prefix}{number}");
            let body = wire::event(&id, now().timestamp(), &event).to_string();
            self.post(&id, body).await;
        }
    }

    async fn post(&self, id: &str, body: String) {
        for delay in RETRY_DELAYS {
            if self.post_once(&body).await {
                return;
            }
            pause(delay).await;
        }
        if !self.post_once(&body).await {
            tracing::warn!(event.id = id, "nobody took the webhook");
        }
    }

    async fn post_once(&self, body: &str) -> bool {
        let time = now().timestamp();
        let posted = self
            .client
            .post(&self.options.url)
            .header("Content-Type", "application/json; charset=utf-8")
            .header(
                "Stripe-Signature",
                signature(&self.options.secret, time, body),
            )
            .body(body.to_owned())
            .send()
            .await;
        posted.is_ok_and(|answer| answer.status().is_success())
    }
}

/// The value of `Stripe-Signature`: the time and a MAC of the time and the body.
fn signature(secret: &str, time: i64, body: &str) -> String {
    // Never fails: HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{time}.{body}").as_bytes());
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_the_time_and_the_body() {
        // From `printf '1.{}' | openssl dgst -sha256 -hmac whsec`.
        assert_eq!(
            signature("whsec", 1, "{}"),
            "t=1,v1=6ab13b5991724d5a0c7f02d7989ba3425b580e39d5b9a0a6258a7f5d0419173a"
        );
    }
}
