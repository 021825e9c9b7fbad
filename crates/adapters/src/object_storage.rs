//! Object storage over the `object_store` crate: a folder of this machine, S3 and what speaks like
//! it, Google Cloud Storage, Azure Blob Storage.
//!
//! References come from a workflow's input, and so from anyone. One is good only if it is spelled as
//! the store's own address and a path below it; in a folder, a symbolic link does not lead out
//! either.

mod backend;
mod client;
mod errors;
mod folder;
mod read;
mod upload;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod s3_double;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use partner_core::ports::object_store::{
    Content, ObjectStore, ObjectStoreError, OpenObject, StoredObject, is_valid_name,
};
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use crate::http::HttpConfigError;
use backend::Backend;

/// How to reach a store.
#[derive(Debug, Clone)]
pub struct ObjectStorageConfig {
    /// Its address: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`, or
    /// `az://container/prefix`.
    pub url: Url,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one call may take; a file is moved in calls of some megabytes each.
    pub timeout: Duration,
    /// The store's own options, such as `region` and `secret_access_key`, by the names that the
    /// `object_store` crate has for them. Any of them may be secret.
    pub options: BTreeMap<String, SecretString>,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ObjectStorageConfigError {
    /// Nobody here speaks this scheme.
    #[error("object storage at {scheme}:// is not supported, use file, s3, gs or az")]
    Scheme {
        /// The scheme that was asked for.
        scheme: String,
    },
    /// The address is not that of a folder on this machine.
    #[error("{0} is no folder's address, use file:///path")]
    NoFolder(String),
    /// The address is not that of a bucket.
    #[error("{0} is no bucket's address, use {1}://name/prefix with a plain prefix or without")]
    NoBucket(String, &'static str),
    /// The folder cannot be used.
    #[error("object storage folder {} cannot be used, create it", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The store has no such option, or not from here.
    #[error("storage.options.{key}: {reason}")]
    Option {
        /// Which option.
        key: String,
        /// What to do about it.
        reason: &'static str,
    },
    /// An HTTP client cannot be built.
    #[error("object storage cannot be reached")]
    Http(#[from] HttpConfigError),
    /// The store cannot be opened with these options; the text repeats none of the secret ones.
    #[error("object storage cannot be opened: {0}")]
    Store(String),
}

/// Files in a store.
#[derive(Debug)]
pub struct ObjectStorage {
    backend: Backend,
}

impl ObjectStorage {
    /// Opens a store. A folder must exist; a bucket is first asked for when it is used.
    ///
    /// # Errors
    /// [`ObjectStorageConfigError`] says what is supported.
    pub fn open(config: &ObjectStorageConfig) -> Result<Self, ObjectStorageConfigError> {
        let backend = match config.url.scheme() {
            "file" => backend::folder(config)?,
            "s3" => backend::s3(config)?,
            "gs" => backend::gcs(config)?,
            "az" => backend::azure(config)?,
            scheme => {
                return Err(ObjectStorageConfigError::Scheme {
                    scheme: scheme.to_owned(),
                });
            }
        };
        Ok(Self { backend })
    }

    fn foreign(&self, reference: &str) -> ObjectStoreError {
        ObjectStoreError::Foreign {
            reference: reference.to_owned(),
            store: self.backend.address.clone(),
        }
    }

    fn failed(&self, error: &StoreError, reference: &str) -> ObjectStoreError {
        errors::failed(error, reference, &self.backend.secrets)
    }

    /// The path that a reference names, if it is spelled as one below the store's address.
    fn path(&self, reference: &str) -> Result<Path, ObjectStoreError> {
        let spelled = || {
            let below = reference.strip_prefix(&self.backend.address)?;
            if below.contains(['?', '#', '\\']) {
                return None;
            }
            // Refuses `.` and `..`, however they are encoded, empty parts and control characters.
            let path = Path::from_url_path(below).ok()?;
            // What is left is an encoded slash, and slashes at the ends, which it takes off. A part
            // that begins with a dot is the store's own: an upload that is under way.
            let is_plain = path.parts_count() == below.split('/').count()
                && !path.parts().any(|part| part.as_ref().starts_with('.'));
            is_plain.then(|| self.backend.below_prefix(&path))
        };
        spelled().ok_or_else(|| self.foreign(reference))
    }

    /// The same path, where there is a file: in a folder without symbolic links, and still in it.
    async fn existing(&self, reference: &str) -> Result<Path, ObjectStoreError> {
        let path = self.path(reference)?;
        match &self.backend.folder {
            Some(folder) => folder.followed(&path).await,
            None => Ok(Some(path)),
        }
        .map_err(|error| errors::unreadable(error, reference))?
        .ok_or_else(|| self.foreign(reference))
    }

    /// Whether there is a folder of this name, which is no file.
    async fn is_folder(&self, path: &Path) -> bool {
        match &self.backend.folder {
            Some(folder) => folder.is_folder(path).await,
            None => false,
        }
    }

    /// Refuses a path whose folder a symbolic link moves out of the store.
    async fn keep_inside(&self, path: &Path, reference: &str) -> Result<(), ObjectStoreError> {
        let is_inside = match &self.backend.folder {
            Some(folder) => folder
                .is_parent_inside(path)
                .await
                .map_err(|error| errors::unreadable(error, reference))?,
            None => true,
        };
        if is_inside {
            Ok(())
        } else {
            Err(self.foreign(reference))
        }
    }
}

#[async_trait]
impl ObjectStore for ObjectStorage {
    fn reference(&self, name: &str) -> Result<String, ObjectStoreError> {
        if is_valid_name(name) {
            Ok(format!("{}{name}", self.backend.address))
        } else {
            Err(ObjectStoreError::InvalidName(name.to_owned()))
        }
    }

    fn name(&self, reference: &str) -> Result<String, ObjectStoreError> {
        self.path(reference)?;
        // A file that somebody else wrote may have a name that we do not give.
        let name = reference.strip_prefix(&self.backend.address);
        name.filter(|name| is_valid_name(name))
            .map(ToOwned::to_owned)
            .ok_or_else(|| ObjectStoreError::InvalidName(reference.to_owned()))
    }

    async fn create(
        &self,
        name: &str,
        content: Content<'_>,
    ) -> Result<StoredObject, ObjectStoreError> {
        let reference = self.reference(name)?;
        let path = self.path(&reference)?;
        self.keep_inside(&path, &reference).await?;
        if self.is_folder(&path).await {
            return Err(ObjectStoreError::Refused(format!(
                "{reference:?} is a folder"
            )));
        }
        upload::create(self, reference, path, content).await
    }

    async fn open(&self, reference: &str) -> Result<OpenObject, ObjectStoreError> {
        let path = self.existing(reference).await?;
        read::open(&self.backend, path, reference).await
    }

    async fn read(&self, reference: &str, limit: u64) -> Result<Vec<u8>, ObjectStoreError> {
        let mut file = self.open(reference).await?;
        if file.bytes > limit {
            return Err(ObjectStoreError::TooLarge {
                reference: reference.to_owned(),
                limit,
            });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or_default());
        while let Some(chunk) = file.content.try_next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn delete(&self, reference: &str) -> Result<(), ObjectStoreError> {
        let path = self.path(reference)?;
        self.keep_inside(&path, reference).await?;
        if self.is_folder(&path).await {
            return Ok(());
        }
        match self.backend.store.delete(&path).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error, reference)),
        }
    }

    async fn link(
        &self,
        reference: &str,
        expires_in: Duration,
    ) -> Result<Option<Url>, ObjectStoreError> {
        let path = self.path(reference)?;
        let Some(signer) = &self.backend.signer else {
            return Ok(None);
        };
        match signer.signed_url(Method::GET, &path, expires_in).await {
            Ok(url) => Ok(Some(url)),
            // Such as Azure with a shared access signature, which cannot sign another.
            Err(StoreError::NotSupported { .. } | StoreError::NotImplemented { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error, reference)),
        }
    }
}
