//! Reading a file piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt as _};
use partner_core::ports::object_store::{ObjectStoreError, OpenObject};

use super::backend::Backend;
use super::errors::{self, Secrets};

/// Opens the file at a path.
///
/// Each piece is a call of its own: however slowly the content is read, no connection waits for it,
/// and none is cut off by the timeout of a call.
pub(super) async fn open(
    backend: &Backend,
    path: Path,
    reference: &str,
) -> Result<OpenObject, ObjectStoreError> {
    let head = backend.store.head(&path).await;
    let meta = head.map_err(|error| errors::failed(&error, reference, &backend.secrets))?;
    let reader = Reader {
        store: Arc::clone(&backend.store),
        secrets: backend.secrets.clone(),
        path,
        reference: reference.to_owned(),
        version: meta.e_tag,
        bytes: meta.size,
        position: 0,
        piece: backend.piece as u64,
    };
    Ok(OpenObject {
        bytes: meta.size,
        content: stream::try_unfold(reader, Reader::next).boxed(),
    })
}

struct Reader {
    store: Arc<dyn ObjectStore>,
    secrets: Secrets,
    path: Path,
    reference: String,
    /// What all pieces must be of.
    version: Option<String>,
    bytes: u64,
    position: u64,
    piece: u64,
}

impl Reader {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ObjectStoreError> {
        if self.position == self.bytes {
            return Ok(None);
        }
        let end = self.bytes.min(self.position + self.piece);
        let options = GetOptions::new()
            .with_range(Some(self.position..end))
            .with_if_match(self.version.clone());
        let piece = async {
            let found = self.store.get_opts(&self.path, options).await?;
            found.bytes().await
        };
        let piece = piece.await.map_err(|error| self.failed(&error))?;
        self.position = end;
        Ok(Some((piece, self)))
    }

    fn failed(&self, error: &StoreError) -> ObjectStoreError {
        match error {
            StoreError::Precondition { .. } => ObjectStoreError::Unavailable(format!(
                "{:?} was replaced while it was read",
                self.reference
            )),
            other => errors::failed(other, &self.reference, &self.secrets),
        }
    }
}
