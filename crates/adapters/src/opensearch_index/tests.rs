//! The adapter against a scripted server: every status class. What an index must do is in
//! `tests/search_index`.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use wiremock::matchers::{any, body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::testing::{LONG, Misbehaviour, SHORT, closed_port, http_at, misbehaving_server};

const PASSWORD: &str = "hunter2-very-secret";

fn config(base_url: Url) -> OpenSearchConfig {
    OpenSearchConfig {
        base_url,
        index: "listings".to_owned(),
        credentials: Some(OpenSearchCredentials::Basic {
            user: "partner".to_owned(),
            password: SecretString::from(PASSWORD),
        }),
        connect_timeout: LONG,
        timeout: LONG,
    }
}

fn index(server: &MockServer) -> OpenSearchIndex {
    OpenSearchIndex::new(config(Url::parse(&server.uri()).unwrap())).unwrap()
}

fn document() -> SearchDocument {
    SearchDocument {
        listing_id: "listing/1".to_owned(),
        version: 5,
        title: "Flat".to_owned(),
        description: "Bright".to_owned(),
        price: Decimal::new(99_999, 2),
        city: "Zug".to_owned(),
        state: "ZG".to_owned(),
        address: "Seestrasse 1".to_owned(),
        zip_code: None,
        bedrooms: Some(Decimal::new(2, 0)),
        bathrooms: None,
        area: None,
        images: vec!["https://cdn.example.com/1.jpg".to_owned()],
    }
}

fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn error(kind: &str) -> Value {
    json!({"error": {"type": kind, "reason": "words"}, "status": 400})
}

