//! What holds in every store: a folder, S3's wire protocol, and the crate's own store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use object_store::memory::InMemory;
use partner_core::error::Failure as _;
use partner_core::ports::object_store::content;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::errors::Secrets;
use super::s3_double::{BUCKET, S3Double};
use super::*;
use crate::testing::LONG;

/// The pieces of the tests' stores.
const PIECE: usize = 64 << 10;

/// More than two parts of an upload, and an odd number of bytes.
pub(super) const LARGE: usize = 2 * PIECE + PIECE / 7;

/// A store, and what it stands on.
struct Stage {
    store: ObjectStorage,
    name: &'static str,
    s3: Option<S3Double>,
    _folder: Option<TempDir>,
}

impl Stage {
    /// Whatever is in the store, finished or not.
    async fn left(&self) -> Vec<String> {
        if let Some(s3) = &self.s3 {
            assert_eq!(s3.open_uploads(), 0);
            return s3.keys();
        }
        let files = self.store.backend.store.list(None);
        let names = files.map_ok(|file| file.location.to_string());
        names.try_collect().await.unwrap()
    }
}

pub(super) fn s3_options(double: &S3Double) -> BTreeMap<String, SecretString> {
    [
        ("endpoint", double.endpoint().as_str().trim_end_matches('/')),
        ("access_key_id", "AKIA-of-the-tests"),
        ("secret_access_key", "hunter2hunter2"),
        ("allow_http", "true"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.into()))
    .collect()
}

pub(super) fn config(url: &str, options: BTreeMap<String, SecretString>) -> ObjectStorageConfig {
    ObjectStorageConfig {
        url: Url::parse(url).unwrap(),
        connect_timeout: LONG,
        timeout: LONG,
        options,
    }
}

/// A store that moves little at once.
pub(super) fn open(config: &ObjectStorageConfig) -> ObjectStorage {
    let mut store = ObjectStorage::open(config).unwrap();
    store.backend.piece = PIECE;
    store
}

pub(super) fn s3(double: &S3Double) -> ObjectStorage {
    let url = format!("s3://{BUCKET}/of/us");
    open(&config(&url, s3_options(double)))
}

async fn stages() -> [Stage; 3] {
    let folder = tempfile::tempdir().unwrap();
    let url = Url::from_directory_path(folder.path()).unwrap();
    let s3_double = S3Double::start().await;
    let memory = Backend {
        store: Arc::new(InMemory::new()),
        signer: None,
        address: "memory://x/".to_owned(),
        prefix: Path::from("below"),
        folder: None,
        piece: PIECE,
        secrets: Secrets::default(),
    };
    [
        Stage {
            name: "folder",
            store: open(&config(url.as_str(), BTreeMap::new())),
            s3: None,
            _folder: Some(folder),
        },
        Stage {
            name: "S3",
            store: s3(&s3_double),
            s3: Some(s3_double),
            _folder: None,
        },
        Stage {
            name: "memory",
            store: ObjectStorage { backend: memory },
            s3: None,
            _folder: None,
        },
    ]
}

/// A content of so many bytes, of which no two pieces are the same.
pub(super) fn some_bytes(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

/// The same content in pieces of an odd length.
fn in_pieces(bytes: &[u8]) -> Content<'_> {
    stream::iter(bytes.chunks(10_007).map(|piece| Ok(piece.to_vec().into()))).boxed()
}

async fn collected(store: &ObjectStorage, reference: &str) -> Vec<u8> {
    let file = store.open(reference).await.unwrap();
    let pieces: Vec<_> = file.content.try_collect().await.unwrap();
    let bytes = pieces.concat();
    assert_eq!(bytes.len() as u64, file.bytes);
    bytes
}

#[tokio::test]
async fn what_is_written_is_read_back_under_its_reference() {
    for stage in stages().await {
        let store = &stage.store;
        for length in [0, 1, PIECE, PIECE + 1, 2 * PIECE, LARGE] {
            let bytes = some_bytes(length, 0);
            let name = format!("a/b+c/{length}.bin");
            let stored = store.create(&name, in_pieces(&bytes)).await.unwrap();
            let case = format!("{}, {length} bytes", stage.name);
            assert_eq!(stored.reference, store.reference(&name).unwrap(), "{case}");
            assert_eq!(store.name(&stored.reference).unwrap(), name, "{case}");
            assert_eq!(stored.bytes, length as u64, "{case}");
            assert_eq!(stored.sha256, hex::encode(Sha256::digest(&bytes)), "{case}");
            assert!(collected(store, &stored.reference).await == bytes, "{case}");
            let read = store.read(&stored.reference, length as u64).await;
            assert!(read.unwrap() == bytes, "{case}");
        }
    }
}

