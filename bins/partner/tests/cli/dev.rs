//! `partner dev`: a platform that others use, until it is told to stop.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use partner_local::shop::{NewOrder, Shop};
use serde_json::{Value, json};

use crate::support::{Answer, Running, World};

const ORDER: &str = "o-1";

/// Starts the platform and reads where everything is.
pub(crate) async fn started(world: &World, arguments: &[&str]) -> (Running, Value) {
    let mut dev = world.start(["dev", "--json"].iter().chain(arguments));
    let line = dev.line().await.expect("the endpoints");
    let endpoints = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (dev, endpoints)
}

pub(crate) fn text<'a>(endpoints: &'a Value, key: &str) -> &'a str {
    endpoints[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {endpoints}"))
}

/// A shop that knows Ana.
pub(crate) async fn shop(endpoints: &Value) -> Shop {
    let shop = Shop::connect(text(endpoints, "databaseUrl"))
        .await
        .expect("the database answers");
    shop.add_user("ana", "ana@example.com", "Ana")
        .await
        .expect("a user");
    shop
}

/// A shop with one order.
async fn place_order(endpoints: &Value) {
    let shop = shop(endpoints).await;
    shop.add_stock("chair", 2).await.expect("an article");
    let order = NewOrder {
        id: ORDER,
        user_id: "ana",
        amount_minor: 4_999,
        currency: "EUR",
        sku: "chair",
        quantity: 1,
    };
    shop.place(&order).await.expect("an order");
}

/// Status and transaction of the order.
async fn order(endpoints: &Value) -> (String, Option<String>) {
    let shop = Shop::connect(text(endpoints, "databaseUrl"))
        .await
        .expect("the database answers");
    let order = shop.order(ORDER).await.expect("the order");
    (order.status, order.transaction_id)
}

/// The environment that a person would take from the endpoints.
pub(crate) fn beside(endpoints: &Value) -> World {
    World::new()
        .with("TEMPORAL_ADDRESS", text(endpoints, "temporalAddress"))
        .with("TEMPORAL_NAMESPACE", text(endpoints, "namespace"))
        .with("TEMPORAL_TASK_QUEUE", text(endpoints, "taskQueue"))
}

/// `partner start` in that environment.
async fn pay(endpoints: &Value) -> Answer {
    let world = beside(endpoints);
    let input = json!({
        "orderId": ORDER, "userId": "ana", "amount": 49.99, "currency": "EUR", "paymentMethod": "wallet",
    });
    let input = input.to_string();
    world
        .run([
            "start",
            "processPaymentWorkflow",
            "--input",
            &input,
            "--wait",
            "--json",
        ])
        .await
}

/// Stops the platform as a supervisor does: no error, no more output, nothing left.
pub(crate) async fn stop(world: &World, dev: Running) {
    let family = dev.family();
    dev.signal(Signal::SIGTERM);
    let answer = dev.ended().await;
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (Some(0), ""),
        "{answer:?}"
    );
    world.is_left_clean(&family).await;
}

#[tokio::test]
async fn dev_tells_its_endpoints_pays_an_order_and_leaves_nothing() {
    let world = World::new();
    let (dev, endpoints) = started(&world, &[]).await;
    for key in [
        "temporalAddress",
        "namespace",
        "taskQueue",
        "databaseUrl",
        "smtpAddress",
    ] {
        assert!(!text(&endpoints, key).is_empty(), "{key} in {endpoints}");
    }
    for key in [
        "temporalUi",
        "inboxUrl",
        "gatewayUrl",
        "fulfillmentUrl",
        "pushUrl",
        "metricsUrl",
        "healthUrl",
        "apiUrl",
    ] {
        assert!(
            text(&endpoints, key).starts_with("http://127.0.0.1:"),
            "{key} in {endpoints}"
        );
    }
    place_order(&endpoints).await;
    let answer = pay(&endpoints).await;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let document = answer.document();
    assert_eq!(
        (&document["workflowId"], &document["status"]),
        (&json!("payment-o-1"), &json!("completed"))
    );
    let transaction = document["result"]["transactionId"]
        .as_str()
        .map(str::to_owned);
    assert!(transaction.is_some(), "{document}");
    assert_eq!(order(&endpoints).await, ("paid".to_owned(), transaction));
    stop(&world, dev).await;
}

#[tokio::test]
async fn dev_keeps_its_data_in_a_folder_with_a_space_in_its_name() {
    // Open to all: if we are root, PostgreSQL runs as somebody else.
    let place = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .expect("a folder");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("an open folder");
    let folder = place.path().join("my data");
    let arguments = ["--data-dir", folder.to_str().expect("UTF-8")];
    let world = World::new();

    let (dev, endpoints) = started(&world, &arguments).await;
    place_order(&endpoints).await;
    let first = pay(&endpoints).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let paid = order(&endpoints).await;
    stop(&world, dev).await;

    let (dev, endpoints) = started(&world, &arguments).await;
    assert_eq!(order(&endpoints).await, paid);
    // The same payment is joined, not made again: the histories are there too.
    let second = pay(&endpoints).await;
    assert_eq!(second.document(), first.document());
    stop(&world, dev).await;
}