/// A cluster that has the index.
async fn cluster() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("HEAD"))
        .and(path("/listings"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    server
}

/// A cluster that has the index and answers everything else with this.
async fn answering(response: ResponseTemplate) -> MockServer {
    let server = cluster().await;
    Mock::given(any())
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

/// What comes of each call.
async fn every_call(index: &OpenSearchIndex) -> [Result<(), SearchIndexError>; 4] {
    [
        index.publish(&document()).await,
        index.remove("listing/1", 6).await,
        index.search(&SearchQuery::default()).await.map(drop),
        index.lookup("listing/1").await.map(drop),
    ]
}

#[tokio::test]
async fn a_publish_puts_the_document_under_its_external_version() {
    let server = cluster().await;
    Mock::given(method("PUT"))
        .and(path("/listings/_doc/listing%2F1"))
        .and(query_param("version", "5"))
        .and(query_param("version_type", "external_gte"))
        .and(query_param("refresh", "wait_for"))
        .and(header("content-type", "application/json"))
        .and(header(
            "authorization",
            "Basic cGFydG5lcjpodW50ZXIyLXZlcnktc2VjcmV0",
        ))
        .and(body_json(json!({
            "listing_id": "listing/1", "version": 5, "removed": false,
            "title": "Flat", "description": "Bright", "price": 999.99,
            "city": "Zug", "state": "ZG", "address": "Seestrasse 1",
            "city_key": "zug", "state_key": "zg", "bedrooms": 2,
            "images": ["https://cdn.example.com/1.jpg"],
        })))
        .respond_with(answer(201, &json!({"_version": 5, "result": "created"})))
        .expect(1)
        .mount(&server)
        .await;
    index(&server).publish(&document()).await.unwrap();
}

#[tokio::test]
async fn a_removal_puts_a_tombstone_and_deletes_nothing() {
    let server = cluster().await;
    Mock::given(method("PUT"))
        .and(path("/listings/_doc/listing%2F1"))
        .and(query_param("version", "6"))
        .and(query_param("version_type", "external_gte"))
        .and(body_json(
            json!({"listing_id": "listing/1", "version": 6, "removed": true}),
        ))
        .respond_with(answer(200, &json!({"_version": 6, "result": "updated"})))
        .expect(1)
        .mount(&server)
        .await;
    index(&server).remove("listing/1", 6).await.unwrap();
}

#[tokio::test]
async fn an_api_key_is_sent_as_one() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "ApiKey a2V5"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let config = OpenSearchConfig {
        credentials: Some(OpenSearchCredentials::ApiKey("a2V5".into())),
        ..config(Url::parse(&server.uri()).unwrap())
    };
    let index = OpenSearchIndex::new(config).unwrap();
    index.ensure_index().await.unwrap();
}

#[tokio::test]
async fn a_missing_index_is_created_with_its_mapping_and_once() {
    let server = MockServer::start().await;
    Mock::given(method("HEAD"))
        .respond_with(ResponseTemplate::new(404))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(path("/listings"))
        .and(body_json(wire::index_definition()))
        .respond_with(answer(
            200,
            &json!({"acknowledged": true, "index": "listings"}),
        ))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(answer(404, &json!({"_id": "a", "found": false})))
        .expect(2)
        .mount(&server)
        .await;
    let index = index(&server);
    for _ in 0..2 {
        assert_eq!(index.lookup("a").await.unwrap(), None);
    }
}

#[tokio::test]
async fn whoever_loses_the_race_to_create_the_index_has_it_too() {
    let server = MockServer::start().await;
    Mock::given(method("HEAD"))
        .respond_with(ResponseTemplate::new(404))
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .respond_with(answer(400, &error("resource_already_exists_exception")))
        .expect(1)
        .mount(&server)
        .await;
    index(&server).ensure_index().await.unwrap();
}

#[tokio::test]
async fn an_index_that_cannot_be_had_stops_every_call_and_is_asked_for_again() {
    let server = MockServer::start().await;
    Mock::given(method("HEAD"))
        .respond_with(ResponseTemplate::new(404))
        .mount(&server)
        .await;
    for (creation, is_retryable) in [
        (answer(400, &error("mapper_parsing_exception")), false),
        (
            answer(503, &error("cluster_manager_not_discovered_exception")),
            true,
        ),
        (answer(200, &json!({"acknowledged": false})), true),
    ] {
        let creating = Mock::given(method("PUT"))
            .and(path("/listings"))
            .respond_with(creation)
            .expect(4)
            .mount_as_scoped(&server)
            .await;
        for outcome in every_call(&index(&server)).await {
            use partner_core::error::Failure;
            assert_eq!(outcome.unwrap_err().is_retryable(), is_retryable);
        }
        drop(creating);
    }
}

#[tokio::test]
async fn a_version_conflict_is_superseded_and_any_other_conflict_is_not() {
    let conflict = error("version_conflict_engine_exception");
    let server = answering(answer(409, &conflict)).await;
    let index_of_server = index(&server);
    for outcome in [
        index_of_server.publish(&document()).await,
        index_of_server.remove("listing/1", 5).await,
    ] {
        assert!(
            matches!(&outcome, Err(SearchIndexError::Superseded { listing_id, version: 5 }) if listing_id == "listing/1"),
            "{outcome:?}"
        );
    }
    for body in [error("another_conflict"), json!("a proxy's page")] {
        let server = answering(answer(409, &body)).await;
        let outcome = index(&server).publish(&document()).await;
        assert!(
            matches!(outcome, Err(SearchIndexError::Refused { status: 409, .. })),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn failures_of_the_cluster_are_unavailable_and_say_how_long_to_wait() {
    for status in [429, 500, 502, 503] {
        let busy = answer(status, &error("busy_exception")).insert_header("retry-after", "3");
        let server = answering(busy).await;
        for outcome in every_call(&index(&server)).await {
            match outcome {
                Err(SearchIndexError::Unavailable {
                    status: given,
                    message,
                    retry_after,
                }) => {
                    assert_eq!(given, status);
                    assert_eq!(message, "busy_exception: words");
                    assert_eq!(retry_after, Some(Duration::from_secs(3)));
                }
                other => panic!("{status}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn other_answers_are_refusals() {
    // A redirect is not followed: it would take the credentials along. A lookup's 404 is a refusal
    // unless the API says that the document is what is missing.
    for status in [302, 400, 401, 403, 404, 413] {
        let server = answering(answer(status, &error("index_not_found_exception"))).await;
        for outcome in every_call(&index(&server)).await {
            assert!(
                matches!(outcome, Err(SearchIndexError::Refused { status: given, .. }) if given == status),
                "{status}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_success_that_is_none_of_the_apis_leaves_the_outcome_open() {
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"_version": 1}"#,
        r#"{"hits": {"hits": []}}"#,
    ] {
        let server = answering(ResponseTemplate::new(200).set_body_string(body)).await;
        for outcome in every_call(&index(&server)).await {
            assert!(
                matches!(outcome, Err(SearchIndexError::NoAnswer(_))),
                "{body}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn no_answer_is_no_answer() {
    for (url, timeout) in [
        (http_at(closed_port()), LONG),
        (misbehaving_server(Misbehaviour::Drop), LONG),
        (misbehaving_server(Misbehaviour::Silence), SHORT),
    ] {
        let index = OpenSearchIndex::new(OpenSearchConfig {
            timeout,
            ..config(url)
        })
        .unwrap();
        for outcome in every_call(&index).await {
            let error = outcome.unwrap_err();
            assert!(matches!(error, SearchIndexError::NoAnswer(_)), "{error:?}");
            // The address carries a listing's id.
            assert!(!error.to_string().contains("http://"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    // The index is seen before, so that it is the call's own answer that breaks off.
    let mut index =
        OpenSearchIndex::new(config(misbehaving_server(Misbehaviour::HalfAnAnswer))).unwrap();
    index.ready = OnceCell::new_with(Some(()));
    for outcome in every_call(&index).await {
        assert!(
            matches!(outcome, Err(SearchIndexError::NoAnswer(_))),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn what_no_index_can_take_is_never_sent() {
    let server = MockServer::start().await;
    let index = index(&server);
    for id in ["", "..", "a\nb", "a\0b"] {
        for outcome in [index.remove(id, 1).await, index.lookup(id).await.map(drop)] {
            assert!(
                matches!(outcome, Err(SearchIndexError::Invalid(_))),
                "{id:?}: {outcome:?}"
            );
        }
    }
    let outcome = index.remove("listing-1", -1).await;
    assert!(
        matches!(outcome, Err(SearchIndexError::Invalid(_))),
        "{outcome:?}"
    );
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn a_name_that_could_mean_other_indices_is_refused() {
    let named = |name: &str| {
        OpenSearchIndex::new(OpenSearchConfig {
            index: name.to_owned(),
            ..config(Url::parse("http://127.0.0.1:9200").unwrap())
        })
    };
    for name in ["listings", "listings-2026.11_a", "7"] {
        named(name).unwrap();
    }
    for name in [
        "",
        "_all",
        "-listings",
        ".",
        "..",
        ".hidden",
        "a,b",
        "list*",
        "Listings",
        "a/b",
        "a b",
        "ü",
        &"x".repeat(256),
    ] {
        let refused = named(name);
        assert!(
            matches!(refused, Err(OpenSearchConfigError::IndexName(_))),
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn the_secret_never_shows() {
    let server = answering(answer(
        401,
        &json!({"error": format!("bad password {PASSWORD}")}),
    ))
    .await;
    let index = index(&server);
    let error = index.publish(&document()).await.unwrap_err();
    let config = config(Url::parse(&server.uri()).unwrap());
    let broken = OpenSearchIndex::new(OpenSearchConfig {
        credentials: Some(OpenSearchCredentials::ApiKey(
            format!("{PASSWORD}\n").into(),
        )),
        ..config.clone()
    })
    .unwrap_err();
    let shown = format!("{error} {error:?} {index:?} {config:?} {broken} {broken:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert!(
        error.to_string().contains("bad password [redacted]"),
        "{error}"
    );
}
