//! Object storage over the `object_store` crate: folders of this machine so far.
//!
//! References come from a workflow's input, and so from anyone. One is good only if it is spelled as
//! the store's own address and a path below it; a symbolic link does not lead out either.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use partner_core::ports::object_store::{ObjectStore, ObjectStoreError};
use url::Url;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ObjectStoreConfigError {
    /// Nobody here speaks this scheme.
    #[error("object storage at {scheme}:// is not supported, use a folder: file:///path")]
    Scheme {
        /// The scheme that was asked for.
        scheme: String,
    },
    /// The address is not that of a folder on this machine.
    #[error("{0} is no folder's address, use file:///path")]
    NoFolder(String),
    /// The folder cannot be used.
    #[error("object storage folder {} cannot be used, create it", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("object storage cannot be opened")]
    Store(#[from] StoreError),
}

/// Files in a store.
#[derive(Debug)]
pub struct ObjectStoreFiles {
    files: LocalFileSystem,
    /// The store's own address, with a slash at its end: what every reference begins with.
    address: String,
    /// The store's folder, without symbolic links.
    folder: PathBuf,
}

impl ObjectStoreFiles {
    /// Opens the store at this address: a folder that exists, as `file:///folder`.
    ///
    /// # Errors
    /// [`ObjectStoreConfigError`] says what is supported.
    pub fn open(url: &Url) -> Result<Self, ObjectStoreConfigError> {
        if url.scheme() != "file" {
            return Err(ObjectStoreConfigError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        let is_plain = url.query().is_none() && url.fragment().is_none();
        let folder = url
            .to_file_path()
            .ok()
            .filter(|_| is_plain)
            .ok_or_else(|| ObjectStoreConfigError::NoFolder(url.to_string()))?;
        let is_folder = |folder: PathBuf| {
            if folder.is_dir() {
                Ok(folder)
            } else {
                Err(io::ErrorKind::NotADirectory.into())
            }
        };
        let canonical = folder
            .canonicalize()
            .and_then(is_folder)
            .map_err(|source| ObjectStoreConfigError::Folder { folder, source })?;
        Ok(Self {
            files: LocalFileSystem::new_with_prefix(&canonical)?,
            address: format!("{}/", url.as_str().trim_end_matches('/')),
            folder: canonical,
        })
    }

    fn foreign(&self, reference: &str) -> ObjectStoreError {
        ObjectStoreError::Foreign {
            reference: reference.to_owned(),
            store: self.address.clone(),
        }
    }

    /// The path that a reference names, if it is spelled as one below the store's address.
    fn path(&self, reference: &str) -> Option<Path> {
        let below = reference.strip_prefix(&self.address)?;
        if below.contains(['?', '#', '\\']) {
            return None;
        }
        // Refuses `.` and `..`, however they are encoded, empty segments and control characters.
        let path = Path::from_url_path(below).ok()?;
        // What is left is an encoded slash, and slashes at the ends, which it takes off.
        (path.parts_count() == below.split('/').count()).then_some(path)
    }

    /// The same path without symbolic links, if that is still in the store.
    async fn followed(&self, path: &Path, reference: &str) -> Result<Path, ObjectStoreError> {
        let file = self
            .files
            .path_to_filesystem(path)
            .map_err(|_| self.foreign(reference))?;
        let file = tokio::fs::canonicalize(file)
            .await
            .map_err(|error| unreadable(error, reference))?;
        let below = file
            .strip_prefix(&self.folder)
            .ok()
            .and_then(|below| below.to_str());
        below
            .and_then(|below| Path::parse(below).ok())
            .ok_or_else(|| self.foreign(reference))
    }
}

#[async_trait]
impl ObjectStore for ObjectStoreFiles {
    async fn read(&self, reference: &str, limit: u64) -> Result<Vec<u8>, ObjectStoreError> {
        let path = self
            .path(reference)
            .ok_or_else(|| self.foreign(reference))?;
        let path = self.followed(&path, reference).await?;
        let failed = |error| failed(error, reference);
        let too_large = || ObjectStoreError::TooLarge {
            reference: reference.to_owned(),
            limit,
        };
        let found = self.files.get(&path).await.map_err(failed)?;
        if found.meta.size > limit {
            return Err(too_large());
        }
        let mut content = Vec::new();
        let mut chunks = found.into_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
            content.extend_from_slice(&chunk);
            // The file may have grown since its size was read.
            if content.len() as u64 > limit {
                return Err(too_large());
            }
        }
        Ok(content)
    }
}

fn failed(error: StoreError, reference: &str) -> ObjectStoreError {
    match error {
        StoreError::NotFound { .. } => ObjectStoreError::NotFound(reference.to_owned()),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            ObjectStoreError::Denied(partner_core::error::chain(&error))
        }
        other => match io_error(&other).map(io::Error::kind) {
            Some(io::ErrorKind::PermissionDenied) => {
                ObjectStoreError::Denied(partner_core::error::chain(&other))
            }
            _ => ObjectStoreError::Unavailable(partner_core::error::chain(&other)),
        },
    }
}

/// What the system said, which the crate wraps.
fn io_error(error: &StoreError) -> Option<&io::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn unreadable(error: io::Error, reference: &str) -> ObjectStoreError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            ObjectStoreError::NotFound(reference.to_owned())
        }
        io::ErrorKind::PermissionDenied => ObjectStoreError::Denied(error.to_string()),
        _ => ObjectStoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use partner_core::error::Failure as _;
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    const SECRET: &[u8] = b"not yours";

    /// A store beside a secret, and in a folder whose name begins like the secret's.
    struct World {
        home: TempDir,
        store: ObjectStoreFiles,
    }

    impl World {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            fs::create_dir_all(home.path().join("files/reports")).unwrap();
            fs::write(home.path().join("files/reports/a b.txt"), b"hello").unwrap();
            fs::write(home.path().join("secret"), SECRET).unwrap();
            fs::create_dir(home.path().join("files-of-others")).unwrap();
            fs::write(home.path().join("files-of-others/x"), SECRET).unwrap();
            let url = Url::from_directory_path(home.path().join("files")).unwrap();
            let store = ObjectStoreFiles::open(&url).unwrap();
            Self { home, store }
        }

        fn reference(&self, below: &str) -> String {
            format!("{}{below}", self.store.address)
        }

        async fn read(&self, below: &str) -> Result<Vec<u8>, ObjectStoreError> {
            self.store.read(&self.reference(below), 1_000).await
        }
    }

    #[tokio::test]
    async fn a_file_is_read_by_its_reference() {
        let world = World::new();
        assert_eq!(world.read("reports/a%20b.txt").await.unwrap(), b"hello");
        assert_eq!(world.read("reports/a b.txt").await.unwrap(), b"hello");
    }

    #[tokio::test]
    async fn an_address_with_or_without_a_slash_at_its_end_is_the_same_store() {
        let world = World::new();
        let url = Url::from_file_path(world.home.path().join("files")).unwrap();
        let store = ObjectStoreFiles::open(&url).unwrap();
        let reference = format!("{url}/reports/a%20b.txt");
        assert_eq!(store.read(&reference, 5).await.unwrap(), b"hello");
    }

    #[tokio::test]
    async fn a_file_may_have_as_many_bytes_as_allowed_and_no_more() {
        let world = World::new();
        let reference = world.reference("reports/a%20b.txt");
        assert_eq!(world.store.read(&reference, 5).await.unwrap(), b"hello");
        let error = world.store.read(&reference, 4).await.unwrap_err();
        assert!(
            matches!(error, ObjectStoreError::TooLarge { limit: 4, .. }),
            "{error:?}"
        );
        assert!(!error.is_retryable());
    }

    #[tokio::test]
    async fn what_is_no_file_is_not_found() {
        let world = World::new();
        for below in ["missing", "reports", "reports/a%20b.txt/x", "reports/.."] {
            let error = world.read(below).await.unwrap_err();
            assert!(!error.is_retryable(), "{below}: {error:?}");
            assert_eq!(
                matches!(error, ObjectStoreError::NotFound(_)),
                below != "reports/..",
                "{below}: {error:?}"
            );
        }
    }

    #[tokio::test]
    async fn nothing_outside_the_store_is_read() {
        let world = World::new();
        let home = Url::from_directory_path(world.home.path()).unwrap();
        let references = [
            format!("{home}secret"),
            format!("{home}files-of-others/x"),
            format!("{home}files/../secret"),
            format!("{home}files"),
            world.reference(""),
            world.reference("/reports/a%20b.txt"),
            world.reference("reports/a%20b.txt/"),
            world.reference("reports//a%20b.txt"),
            world.reference("./reports/a%20b.txt"),
            world.reference("../secret"),
            world.reference("%2e%2e/secret"),
            world.reference("reports/..%2f..%2fsecret"),
            world.reference("reports%2fa%20b.txt"),
            world.reference("reports/..\\..\\secret"),
            world.reference("reports/a%20b.txt?x"),
            world.reference("reports/a%20b.txt#x"),
            world.reference("reports/a%00"),
            world.reference("reports/%ff"),
            "reports/a b.txt".to_owned(),
            "s3://bucket/reports/a".to_owned(),
            "https://example.com/a".to_owned(),
            format!("file://elsewhere{}/secret", world.home.path().display()),
        ];
        for reference in references {
            let error = world.store.read(&reference, 1_000).await.unwrap_err();
            assert!(
                matches!(error, ObjectStoreError::Foreign { .. }),
                "{reference}: {error:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_link_inside_the_store_is_followed_and_one_that_leads_out_is_not() {
        let world = World::new();
        let files = world.home.path().join("files");
        symlink(files.join("reports/a b.txt"), files.join("inside")).unwrap();
        symlink(world.home.path().join("secret"), files.join("outside")).unwrap();
        symlink(world.home.path(), files.join("home")).unwrap();
        symlink(files.join("nowhere"), files.join("broken")).unwrap();
        assert_eq!(world.read("inside").await.unwrap(), b"hello");
        for below in ["outside", "home/secret"] {
            let error = world.read(below).await.unwrap_err();
            assert!(
                matches!(error, ObjectStoreError::Foreign { .. }),
                "{below}: {error:?}"
            );
        }
        let error = world.read("broken").await.unwrap_err();
        assert!(matches!(error, ObjectStoreError::NotFound(_)), "{error:?}");
    }

    #[test]
    fn what_the_system_denies_is_denied() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = StoreError::Generic {
            store: "LocalFileSystem",
            source: Box::new(denied),
        };
        assert!(matches!(failed(error, "x"), ObjectStoreError::Denied(_)));
        let denied = io::ErrorKind::PermissionDenied.into();
        assert!(matches!(
            unreadable(denied, "x"),
            ObjectStoreError::Denied(_)
        ));
        let broken = unreadable(io::ErrorKind::Other.into(), "x");
        assert!(broken.is_retryable(), "{broken:?}");
    }

    #[test]
    fn a_store_that_cannot_be_opened_says_what_can() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let file = Url::from_file_path(file).unwrap();
        let missing = Url::from_directory_path(home.path().join("missing")).unwrap();
        for (url, expected) in [
            ("s3://bucket/x", "s3:// is not supported, use a folder"),
            ("file://host/x", "no folder's address"),
            ("file:///tmp?x=1", "no folder's address"),
            (file.as_str(), "cannot be used, create it"),
            (missing.as_str(), "cannot be used, create it"),
        ] {
            let error = ObjectStoreFiles::open(&Url::parse(url).unwrap()).unwrap_err();
            assert!(error.to_string().contains(expected), "{url}: {error}");
        }
    }

    proptest! {
        /// Whatever is put together from what paths are tricked with reads a file of the store or
        /// nothing.
        #[test]
        fn no_spelling_leads_out_of_the_store(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "..", ".", "/", "//", "\\", "%2e", "%2E%2e", "%2f", "%5c", "%252e", "%25", "%00",
                    "reports", "a b.txt", "secret", "files", "files-of-others", "x", "?", "#", "~", ":",
                    "file:///", "\u{2024}", "\u{ff0f}",
                ]),
                0..8,
            )
        ) {
            let world = World::new();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(content) = runtime.block_on(world.read(&pieces.concat())) {
                prop_assert_eq!(content, b"hello");
            }
        }
    }
}
