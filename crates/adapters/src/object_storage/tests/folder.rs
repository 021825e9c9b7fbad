//! A folder of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use partner_core::error::Failure as _;
use partner_core::ports::object_store::content;
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::conformance::config;
use super::super::errors::{Secrets, failed, unreadable};
use super::super::*;
use crate::testing::LONG;

const SECRET: &[u8] = b"not yours";

/// A store beside a secret, and in a folder whose name begins like the secret's.
struct World {
    home: TempDir,
    store: ObjectStorage,
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
        let store = ObjectStorage::open(&config(url.as_str(), BTreeMap::new())).unwrap();
        Self { home, store }
    }

    fn reference(&self, below: &str) -> String {
        format!("{}{below}", self.store.backend.address)
    }

    async fn read(&self, below: &str) -> Result<Vec<u8>, ObjectStoreError> {
        self.store.read(&self.reference(below), 1_000).await
    }

    /// Everything that is not in the store, as it is now.
    fn outside(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path == self.home.path().join("files") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let content = fs::read(&path).ok();
                found.push((path, content));
            }
        }
        found.sort();
        found
    }
}

#[tokio::test]
async fn a_file_is_read_by_its_reference() {
    let world = World::new();
    assert_eq!(world.read("reports/a%20b.txt").await.unwrap(), b"hello");
    assert_eq!(world.read("reports/a b.txt").await.unwrap(), b"hello");
    // It can be read, but it has no name that we would give.
    let name = world.store.name(&world.reference("reports/a%20b.txt"));
    assert!(
        matches!(name, Err(ObjectStoreError::InvalidName(_))),
        "{name:?}"
    );
}

#[tokio::test]
async fn an_address_with_or_without_a_slash_at_its_end_is_the_same_store() {
    let world = World::new();
    let url = Url::from_file_path(world.home.path().join("files")).unwrap();
    let store = ObjectStorage::open(&config(url.as_str(), BTreeMap::new())).unwrap();
    let reference = format!("{url}/reports/a%20b.txt");
    assert_eq!(store.read(&reference, 5).await.unwrap(), b"hello");
    let stored = store.create("b.txt", content("x")).await.unwrap();
    assert_eq!(stored.reference, format!("{url}/b.txt"));
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
async fn nothing_outside_the_store_is_read_or_deleted() {
    let world = World::new();
    let before = world.outside();
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
        let read = world.store.read(&reference, 1_000).await.unwrap_err();
        let deleted = world.store.delete(&reference).await.unwrap_err();
        for error in [read, deleted] {
            assert!(
                matches!(error, ObjectStoreError::Foreign { .. }),
                "{reference}: {error:?}"
            );
        }
    }
    assert_eq!(world.outside(), before);
    assert_eq!(world.read("reports/a b.txt").await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_link_inside_the_store_is_followed_and_one_that_leads_out_is_not() {
    let world = World::new();
    let before = world.outside();
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
    for name in ["home/new", "home/a/b/new", "home/secret"] {
        let created = world.store.create(name, content("x")).await.unwrap_err();
        let deleted = world.store.delete(&world.reference(name)).await;
        for error in [created, deleted.unwrap_err()] {
            assert!(
                matches!(error, ObjectStoreError::Foreign { .. }),
                "{name}: {error:?}"
            );
        }
    }
    // What is deleted is the link, and not what it leads to.
    for name in ["outside", "inside"] {
        let reference = world.reference(name);
        world.store.delete(&reference).await.unwrap();
    }
    assert_eq!(world.outside(), before);
    assert_eq!(world.read("reports/a b.txt").await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_folder_is_no_file_and_stays() {
    let world = World::new();
    let error = world.store.create("reports", content("x")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ObjectStoreError::Refused(_)), "{error:?}");
    world
        .store
        .delete(&world.reference("reports"))
        .await
        .unwrap();
    assert_eq!(world.read("reports/a b.txt").await.unwrap(), b"hello");

    world.store.create("file", content("x")).await.unwrap();
    let below = world.store.create("file/below", content("x")).await;
    assert!(!below.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_folder_has_no_links() {
    let world = World::new();
    let link = world.store.link(&world.reference("reports/a"), LONG).await;
    assert_eq!(link.unwrap(), None);
}

#[test]
fn what_the_system_says_about_a_file() {
    let said = |kind: io::ErrorKind| StoreError::Generic {
        store: "LocalFileSystem",
        source: Box::new(io::Error::from(kind)),
    };
    let failed = |kind| failed(&said(kind), "x", &Secrets::default());
    let denied = io::ErrorKind::PermissionDenied;
    assert!(matches!(failed(denied), ObjectStoreError::Denied(_)));
    assert!(matches!(
        failed(io::ErrorKind::NotADirectory),
        ObjectStoreError::Refused(_)
    ));
    assert!(failed(io::ErrorKind::StorageFull).is_retryable());
    let denied = unreadable(denied.into(), "x");
    assert!(matches!(denied, ObjectStoreError::Denied(_)));
    let broken = unreadable(io::ErrorKind::Other.into(), "x");
    assert!(broken.is_retryable(), "{broken:?}");
}

/// What paths are tricked with.
fn tricks() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "..",
        ".",
        "/",
        "//",
        "\\",
        "%2e",
        "%2E%2e",
        "%2f",
        "%5c",
        "%252e",
        "%25",
        "%00",
        "reports",
        "a b.txt",
        "secret",
        "files",
        "files-of-others",
        "x",
        "?",
        "#",
        "#1",
        "~",
        ":",
        "file:///",
        "home",
        "\0",
        "\n",
        "\u{2024}",
        "\u{ff0f}",
    ]);
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever is put together from what paths are tricked with reads a file of the store or
    /// nothing, and writes and deletes nothing outside.
    #[test]
    fn no_spelling_leads_out_of_the_store(spelling in tricks(), more in ".{0,20}") {
        let world = World::new();
        symlink(world.home.path(), world.home.path().join("files/home")).unwrap();
        let before = world.outside();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for text in [&spelling, &more] {
            if let Ok(content) = runtime.block_on(world.read(text)) {
                prop_assert_eq!(content, b"hello");
            }
            let created = runtime.block_on(world.store.create(text, content("new")));
            if let Ok(stored) = created {
                prop_assert!(is_valid_name(text));
                let read = runtime.block_on(world.store.read(&stored.reference, 9));
                prop_assert_eq!(read.unwrap(), b"new");
            }
            let _ = runtime.block_on(world.store.delete(&world.reference(text)));
            prop_assert_eq!(&world.outside(), &before);
        }
    }
}
