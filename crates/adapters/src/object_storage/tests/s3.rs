//! S3's wire protocol: what is asked, and what each answer means.

use std::pin::pin;

use futures::StreamExt as _;
use futures::future::{Either, select};
use futures::stream;
use partner_core::error::Failure as _;
use partner_core::ports::object_store::content;

use super::super::conformance::{LARGE, config, s3, s3_options, some_bytes};
use super::super::s3_double::{BUCKET, S3Double};
use super::super::*;
use crate::testing::{LONG, Misbehaviour, SHORT, closed_port, http_at, misbehaving_server};

async fn small(store: &ObjectStorage) -> Result<StoredObject, ObjectStoreError> {
    store.create("a.txt", content("hello")).await
}

async fn large(store: &ObjectStorage) -> Result<StoredObject, ObjectStoreError> {
    let bytes = some_bytes(LARGE, 0);
    store.create("large.bin", content(bytes)).await
}

fn kind(error: &ObjectStoreError) -> &'static str {
    match error {
        ObjectStoreError::Denied(_) => "denied",
        ObjectStoreError::Refused(_) => "refused",
        ObjectStoreError::Unavailable(_) => "unavailable",
        _ => "another",
    }
}

#[tokio::test]
async fn each_status_means_what_it_says_and_is_asked_for_once() {
    for (status, expected) in [
        (301, "refused"),
        (307, "refused"),
        (400, "refused"),
        (401, "denied"),
        (403, "denied"),
        (405, "refused"),
        (408, "unavailable"),
        (413, "refused"),
        (429, "unavailable"),
        (500, "unavailable"),
        (502, "unavailable"),
        (503, "unavailable"),
    ] {
        let double = S3Double::start().await;
        let store = s3(&double);
        let reference = store.reference("a.txt").unwrap();

        double.fail("PUT", status);
        let error = small(&store).await.unwrap_err();
        assert_eq!(kind(&error), expected, "PUT {status}: {error:?}");
        assert_eq!(error.is_retryable(), expected == "unavailable");
        small(&store).await.unwrap();

        double.fail("GET", status);
        let error = store.read(&reference, 9).await.unwrap_err();
        assert_eq!(kind(&error), expected, "GET {status}: {error:?}");

        double.fail("DELETE", status);
        let error = store.delete(&reference).await.unwrap_err();
        assert_eq!(kind(&error), expected, "DELETE {status}: {error:?}");
        let methods: Vec<_> = double
            .requests()
            .await
            .iter()
            .map(|request| request.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(methods, ["PUT", "PUT", "HEAD", "GET", "DELETE"], "{status}");
    }
}

#[tokio::test]
async fn a_missing_file_is_not_found_and_its_deletion_is_done() {
    let double = S3Double::start().await;
    let store = s3(&double);
    let reference = store.reference("a.txt").unwrap();
    let error = store.read(&reference, 9).await.unwrap_err();
    assert_eq!(error, ObjectStoreError::NotFound(reference.clone()));
    double.fail("DELETE", 404);
    store.delete(&reference).await.unwrap();
}

#[tokio::test]
async fn a_file_is_below_the_prefix_of_the_address() {
    let double = S3Double::start().await;
    let store = s3(&double);
    let stored = small(&store).await.unwrap();
    assert_eq!(stored.reference, format!("s3://{BUCKET}/of/us/a.txt"));
    assert_eq!(double.keys(), ["of/us/a.txt"]);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_succeeds_the_next_time() {
    for lost in [
        "PUT",
        "uploads",
        "partNumber=2",
        "uploadId=upload-1",
        "uploadId=upload-2",
    ] {
        let double = S3Double::start().await;
        let store = s3(&double);
        let is_small = lost == "PUT";
        double.fail_after(lost, 500);
        let first = if is_small {
            small(&store).await
        } else {
            large(&store).await
        };
        let error = first.unwrap_err();
        assert!(error.is_retryable(), "{lost}: {error:?}");
        let again = if is_small {
            small(&store).await
        } else {
            large(&store).await
        };
        let stored = again.unwrap_or_else(|error| panic!("{lost}: {error:?}"));
        let read = store.read(&stored.reference, stored.bytes).await.unwrap();
        assert_eq!(read.len() as u64, stored.bytes);
        // The upload whose beginning nobody heard of is left to the bucket's lifecycle rules.
        let unheard = usize::from(lost == "uploads");
        assert_eq!(
            (double.keys().len(), double.open_uploads()),
            (1, unheard),
            "{lost}"
        );
    }
}

#[tokio::test]
async fn two_who_write_at_once_and_are_told_to_wait_are_told_to_try_again() {
    let double = S3Double::start().await;
    let store = s3(&double);
    double.fail("PUT", 409);
    let error = small(&store).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(
        error.to_string().contains("being written by another"),
        "{error}"
    );
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted() {
    for (request, status) in [
        ("partNumber=2", 403),
        ("POST /files/of/us/.uploads", 500),
        ("uploadId=upload-2", 503),
    ] {
        let double = S3Double::start().await;
        double.fail(request, status);
        large(&s3(&double)).await.unwrap_err();
        assert_eq!(double.open_uploads(), 0, "{request}");
        assert!(double.keys().is_empty(), "{request}: {:?}", double.keys());
    }
}

#[tokio::test]
async fn an_upload_whose_caller_goes_away_is_aborted() {
    let double = S3Double::start().await;
    let store = s3(&double);
    // Enough for a part to be on its way, and then nothing more.
    let stalled = stream::iter([Ok(some_bytes(LARGE, 0).into())]).chain(stream::pending());
    let create = store.create("large.bin", stalled.boxed());
    let uploading = async {
        while !double
            .requests()
            .await
            .iter()
            .any(|said| said.contains("partNumber=2"))
        {
            tokio::task::yield_now().await;
        }
    };
    let Either::Right(_) = select(create, pin!(uploading)).await else {
        panic!("a content without an end came to its end");
    };
    while double.open_uploads() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(double.keys().is_empty());
}

#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_read_is_not_mixed() {
    let double = S3Double::start().await;
    let store = s3(&double);
    let stored = large(&store).await.unwrap();
    let mut file = store.open(&stored.reference).await.unwrap();
    let _first = file.content.try_next().await.unwrap().unwrap();
    double.replace("of/us/large.bin", &some_bytes(LARGE, 1));
    let error = file.content.try_next().await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(error.to_string().contains("replaced"), "{error}");
}

#[tokio::test]
async fn a_link_is_signed_and_expires() {
    let double = S3Double::start().await;
    let store = s3(&double);
    let stored = small(&store).await.unwrap();
    let link = store.link(&stored.reference, Duration::from_mins(5)).await;
    let link = link.unwrap().unwrap();
    let query: BTreeMap<_, _> = link.query_pairs().into_owned().collect();
    assert_eq!(query["X-Amz-Expires"], "300");
    assert!(!link.as_str().contains("hunter2"), "{link}");
    let fetched = reqwest_get(link).await;
    assert_eq!(fetched, "hello");
}

async fn reqwest_get(url: Url) -> String {
    let client = crate::http::client(LONG, LONG).unwrap();
    client.get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_server_that_misbehaves_is_not_waited_for_and_may_be_tried_again() {
    let endpoints = [
        http_at(closed_port()),
        misbehaving_server(Misbehaviour::Drop),
        misbehaving_server(Misbehaviour::HalfAnAnswer),
        misbehaving_server(Misbehaviour::Silence),
    ];
    for endpoint in endpoints {
        let double = S3Double::start().await;
        let mut options = s3_options(&double);
        let endpoint = endpoint.as_str().trim_end_matches('/');
        options.insert("endpoint".to_owned(), endpoint.into());
        let store = ObjectStorage::open(&ObjectStorageConfig {
            timeout: SHORT,
            ..config("s3://files", options)
        });
        let store = store.unwrap();
        for error in [
            small(&store).await.unwrap_err(),
            store.read("s3://files/a", 1_000).await.unwrap_err(),
        ] {
            assert!(error.is_retryable(), "{endpoint}: {error:?}");
        }
    }
}

#[tokio::test]
async fn plain_http_is_spoken_only_if_that_is_configured() {
    let double = S3Double::start().await;
    let mut options = s3_options(&double);
    options.remove("allow_http");
    let store = ObjectStorage::open(&config("s3://files", options)).unwrap();
    small(&store).await.unwrap_err();
    assert!(double.requests().await.is_empty());
}

#[tokio::test]
async fn no_text_repeats_a_secret() {
    let double = S3Double::start().await;
    let store = s3(&double);
    let shown = format!("{store:?} {:?}", config("s3://files", s3_options(&double)));
    assert!(!shown.contains("hunter2"), "{shown}");
    double.echo("hunter2hunter2 and AKIA-of-the-tests");
    let error = small(&store).await.unwrap_err().to_string();
    assert!(error.contains("[redacted] and [redacted]"), "{error}");
}
