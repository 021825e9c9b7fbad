//! What stands behind a port where no real server is needed. Each passes the real gate.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use partner_core::ports::hand_over::HandOver;
use partner_core::ports::object_store::{
    Content, ObjectStore, ObjectStoreError, OpenObject, StoredObject, content,
};
use partner_core::ports::push::{PushError, PushMessage, Pusher};
use url::Url;

/// A push service that keeps what it takes, and fails as it is told.
#[derive(Default)]
pub(crate) struct PushService {
    taken: Mutex<Vec<PushMessage>>,
    faults: Mutex<BTreeMap<String, VecDeque<PushError>>>,
}

impl PushService {
    /// Lets the next message to a device fail. One whose answer is lost is taken all the same.
    pub(crate) fn fail(&self, device: &str, error: PushError) {
        let mut faults = lock(&self.faults);
        faults
            .entry(device.to_owned())
            .or_default()
            .push_back(error);
    }

    /// What it took.
    pub(crate) fn taken(&self) -> Vec<PushMessage> {
        lock(&self.taken).clone()
    }

    /// The devices that it took messages to, in turn.
    pub(crate) fn reached(&self) -> Vec<String> {
        self.taken()
            .into_iter()
            .map(|message| message.target.endpoint)
            .collect()
    }
}

#[async_trait]
impl Pusher for PushService {
    async fn push(&self, message: &PushMessage, gate: &dyn HandOver) -> Result<(), PushError> {
        gate.hand_over().await?;
        let fault = lock(&self.faults)
            .get_mut(&message.target.endpoint)
            .and_then(VecDeque::pop_front);
        if fault.as_ref().is_none_or(PushError::outcome_is_unknown) {
            lock(&self.taken).push(message.clone());
        }
        fault.map_or(Ok(()), Err)
    }
}

/// The address of the store.
const STORE: &str = "s3://files/";

/// Files in object storage.
#[derive(Default)]
pub(crate) struct Files {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    failures: Mutex<u32>,
}

impl Files {
    /// Stores a file, and gives its reference.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> String {
        let reference = format!("{STORE}{name}");
        lock(&self.files).insert(reference.clone(), content.to_vec());
        reference
    }

    /// Lets the next reads fail.
    pub(crate) fn be_away(&self, times: u32) {
        *lock(&self.failures) = times;
    }

    fn is_away(&self) -> bool {
        let mut failures = lock(&self.failures);
        let away = *failures > 0;
        *failures = failures.saturating_sub(1);
        away
    }
}

#[async_trait]
impl ObjectStore for Files {
    fn reference(&self, name: &str) -> Result<String, ObjectStoreError> {
        Ok(format!("{STORE}{name}"))
    }

    fn name(&self, reference: &str) -> Result<String, ObjectStoreError> {
        Ok(reference.trim_start_matches(STORE).to_owned())
    }

    async fn create(
        &self,
        name: &str,
        _content: Content<'_>,
    ) -> Result<StoredObject, ObjectStoreError> {
        Err(read_only(name))
    }

    async fn open(&self, reference: &str) -> Result<OpenObject, ObjectStoreError> {
        let file = self.read(reference, u64::MAX).await?;
        Ok(OpenObject {
            bytes: file.len() as u64,
            content: content(file),
        })
    }

    async fn delete(&self, reference: &str) -> Result<(), ObjectStoreError> {
        Err(read_only(reference))
    }

    async fn link(&self, _: &str, _: Duration) -> Result<Option<Url>, ObjectStoreError> {
        Ok(None)
    }

    async fn read(&self, reference: &str, limit: u64) -> Result<Vec<u8>, ObjectStoreError> {
        let reference = reference.to_owned();
        if !reference.starts_with(STORE) {
            let store = STORE.to_owned();
            return Err(ObjectStoreError::Foreign { reference, store });
        }
        if self.is_away() {
            return Err(ObjectStoreError::Unavailable("no answer".to_owned()));
        }
        let file = lock(&self.files).get(&reference).cloned();
        match file {
            None => Err(ObjectStoreError::NotFound(reference)),
            Some(file) if file.len() as u64 > limit => {
                Err(ObjectStoreError::TooLarge { reference, limit })
            }
            Some(file) => Ok(file),
        }
    }
}

/// No activity of this domain writes.
fn read_only(what: &str) -> ObjectStoreError {
    ObjectStoreError::Refused(format!("{what:?} would be changed"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
