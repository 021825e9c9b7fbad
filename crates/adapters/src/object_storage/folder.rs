//! A folder of this machine, which no symbolic link leads out of.

use std::io;
use std::path::{Path as FilePath, PathBuf};

use object_store::path::Path;

use super::ObjectStorageConfigError;

/// The folder of a store, without symbolic links.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(folder: PathBuf) -> Result<Self, ObjectStorageConfigError> {
        let canonical = folder.canonicalize().and_then(|canonical| {
            if canonical.is_dir() {
                Ok(canonical)
            } else {
                Err(io::ErrorKind::NotADirectory.into())
            }
        });
        canonical
            .map(Self)
            .map_err(|source| ObjectStorageConfigError::Folder { folder, source })
    }

    pub(super) fn path(&self) -> &FilePath {
        &self.0
    }

    /// A file's path without symbolic links; `None` if that is not in the folder.
    pub(super) async fn followed(&self, path: &Path) -> io::Result<Option<Path>> {
        let file = tokio::fs::canonicalize(self.file(path)).await?;
        let below = file.strip_prefix(&self.0).ok().and_then(FilePath::to_str);
        Ok(below.and_then(|below| Path::parse(below).ok()))
    }

    /// Whether the folder that a file is in, or would be made in, is in this one.
    pub(super) async fn is_parent_inside(&self, path: &Path) -> io::Result<bool> {
        let file = self.file(path);
        // Folders that do not exist yet are made below the first that does.
        for parent in file.ancestors().skip(1) {
            match tokio::fs::canonicalize(parent).await {
                Ok(parent) => return Ok(parent.starts_with(&self.0)),
                // Also a link to nowhere, through which nothing can be made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Whether this is a folder and no file.
    pub(super) async fn is_folder(&self, path: &Path) -> bool {
        tokio::fs::symlink_metadata(self.file(path))
            .await
            .is_ok_and(|metadata| metadata.is_dir())
    }

    fn file(&self, path: &Path) -> PathBuf {
        self.0.join(path.as_ref())
    }
}
