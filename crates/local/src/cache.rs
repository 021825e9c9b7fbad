//! The folder in which fetched programs stay for the next run.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use nix::unistd::Uid;
use tempfile::TempDir;

use crate::error::{LocalError, Result};

/// The folder's name below the user's or the system's cache folder.
const NAME: &str = "partner-platform";

/// A folder with one subfolder for each installed program.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of the user who runs this process; made if it is missing.
    ///
    /// Root's is `/var/cache/partner-platform`, because PostgreSQL runs there as another user, who
    /// cannot enter root's home. A user without a writable home gets a folder of their own below
    /// the system's temporary folder.
    pub fn for_user() -> Result<Self> {
        let candidates: Vec<_> = Self::usual_root()
            .into_iter()
            .chain([temporary_root()])
            .collect();
        let usable = candidates.iter().find(|root| prepare(root).is_ok());
        match usable {
            Some(root) => Ok(Self { root: root.clone() }),
            None => Err(LocalError::NoCacheFolder { tried: candidates }),
        }
    }

    /// A cache in the given folder; made if it is missing.
    pub fn at(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        prepare(&root).map_err(LocalError::file("write the cache folder", &root))?;
        Ok(Self { root })
    }

    /// The cache's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn usual_root() -> Option<PathBuf> {
        if Uid::effective().is_root() {
            return Some(Path::new("/var/cache").join(NAME));
        }
        ProjectDirs::from("", "", NAME).map(|folders| folders.cache_dir().to_owned())
    }

    /// The subfolder `name`, if it is installed.
    pub fn installed(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join(name)).filter(|folder| folder.is_dir())
    }

    /// Begins to install `name`; waits while another process installs the same.
    ///
    /// Ask [`Cache::installed`] again afterwards: the other process may have done the work.
    pub async fn begin(&self, name: &str) -> Result<Installation> {
        let lock = self.lock(name).await?;
        self.clear_abandoned(name);
        let staging = tempfile::Builder::new()
            .prefix(&staging_prefix(name))
            .tempdir_in(&self.root)
            .map_err(LocalError::file("make a folder in", &self.root))?;
        Ok(Installation {
            target: self.root.join(name),
            staging,
            _lock: lock,
        })
    }

    /// Removes the subfolder `name`, which turned out to be broken.
    pub fn discard(&self, name: &str) -> Result<()> {
        let folder = self.root.join(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LocalError::file("remove", folder)(error))
            }
            _ => Ok(()),
        }
    }

    async fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join(format!(".{name}.lock"));
        let file = File::create(&path).map_err(LocalError::file("make", &path))?;
        // The wait is as long as another process's download, so it must not block the runtime.
        let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
        locked
            .unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
            .map_err(LocalError::file("lock", path))
    }

    /// What a killed installer left behind. Only the lock's holder may call this.
    fn clear_abandoned(&self, name: &str) {
        let prefix = staging_prefix(name);
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for entry in entries {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // Left for the next installer if it cannot go now; it only takes room.
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }
}

/// An installation under way: fill [`Installation::folder`], then [`Installation::finish`].
#[derive(Debug)]
pub struct Installation {
    target: PathBuf,
    staging: TempDir,
    _lock: File,
}

impl Installation {
    /// The folder to fill.
    pub fn folder(&self) -> &Path {
        self.staging.path()
    }

    /// Puts the folder in place in one step, so that nobody ever sees half of it.
    pub fn finish(self) -> Result<PathBuf> {
        let staging = self.staging.path();
        fs::set_permissions(staging, Permissions::from_mode(0o755))
            .map_err(LocalError::file("open to others", staging))?;
        if let Err(error) = fs::rename(staging, &self.target) {
            // Somebody without our lock (another machine on a network share) was faster.
            if !self.target.is_dir() {
                return Err(LocalError::file("put in place", self.target)(error));
            }
            return Ok(self.target);
        }
        // The folder is no longer under its temporary name, so there is nothing to clean up.
        let _ = self.staging.keep();
        Ok(self.target)
    }
}

fn staging_prefix(name: &str) -> String {
    format!(".{name}-")
}

fn temporary_root() -> PathBuf {
    std::env::temp_dir().join(format!("{NAME}-{}", Uid::effective()))
}

/// Makes the folder and checks that it is ours and can be written.
fn prepare(root: &Path) -> io::Result<()> {
    // Programs are run from it, and as root they are run by another user too.
    let mode = if Uid::effective().is_root() {
        0o755
    } else {
        0o700
    };
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(mode).create(root) {
        // An explicit mode, because the umask may have taken bits away.
        Ok(()) => fs::set_permissions(root, Permissions::from_mode(mode))?,
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    if fs::metadata(root)?.uid() != Uid::effective().as_raw() {
        // A folder that somebody else made in a shared place could hold their programs.
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    tempfile::tempfile_in(root).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn installs_once_and_atomically() {
        let temporary = tempfile::tempdir().unwrap();
        let cache = Cache::at(temporary.path().join("with space")).unwrap();
        assert_eq!(cache.installed("tool"), None);

        let installation = cache.begin("tool").await.unwrap();
        fs::write(installation.folder().join("file"), "x").unwrap();
        assert_eq!(cache.installed("tool"), None);
        let folder = installation.finish().unwrap();

        assert_eq!(cache.installed("tool"), Some(folder.clone()));
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "x");
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o755);
    }

    #[tokio::test]
    async fn the_second_installer_waits_for_the_first_and_finds_its_work() {
        let temporary = tempfile::tempdir().unwrap();
        let cache = Cache::at(temporary.path()).unwrap();
        let first = cache.begin("tool").await.unwrap();
        let other = cache.clone();
        let second = async {
            let _installation = other.begin("tool").await.unwrap();
            other.installed("tool")
        };
        let (folder, found) = tokio::join!(async { first.finish().unwrap() }, second);
        assert_eq!(found, Some(folder));
    }

    #[tokio::test]
    async fn an_abandoned_staging_folder_is_cleared() {
        let temporary = tempfile::tempdir().unwrap();
        let cache = Cache::at(temporary.path()).unwrap();
        let abandoned = temporary.path().join(".tool-killed");
        fs::create_dir(&abandoned).unwrap();
        drop(cache.begin("tool").await.unwrap());
        assert!(!abandoned.exists());
        assert_eq!(cache.installed("tool"), None);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Cache::at("/proc/no/cache").unwrap_err();
        assert!(error.to_string().contains("/proc/no/cache"), "{error}");
    }
}
