//! The folder that stands for object storage.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::error::{LocalError, Result};
use crate::leash::{Leash, LeashedCommand, Remove, StopSignal};

/// How long the watcher of the folder may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A folder for files. A temporary one goes when this is dropped, and when we are killed.
#[derive(Debug)]
pub struct FileStorage {
    folder: PathBuf,
    url: Url,
    leash: Option<Leash>,
}

impl FileStorage {
    /// Makes the folder, in this one if data is to stay.
    ///
    /// # Errors
    /// [`LocalError`] if it cannot be made.
    pub fn open(data_dir: Option<&Path>) -> Result<Self> {
        match data_dir {
            Some(kept) => Self::at(kept.join("files"), None),
            None => Self::temporary(),
        }
    }

    fn temporary() -> Result<Self> {
        let place = std::env::temp_dir();
        let guard = tempfile::Builder::new()
            .prefix("partner-files-")
            .tempdir_in(&place)
            .map_err(LocalError::file("make a folder in", place))?;
        let root = guard.path().to_owned();
        // It does nothing but live as long as we do; the leash then removes the folder.
        let watcher = LeashedCommand::new("sleep", "sleep", root.join("watcher.log"))
            .arg("2147483647")
            .stop_with(StopSignal::Terminate, GRACE)
            .remove(&root, Remove::Always);
        let leash = Leash::spawn(watcher)?;
        // From here on the leash removes the folder; only the path comes back, and we have it.
        let _ = guard.keep();
        Self::at(root.join("files"), Some(leash))
    }

    fn at(folder: PathBuf, leash: Option<Leash>) -> Result<Self> {
        fs::create_dir_all(&folder).map_err(LocalError::file("make", &folder))?;
        // An address needs the whole path.
        let folder = folder
            .canonicalize()
            .map_err(LocalError::file("find", &folder))?;
        let url = Url::from_directory_path(&folder).map_err(|()| {
            let relative = std::io::ErrorKind::InvalidFilename.into();
            LocalError::file("write the address of", &folder)(relative)
        })?;
        Ok(Self { folder, url, leash })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its address, with a slash at the end: what every reference to a file in it begins with.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Removes a temporary folder, and waits until it is gone.
    ///
    /// # Errors
    /// [`LocalError`] if it cannot be removed.
    pub async fn stop(self) -> Result<()> {
        match self.leash {
            Some(leash) => leash.stop().await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_temporary_folder_goes_with_all_that_is_in_it() {
        let storage = FileStorage::open(None).unwrap();
        let root = storage.folder().parent().unwrap().to_owned();
        fs::write(storage.folder().join("x"), "x").unwrap();
        assert_eq!(storage.url().to_file_path().unwrap(), storage.folder());
        assert!(storage.url().as_str().ends_with("/files/"));
        storage.stop().await.unwrap();
        assert!(!root.exists());
    }

    #[tokio::test]
    async fn a_folder_of_data_that_stays_stays() {
        let place = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let storage = FileStorage::open(Some(place.path())).unwrap();
            fs::write(storage.folder().join("x"), "x").unwrap();
            storage.stop().await.unwrap();
        }
        assert!(place.path().join("files/x").exists());
    }
}
