//! The folder of a cluster: its data, its password and its log.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{LocalError, Result};
use crate::leash::RunAs;
use crate::postgres::user::{closed_parent, give, temporary_folder};

/// Bytes of randomness in a password.
const PASSWORD_BYTES: usize = 24;

/// The major version that made the cluster kept in `folder`; `None` if there is none yet.
pub(super) fn major(folder: &Path) -> Result<Option<u32>> {
    let path = cluster_in(folder).join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LocalError::file("read", path)(error)),
    }
}

fn cluster_in(folder: &Path) -> PathBuf {
    folder.join("cluster")
}

/// A folder that holds one cluster.
#[derive(Debug)]
pub(super) struct Home {
    folder: PathBuf,
    kept: bool,
    /// Removes a folder that does not stay, until the leash does.
    guard: Option<TempDir>,
}

impl Home {
    /// A folder that stays; made if it is missing.
    pub(super) fn kept(folder: &Path, user: Option<&RunAs>) -> Result<Self> {
        // The server's working folder is not ours.
        let folder = std::path::absolute(folder).map_err(LocalError::file("find", folder))?;
        if let Some(user) = user {
            check_reachable(&folder, user)?;
        }
        if is_empty(&folder)? {
            fs::create_dir_all(&folder).map_err(LocalError::file("make", &folder))?;
            let mode = Permissions::from_mode(0o700);
            fs::set_permissions(&folder, mode)
                .map_err(LocalError::file("close to others", &folder))?;
            give(&folder, user)?;
        }
        Ok(Self {
            folder,
            kept: true,
            guard: None,
        })
    }

    /// A folder that goes with its server.
    pub(super) fn ephemeral(user: Option<&RunAs>) -> Result<Self> {
        let place = temporary_folder(user);
        let guard = tempfile::Builder::new()
            .prefix("partner-postgres-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&place)
            .map_err(LocalError::file("make a folder in", place))?;
        give(guard.path(), user)?;
        Ok(Self {
            folder: guard.path().to_owned(),
            kept: false,
            guard: Some(guard),
        })
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    pub(super) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    pub(super) fn cluster(&self) -> PathBuf {
        cluster_in(&self.folder)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    pub(super) fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }

    /// Where `initdb` works; the cluster takes its place only when it is whole.
    pub(super) fn fresh_cluster(&self) -> PathBuf {
        self.folder.join("cluster.new")
    }

    pub(super) fn is_initialised(&self) -> bool {
        self.cluster().is_dir()
    }

    /// Makes the password, and clears what an interrupted `initdb` left.
    pub(super) fn prepare_cluster(&self, user: Option<&RunAs>) -> Result<()> {
        let fresh = self.fresh_cluster();
        match fs::remove_dir_all(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LocalError::file("remove", fresh)(error));
            }
            _ => {}
        }
        let path = self.password_file();
        write_password(&path).map_err(LocalError::file("write a password to", &path))?;
        give(&path, user)
    }

    /// Puts the fresh cluster in place.
    pub(super) fn accept_cluster(&self) -> Result<()> {
        let fresh = self.fresh_cluster();
        fs::rename(&fresh, self.cluster()).map_err(LocalError::file("put in place", fresh))
    }

    /// The superuser's password.
    pub(super) fn password(&self) -> Result<String> {
        let path = self.password_file();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(LocalError::PostgresPassword {
                    path: self.folder.clone(),
                    password: path,
                })
            }
            Err(error) => Err(LocalError::file("read", path)(error)),
        }
    }

    /// Leaves the removal to the leash.
    pub(super) fn release(&mut self) {
        if let Some(guard) = self.guard.take() {
            // Only the path comes back, and we have it.
            let _ = guard.keep();
        }
    }
}

fn is_empty(folder: &Path) -> Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(LocalError::file("list", folder)(error)),
    }
}

fn check_reachable(folder: &Path, user: &RunAs) -> Result<()> {
    match closed_parent(folder, user) {
        None => Ok(()),
        Some(closed) => Err(LocalError::Unreachable {
            path: folder.to_owned(),
            closed,
            user: user.name.clone(),
        }),
    }
}

fn write_password(path: &Path) -> io::Result<()> {
    let mut random = [0; PASSWORD_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(hex::encode(random).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_its_password_is_an_error_that_names_both() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::kept(place.path(), None).unwrap();
        fs::create_dir(home.cluster()).unwrap();
        let error = home.password().unwrap_err();
        assert!(
            matches!(error, LocalError::PostgresPassword { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_folder_below_a_closed_one_is_refused_with_the_remedy() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
        let stranger = RunAs {
            name: "stranger".to_owned(),
            uid: 4_000_000,
            gid: 4_000_000,
        };
        let error = Home::kept(&place.path().join("data"), Some(&stranger)).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("stranger") && text.contains("/var/lib"),
            "{text}"
        );
    }

    #[test]
    fn passwords_differ_and_are_private() {
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (place.path().join("1"), place.path().join("2"));
        write_password(&one).unwrap();
        write_password(&two).unwrap();
        assert_ne!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
        assert_eq!(one.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
