//! The object storage of the cleanup's tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use partner_adapters::ObjectStorage;
use partner_core::ports::object_store::{
    Content, ObjectStore, ObjectStoreError, OpenObject, StoredObject, content as content_of,
};
use url::Url;

/// A folder that can be told to fail, and counts. What writes goes on
/// if its caller goes away, like a request that was sent.
pub(crate) struct Objects {
    /// Whoever is at it holds it as well.
    pub(crate) store: Arc<ObjectStorage>,
    pub(crate) failing_deletions: AtomicU32,
    pub(crate) created: AtomicU32,
}

#[async_trait]
impl ObjectStore for Objects {
    fn reference(&self, name: &str) -> Result<String, ObjectStoreError> {
        self.store.reference(name)
    }

    fn name(&self, reference: &str) -> Result<String, ObjectStoreError> {
        self.store.name(reference)
    }

    async fn create(
        &self,
        name: &str,
        content: Content<'_>,
    ) -> Result<StoredObject, ObjectStoreError> {
        self.created.fetch_add(1, Ordering::Relaxed);
        let pieces: Vec<_> = content.try_collect().await?;
        let (store, name) = (Arc::clone(&self.store), name.to_owned());
        sent(async move { store.create(&name, content_of(pieces.concat())).await }).await
    }

    async fn open(&self, reference: &str) -> Result<OpenObject, ObjectStoreError> {
        self.store.open(reference).await
    }

    async fn read(&self, reference: &str, limit: u64) -> Result<Vec<u8>, ObjectStoreError> {
        self.store.read(reference, limit).await
    }

    async fn delete(&self, reference: &str) -> Result<(), ObjectStoreError> {
        let fails =
            self.failing_deletions
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
        if fails.is_ok() {
            return Err(ObjectStoreError::Unavailable("no answer".to_owned()));
        }
        let (store, reference) = (Arc::clone(&self.store), reference.to_owned());
        sent(async move { store.delete(&reference).await }).await
    }

    async fn link(
        &self,
        reference: &str,
        expires_in: Duration,
    ) -> Result<Option<Url>, ObjectStoreError> {
        self.store.link(reference, expires_in).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a request that was sent goes on without whoever sent it"
)]
async fn sent<T: Send + 'static>(
    request: impl Future<Output = Result<T, ObjectStoreError>> + Send + 'static,
) -> Result<T, ObjectStoreError> {
    tokio::spawn(request)
        .await
        .unwrap_or_else(|error| Err(ObjectStoreError::Unavailable(error.to_string())))
}
