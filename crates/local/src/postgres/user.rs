//! The user that PostgreSQL runs as, and what that user can reach.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::error::{LocalError, Result};
use crate::leash::RunAs;

/// Users that exist on most systems and own nothing of value, best first.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// Somebody else if we are root, whom PostgreSQL refuses; `None` to stay who we are.
pub(super) fn service_user() -> Result<Option<RunAs>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let found = NAMES.iter().find_map(|name| lookup(name));
    found.map(Some).ok_or(LocalError::NoServiceUser)
}

/// The user of this name.
pub(super) fn lookup(name: &str) -> Option<RunAs> {
    let user = User::from_name(name).ok()??;
    Some(RunAs {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}

/// Gives a file or folder to the user that PostgreSQL runs as.
pub(super) fn give(path: &Path, user: Option<&RunAs>) -> Result<()> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid), Some(user.gid))
        .map_err(LocalError::file("change the owner of", path))
}

/// The highest parent of `path` that the user cannot enter.
pub(super) fn closed_parent(path: &Path, user: &RunAs) -> Option<PathBuf> {
    let mut parents: Vec<_> = path.ancestors().skip(1).collect();
    parents.reverse();
    let closed = parents
        .into_iter()
        .filter(|parent| !parent.as_os_str().is_empty())
        .find(|parent| fs::metadata(parent).is_ok_and(|found| !may_enter(&found, user)));
    closed.map(Path::to_owned)
}

fn may_enter(folder: &Metadata, user: &RunAs) -> bool {
    let mode = folder.mode();
    if folder.uid() == user.uid {
        return mode & 0o100 != 0;
    }
    if folder.gid() == user.gid {
        return mode & 0o010 != 0;
    }
    mode & 0o001 != 0
}

/// A folder for clusters that do not stay, in which the user can make and remove its own.
pub(super) fn temporary_folder(user: Option<&RunAs>) -> PathBuf {
    let usual = std::env::temp_dir();
    let Some(user) = user else { return usual };
    let places = [usual.clone(), "/tmp".into(), "/var/tmp".into()];
    let open = places.into_iter().find(|place| {
        // Others may write: the leash, which runs as that user, removes the cluster from it.
        let shared = fs::metadata(place).is_ok_and(|found| found.mode() & 0o003 == 0o003);
        shared && closed_parent(place, user).is_none()
    });
    open.unwrap_or(usual)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_closed_parent_is_found() {
        let temporary = tempfile::tempdir().unwrap();
        let mode = Permissions::from_mode(0o700);
        fs::set_permissions(temporary.path(), mode).unwrap();
        let stranger = RunAs {
            name: "stranger".to_owned(),
            uid: 4_000_000,
            gid: 4_000_000,
        };
        let below = temporary.path().join("a/b");
        let closed = closed_parent(&below, &stranger);
        assert_eq!(closed.as_deref(), Some(temporary.path()));
        assert_eq!(closed_parent(Path::new("/usr/bin/env"), &stranger), None);
    }
}
