//! Writing a file once.
//!
//! A small file is one conditional call. A large one cannot be: no store completes the upload of many
//! parts on a condition that the crate could ask for. It is uploaded under a name of its own, and
//! then copied to the right one on the condition that there is nothing, which happens within the
//! store. Uploads that a crash leaves behind are all below `.uploads/`: let the bucket's lifecycle
//! rules remove what is older than a day there, and parts that were never completed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    Error as StoreError, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode,
};
use partner_core::ports::object_store::{
    Content, MAX_BYTES, ObjectStore as _, ObjectStoreError, StoredObject,
};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::ObjectStorage;

/// Where uploads are that are under way. No reference leads there.
const UPLOADS: &str = ".uploads";

/// Writes a file, unless there is one with another content.
pub(super) async fn create(
    storage: &ObjectStorage,
    reference: String,
    path: Path,
    content: Content<'_>,
) -> Result<StoredObject, ObjectStoreError> {
    let mut parts = Parts::new(storage, content, &reference);
    let first = parts.next().await?;
    let written = if parts.is_at_end() {
        let store = &storage.backend.store;
        let put = store.put_opts(&path, first.into(), PutMode::Create.into());
        put.await.map(drop)
    } else {
        upload(storage, &path, first, &mut parts).await?
    };
    let stored = StoredObject {
        bytes: parts.bytes,
        sha256: parts.sha256(),
        reference,
    };
    match written {
        Ok(()) => Ok(stored),
        Err(StoreError::AlreadyExists { .. }) => compare(storage, stored).await,
        Err(error) => Err(storage.failed(&error, &stored.reference)),
    }
}

/// Sends a large file, and gives it its name.
async fn upload(
    storage: &ObjectStorage,
    path: &Path,
    first: Bytes,
    parts: &mut Parts<'_>,
) -> Result<Result<(), StoreError>, ObjectStoreError> {
    let name = [UPLOADS, Uuid::new_v4().simple().to_string().as_str()]
        .into_iter()
        .collect();
    let staged = storage.backend.below_prefix(&name);
    storage.keep_inside(&staged, &parts.reference).await?;
    let mut upload = Upload::begin(&storage.backend.store, staged)
        .await
        .map_err(|error| storage.failed(&error, &parts.reference))?;
    let sent = upload.send(storage, first, parts).await;
    let named = match sent {
        Ok(()) => Ok(upload.copy_to(path).await),
        Err(error) => Err(error),
    };
    upload.remove().await;
    named
}

/// Whether the file that is there already is the one that was to be written.
async fn compare(
    storage: &ObjectStorage,
    stored: StoredObject,
) -> Result<StoredObject, ObjectStoreError> {
    let found = match storage.open(&stored.reference).await {
        // Somebody is writing it at this moment, or has just deleted it.
        Err(ObjectStoreError::NotFound(_)) => {
            return Err(ObjectStoreError::Unavailable(format!(
                "{:?} is being written by another",
                stored.reference
            )));
        }
        found => found?,
    };
    let mut parts = Parts::new(storage, found.content, &stored.reference);
    while !parts.is_at_end() {
        parts.next().await?;
    }
    if parts.sha256() == stored.sha256 {
        Ok(stored)
    } else {
        Err(ObjectStoreError::AlreadyExists(stored.reference))
    }
}

/// A content, cut into parts to be sent.
struct Parts<'a> {
    content: Content<'a>,
    reference: String,
    /// Of how many bytes a part is.
    length: usize,
    /// What of the content's last piece is not in a part yet.
    rest: Bytes,
    buffer: BytesMut,
    has_ended: bool,
    sha256: Sha256,
    bytes: u64,
}

impl<'a> Parts<'a> {
    fn new(storage: &ObjectStorage, content: Content<'a>, reference: &str) -> Self {
        Self {
            content,
            reference: reference.to_owned(),
            length: storage.backend.piece,
            rest: Bytes::new(),
            buffer: BytesMut::new(),
            has_ended: false,
            sha256: Sha256::new(),
            bytes: 0,
        }
    }

