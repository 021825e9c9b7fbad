//! The Temporal service, which may be slow, down, or not there yet: a request waits for so long and
//! no longer, and the next one tries again.

use std::time::Duration;

use partner_core::client::{ClientError, ProcessClient};
use partner_core::config::TemporalConfig;
use partner_core::temporal;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::error::{ApiError, Result};

/// The Temporal service.
pub(crate) struct Temporal {
    config: TemporalConfig,
    patience: Duration,
    client: OnceCell<ProcessClient>,
}

impl Temporal {
    pub(crate) fn new(config: TemporalConfig, patience: Duration) -> Self {
        Self {
            config,
            patience,
            client: OnceCell::new(),
        }
    }

    /// Asks the service something, within the time that there is.
    pub(crate) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&ProcessClient) -> std::result::Result<T, ClientError>,
    ) -> Result<T> {
        let answer = async {
            let client = self.client().await?;
            question(client).await.map_err(ApiError::from)
        };
        timeout(self.patience, answer)
            .await
            .map_err(|_| ApiError::TemporalTimeout)?
    }

    /// The client; connecting takes a part of the time.
    pub(crate) async fn client(&self) -> Result<&ProcessClient> {
        let connect = || async {
            let client = temporal::connect(&self.config, "partner-api", None).await?;
            Ok(ProcessClient::new(client, self.config.task_queue.clone()))
        };
        self.client.get_or_try_init(connect).await
    }
}
