//! What stands behind the ports: a search index and a post that fail, and wait, as they are told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use partner_core::contracts::notification::{SendNotificationInput, SendNotificationResult};
use partner_core::error::{ErrorCode, Failure};
use partner_core::ports::notifier::{Notifier, NotifierError};
use partner_core::ports::search_index::{
    SearchDocument, SearchIndex, SearchIndexError, SearchPage, SearchQuery, check_write,
};
use tokio::sync::oneshot;

use crate::support::PATIENCE;

/// A search index in memory, with the port's versions.
#[derive(Default)]
pub(crate) struct Index {
    kept: Mutex<BTreeMap<String, Kept>>,
    incidents: Mutex<VecDeque<(Moment, Incident)>>,
}

/// The latest write of a listing; a removal leaves a write without a document.
struct Kept {
    version: i64,
    document: Option<SearchDocument>,
}

/// When something happens to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before it takes effect.
    Arriving,
    /// After it took effect, before that is known.
    Answering,
}

impl Moment {
    pub(crate) const ALL: [Self; 2] = [Self::Arriving, Self::Answering];
}

/// What happens to a write.
enum Incident {
    Fails(SearchIndexError),
    Waits {
        reached: oneshot::Sender<()>,
        released: oneshot::Receiver<()>,
    },
}

/// A write that is going to be held up.
pub(crate) struct Held {
    reached: oneshot::Receiver<()>,
    release: oneshot::Sender<()>,
}

impl Held {
    /// Waits until the write is held up, does this meanwhile, and lets the write go on.
    pub(crate) async fn meanwhile<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let reached = tokio::time::timeout(PATIENCE, self.reached).await;
        reached.context("no write came")?.context("it is gone")?;
        let done = work.await;
        // Whoever wrote has given up waiting: its own test says so.
        self.release.send(()).ok();
        done
    }
}

impl Index {
    /// Lets the next write fail: before it takes effect, or only its answer.
    pub(crate) fn fail(&self, moment: Moment, error: SearchIndexError) {
        lock(&self.incidents).push_back((moment, Incident::Fails(error)));
    }

    /// Holds the next write up.
    pub(crate) fn hold(&self, moment: Moment) -> Held {
        let (reached, has_reached) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let incident = Incident::Waits { reached, released };
        lock(&self.incidents).push_back((moment, incident));
        Held {
            reached: has_reached,
            release,
        }
    }

    /// The version of the latest write of a listing.
    pub(crate) fn version(&self, listing_id: &str) -> Option<i64> {
        lock(&self.kept).get(listing_id).map(|kept| kept.version)
    }

    /// What is found of a listing.
    pub(crate) fn document(&self, listing_id: &str) -> Option<SearchDocument> {
        lock(&self.kept).get(listing_id)?.document.clone()
    }

    async fn write(
        &self,
        listing_id: &str,
        version: i64,
        document: Option<SearchDocument>,
    ) -> Result<(), SearchIndexError> {
        check_write(listing_id, version)?;
        let incident = lock(&self.incidents).pop_front();
        let (before, after) = match incident {
            Some((Moment::Arriving, incident)) => (Some(incident), None),
            Some((Moment::Answering, incident)) => (None, Some(incident)),
            None => (None, None),
        };
        happen(before).await?;
        let written = self.keep(listing_id, version, document);
        happen(after).await?;
        written
    }

    fn keep(
        &self,
        listing_id: &str,
        version: i64,
        document: Option<SearchDocument>,
    ) -> Result<(), SearchIndexError> {
        let mut kept = lock(&self.kept);
        let latest = kept.get(listing_id).map(|kept| kept.version);
        if latest.is_some_and(|latest| latest > version) {
            return Err(SearchIndexError::Superseded {
                listing_id: listing_id.to_owned(),
                version,
            });
        }
        if latest != Some(version) {
            kept.insert(listing_id.to_owned(), Kept { version, document });
        }
        Ok(())
    }
}

async fn happen(incident: Option<Incident>) -> Result<(), SearchIndexError> {
    match incident {
        Some(Incident::Fails(error)) => Err(error),
        Some(Incident::Waits { reached, released }) => {
            reached.send(()).ok();
            let gone = |_| SearchIndexError::NoAnswer("nobody lets the write go on".to_owned());
            released.await.map_err(gone)
        }
        None => Ok(()),
    }
}

#[async_trait]
impl SearchIndex for Index {
    async fn publish(&self, document: &SearchDocument) -> Result<(), SearchIndexError> {
        let written = Some(document.clone());
        self.write(&document.listing_id, document.version, written)
            .await
    }

    async fn remove(&self, listing_id: &str, version: i64) -> Result<(), SearchIndexError> {
        self.write(listing_id, version, None).await
    }

    async fn search(&self, _query: &SearchQuery) -> Result<SearchPage, SearchIndexError> {
        let reason = "no activity searches: what is found is for the adapters' tests to say";
        Err(SearchIndexError::Invalid(reason.to_owned()))
    }

    async fn lookup(&self, listing_id: &str) -> Result<Option<SearchDocument>, SearchIndexError> {
        Ok(self.document(listing_id))
    }
}

/// Brings everyone what they are told, once per key, except to those whom it cannot reach.
#[derive(Default)]
pub(crate) struct Post {
    told: Mutex<Vec<Told>>,
    unreachable: Mutex<BTreeMap<String, Unreachable>>,
}

/// What someone was told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) notification: SendNotificationInput,
    /// Whether whoever asked said that they had tried before.
    pub(crate) retried: bool,
}

/// Why someone is not told.
#[derive(Debug, Clone, thiserror::Error)]
#[error("nobody opens")]
pub(crate) struct Unreachable {
    /// For how long; without it, for good.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure for Unreachable {
    fn code(&self) -> ErrorCode {
        ErrorCode::ExternalServiceError
    }

    fn is_retryable(&self) -> bool {
        self.retry_after.is_some()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl Post {
    /// Lets someone not be reached, for as long as nobody says otherwise.
    pub(crate) fn lose(&self, user_id: &str, reason: Unreachable) {
        lock(&self.unreachable).insert(user_id.to_owned(), reason);
    }

    /// Lets everyone be reached again.
    pub(crate) fn find_everyone(&self) {
        lock(&self.unreachable).clear();
    }

    /// What was told, in turn.
    pub(crate) fn told(&self) -> Vec<Told> {
        lock(&self.told).clone()
    }

    /// Who was told what kind of thing, by their name.
    pub(crate) fn kinds(&self) -> Vec<(String, String)> {
        let mut kinds: Vec<_> = self
            .told()
            .into_iter()
            .map(|told| (told.notification.user_id, told.notification.kind))
            .collect();
        kinds.sort();
        kinds
    }
}

#[async_trait]
impl Notifier for Post {
    async fn notify(
        &self,
        notification: SendNotificationInput,
        retried: bool,
    ) -> Result<SendNotificationResult, NotifierError> {
        if let Some(reason) = lock(&self.unreachable).get(&notification.user_id) {
            return Err(NotifierError::new(reason.clone()));
        }
        let result = SendNotificationResult {
            success: true,
            user_id: notification.user_id.clone(),
            kind: notification.kind.clone(),
            channels: Vec::new(),
        };
        let mut told = lock(&self.told);
        let is_same = |other: &Told| {
            notification.notification_id.is_some()
                && other.notification.notification_id == notification.notification_id
                && other.notification.user_id == notification.user_id
        };
        if !told.iter().any(is_same) {
            told.push(Told {
                notification,
                retried,
            });
        }
        Ok(result)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