    /// The next part; all but the last have the same length.
    async fn next(&mut self) -> Result<Bytes, ObjectStoreError> {
        // One byte more than a part tells whether another follows.
        while !self.has_ended && self.buffer.len() <= self.length {
            if self.rest.is_empty() {
                match self.content.try_next().await? {
                    Some(piece) => self.take(piece)?,
                    None => self.has_ended = true,
                }
            }
            let room = self.length + 1 - self.buffer.len();
            let piece = self.rest.split_to(room.min(self.rest.len()));
            self.buffer.extend_from_slice(&piece);
        }
        let length = self.buffer.len().min(self.length);
        Ok(self.buffer.split_to(length).freeze())
    }

    fn take(&mut self, piece: Bytes) -> Result<(), ObjectStoreError> {
        self.bytes += piece.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(ObjectStoreError::TooLarge {
                reference: self.reference.clone(),
                limit: MAX_BYTES,
            });
        }
        self.sha256.update(&piece);
        self.rest = piece;
        Ok(())
    }

    fn is_at_end(&self) -> bool {
        self.has_ended && self.buffer.is_empty()
    }

    /// The hash of what was taken, in hexadecimal.
    fn sha256(&self) -> String {
        hex::encode(self.sha256.clone().finalize())
    }
}

/// A large file that is on its way, and is removed if it does not arrive.
struct Upload {
    store: Arc<dyn ObjectStore>,
    staged: Path,
    remains: Option<Remains>,
}

/// What of an upload is in the store.
enum Remains {
    Parts(Box<dyn MultipartUpload>),
    File,
}

impl Upload {
    async fn begin(store: &Arc<dyn ObjectStore>, staged: Path) -> Result<Self, StoreError> {
        let parts = store.put_multipart(&staged).await?;
        Ok(Self {
            store: Arc::clone(store),
            staged,
            remains: Some(Remains::Parts(parts)),
        })
    }

    /// Sends all parts, one after the other.
    async fn send(
        &mut self,
        storage: &ObjectStorage,
        first: Bytes,
        parts: &mut Parts<'_>,
    ) -> Result<(), ObjectStoreError> {
        let Some(Remains::Parts(upload)) = &mut self.remains else {
            return Ok(());
        };
        let reference = parts.reference.clone();
        let failed = |error| storage.failed(&error, &reference);
        upload.put_part(first.into()).await.map_err(failed)?;
        while !parts.is_at_end() {
            let part = parts.next().await?;
            upload.put_part(part.into()).await.map_err(failed)?;
        }
        upload.complete().await.map_err(failed)?;
        self.remains = Some(Remains::File);
        Ok(())
    }

    /// Gives the file its name, unless there is one of that name.
    async fn copy_to(&mut self, path: &Path) -> Result<(), StoreError> {
        self.store.copy_if_not_exists(&self.staged, path).await
    }

    /// Removes what is left. If that fails, the lifecycle rules of the bucket do it.
    async fn remove(&mut self) {
        if let Some(remains) = self.remains.take() {
            remove(Arc::clone(&self.store), self.staged.clone(), remains).await;
        }
    }
}

impl Drop for Upload {
    /// Whoever was waiting for the upload has gone, such as an activity that was cancelled.
    fn drop(&mut self) {
        if let (Some(remains), Ok(runtime)) = (self.remains.take(), Handle::try_current()) {
            runtime.spawn(remove(
                Arc::clone(&self.store),
                self.staged.clone(),
                remains,
            ));
        }
    }
}

async fn remove(store: Arc<dyn ObjectStore>, staged: Path, remains: Remains) {
    let removed = match remains {
        Remains::Parts(mut parts) => parts.abort().await,
        Remains::File => store.delete(&staged).await,
    };
    if let Err(error) = removed {
        tracing::warn!(
            object.path = %staged,
            error = %error,
            "what was left of an upload could not be removed"
        );
    }
}