#[tokio::test]
async fn a_name_is_given_once_and_the_same_content_again_is_no_error() {
    for stage in stages().await {
        let store = &stage.store;
        for length in [5, LARGE] {
            let (name, case) = (format!("n/{length}"), stage.name);
            let first = some_bytes(length, 1);
            let stored = store.create(&name, in_pieces(&first)).await.unwrap();
            let again = store.create(&name, content(first.clone())).await.unwrap();
            assert_eq!(stored, again, "{case}");
            for other in [some_bytes(length, 2), some_bytes(length + 1, 1), Vec::new()] {
                let error = store.create(&name, content(other)).await.unwrap_err();
                let reference = stored.reference.clone();
                assert_eq!(error, ObjectStoreError::AlreadyExists(reference), "{case}");
                assert!(!error.is_retryable());
            }
            assert!(collected(store, &stored.reference).await == first, "{case}");
        }
    }
}

#[tokio::test]
async fn of_those_who_write_at_the_same_moment_one_gets_the_name() {
    for stage in stages().await {
        for length in [9, LARGE] {
            let contents: Vec<_> = (0..4).map(|seed| some_bytes(length, seed)).collect();
            let name = format!("race/{length}");
            let writers = contents
                .iter()
                .map(|bytes| stage.store.create(&name, in_pieces(bytes)));
            let results = join_all(writers).await;
            let reference = stage.store.reference(&name).unwrap();
            let kept = collected(&stage.store, &reference).await;
            for (bytes, result) in contents.iter().zip(&results) {
                match result {
                    Ok(_) => assert!(*bytes == kept, "{}", stage.name),
                    Err(error) => assert!(*bytes != kept, "{}: {error}", stage.name),
                }
            }
            let winners = results.iter().filter(|result| result.is_ok()).count();
            assert_eq!(winners, 1, "{}: {results:?}", stage.name);
        }
        // Of the losers, nothing is left.
        assert_eq!(stage.left().await.len(), 2, "{}", stage.name);
    }
}

#[tokio::test]
async fn a_content_that_breaks_off_leaves_nothing_behind() {
    for stage in stages().await {
        for length in [5, LARGE] {
            let bytes = some_bytes(length, 3);
            let broken = ObjectStoreError::Unavailable("the source went away".to_owned());
            let breaks_off = in_pieces(&bytes).chain(stream::iter([Err(broken.clone())]));
            let error = stage.store.create("x", breaks_off.boxed()).await;
            assert_eq!(error.unwrap_err(), broken, "{}", stage.name);
            let reference = stage.store.reference("x").unwrap();
            let missing = stage.store.read(&reference, 10).await.unwrap_err();
            assert_eq!(
                missing,
                ObjectStoreError::NotFound(reference),
                "{}",
                stage.name
            );
            assert!(stage.left().await.is_empty(), "{}", stage.name);
        }
    }
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_can_be_deleted_again() {
    for stage in stages().await {
        let store = &stage.store;
        let stored = store.create("a/b", content("x")).await.unwrap();
        for _ in 0..2 {
            store.delete(&stored.reference).await.unwrap();
            let error = store.open(&stored.reference).await.err().unwrap();
            let missing = ObjectStoreError::NotFound(stored.reference.clone());
            assert_eq!(error, missing, "{}", stage.name);
        }
        // The name is free again.
        store.create("a/b", content("y")).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_may_have_as_many_bytes_as_allowed_and_no_more() {
    for stage in stages().await {
        let stored = stage.store.create("a", content("hello")).await.unwrap();
        let error = stage.store.read(&stored.reference, 4).await.unwrap_err();
        assert!(
            matches!(error, ObjectStoreError::TooLarge { limit: 4, .. }),
            "{}: {error:?}",
            stage.name
        );
    }
}

#[tokio::test]
async fn what_is_no_name_is_refused_and_what_is_not_in_the_store_is_foreign() {
    for stage in stages().await {
        let store = &stage.store;
        for name in [
            "",
            "/a",
            "a/",
            "../a",
            "a/../b",
            ".uploads/a",
            "a b",
            "a#1",
            "ä",
            "a%2fb",
        ] {
            let error = store.create(name, content("x")).await.unwrap_err();
            let invalid = ObjectStoreError::InvalidName(name.to_owned());
            assert_eq!(error, invalid, "{}", stage.name);
        }
        let address = store.backend.address.clone();
        let prefix = address.trim_end_matches('/');
        for reference in [
            "https://example.com/a".to_owned(),
            "a".to_owned(),
            prefix.to_owned(),
            address.clone(),
            format!("{prefix}x/a"),
            format!("{address}a/../b"),
            format!("{address}%2e%2e/b"),
            format!("{address}a//b"),
            format!("{address}a/"),
            format!("{address}a?x=1"),
            format!("{address}.uploads/a"),
        ] {
            let is_foreign = |error| matches!(error, ObjectStoreError::Foreign { .. });
            let case = format!("{}: {reference}", stage.name);
            assert!(is_foreign(store.name(&reference).unwrap_err()), "{case}");
            assert!(
                is_foreign(store.read(&reference, 9).await.unwrap_err()),
                "{case}"
            );
            assert!(
                is_foreign(store.open(&reference).await.err().unwrap()),
                "{case}"
            );
            assert!(
                is_foreign(store.delete(&reference).await.unwrap_err()),
                "{case}"
            );
            assert!(
                is_foreign(store.link(&reference, LONG).await.unwrap_err()),
                "{case}"
            );
        }
    }
}
