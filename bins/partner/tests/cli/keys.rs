//! API keys, made and taken back beside a platform whose API knows them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dev::{started, stop, text};
use crate::operate::{done, said};
use crate::support::World;

/// The status that the API of a platform answers with.
async fn status(api: &str, key: &str, path: &str) -> u16 {
    // Every request of this process has the same; the first one brings it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let answer = client
        .get(format!("{api}{path}"))
        .bearer_auth(key)
        .send()
        .await;
    answer.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_key_works_from_its_making_until_it_is_revoked() {
    let world = World::new();
    let (dev, endpoints) = started(&world, &[]).await;
    let api = text(&endpoints, "apiUrl");
    assert_eq!(
        status(api, text(&endpoints, "apiKey"), "/api/v1/workflows").await,
        200
    );

    let beside = World::new().with("DATABASE_URL", text(&endpoints, "databaseUrl"));
    let create = [
        "keys", "create", "--name", "reader", "--scope", "read", "--user", "ana",
    ];
    let made = done(&beside, &create).await;
    let (key, id) = (text(&made, "key"), text(&made, "id"));
    assert_eq!(status(api, key, "/api/v1/users/ana/inbox").await, 200);
    assert_eq!(status(api, key, "/api/v1/users/ben/inbox").await, 403);

    let listed = done(&beside, &["keys", "list"]).await;
    let names = listed["keys"].as_array().expect("a list").iter();
    let names: BTreeSet<_> = names
        .map(|key| key["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, BTreeSet::from(["partner dev", "reader"]));
    assert!(!listed.to_string().contains(key), "{listed}");
    let table = said(&beside, &["keys", "list"]).await;
    assert!(
        table.stdout.contains("reader") && table.stdout.contains("valid"),
        "{table:?}"
    );

    let revoked = done(&beside, &["keys", "revoke", id]).await;
    assert_ne!(revoked["revokedAt"], Value::Null);
    assert_eq!(done(&beside, &["keys", "revoke", id]).await, revoked);
    assert_eq!(status(api, key, "/api/v1/users/ana/inbox").await, 401);
    stop(&world, dev).await;

    let admin = [
        "keys", "create", "--name", "x", "--scope", "admin", "--user", "ana",
    ];
    said(&beside, &admin).await.fails_with(2, &["--user"]);
    let nobody = ["keys", "create", "--name", " ", "--scope", "read"];
    said(&beside, &nobody).await.fails_with(2, &["--name"]);
}
