//! The commands for workflows that were started, beside a platform that runs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::dev::{beside, shop, started, stop, text};
use crate::support::{Answer, World, in_time};

const REMINDER: &str = "reminder-ana";
const REVIEW: &str = "listing-approval-flat-1";

/// Runs a command that succeeds, and reads its document.
pub(crate) async fn done(world: &World, arguments: &[&str]) -> Value {
    let answer = world.run(arguments.iter().chain(&["--json"])).await;
    assert_eq!(answer.code, Some(0), "{arguments:?}: {answer:?}");
    answer.document()
}

/// Runs a command that a person reads.
pub(crate) async fn said(world: &World, arguments: &[&str]) -> Answer {
    world.run(arguments).await
}

/// Starts a workflow, and waits until it is at this step.
async fn start(world: &World, workflow: &str, id: &str, input: &Value, step: &str) {
    let input = input.to_string();
    let arguments = ["start", workflow, "--id", id, "--input", &input];
    done(world, &arguments).await;
    until(world, &["query", id, "getStatus"], |answer| {
        answer["answer"]["step"] == step
    })
    .await;
}

/// Asks until the answer is so.
pub(crate) async fn until(world: &World, arguments: &[&str], is_so: impl Fn(&Value) -> bool) {
    let asked = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            if is_so(&done(world, arguments).await) {
                return;
            }
        }
    };
    in_time(&arguments.join(" "), asked).await;
}

fn reminder() -> Value {
    json!({
        "userId": "ana", "reminderType": "viewing", "message": "You meet at the lake.",
        "scheduledTime": "2100-01-01T09:00:00Z",
    })
}

fn listing() -> Value {
    let images: Vec<_> = (1..=5)
        .map(|number| format!("https://cdn.example.com/{number}.jpg"))
        .collect();
    json!({
        "listingId": "flat-1", "userId": "ana", "propertyData": {
            "title": "Flat by the lake", "description": "A quiet flat with a view over the lake. ".repeat(6),
            "price": 450_000, "location": { "address": "Seestrasse 1", "city": "Zug", "state": "ZG" },
            "images": images, "bedrooms": 2, "bathrooms": 1.5, "area": 85,
        },
    })
}

#[tokio::test]
async fn a_reminder_is_found_asked_moved_and_called_off() {
    let place = World::new();
    let (dev, endpoints) = started(&place, &[]).await;
    shop(&endpoints).await;
    let world = beside(&endpoints);
    start(&world, "reminderWorkflow", REMINDER, &reminder(), "waiting").await;

    let running = [
        "list",
        "--type",
        "reminderWorkflow",
        "--status",
        "running",
        "--id",
        "reminder-",
    ];
    until(&world, &running, |found| {
        found["workflows"][0]["workflowId"] == REMINDER && found["more"] == false
    })
    .await;
    let none = done(&world, &["list", "--status", "failed"]).await;
    assert_eq!(none["workflows"], json!([]));

    let description = done(&world, &["describe", REMINDER]).await;
    assert_eq!(
        (
            &description["summary"]["workflowType"],
            &description["summary"]["status"]
        ),
        (&json!("reminderWorkflow"), &json!("running"))
    );
    let answer = said(&world, &["describe", REMINDER]).await;
    assert!(answer.stdout.contains("status      running"), "{answer:?}");

    let moved = r#""2101-01-01T09:00:00Z""#;
    done(
        &world,
        &["signal", REMINDER, "reschedule", "--input", moved],
    )
    .await;
    until(&world, &["query", REMINDER, "getDetails"], |details| {
        details["answer"]["scheduledTime"] == "2101-01-01T09:00:00Z"
    })
    .await;

    refuses_what_is_not_there(&world).await;
    done(
        &world,
        &["cancel", REMINDER, "--reason", "they met already"],
    )
    .await;
    until(&world, &["describe", REMINDER], |description| {
        description["summary"]["status"] == "cancelled"
    })
    .await;
    said(&world, &["signal", REMINDER, "cancel"])
        .await
        .fails_with(1, &["has ended", "cancelled"]);
    the_history_tells_what_happened(&world).await;
    stop(&place, dev).await;
}

async fn the_history_tells_what_happened(world: &World) {
    let answer = said(world, &["history", REMINDER]).await;
    for word in [
        "WorkflowExecutionStarted",
        "reminderWorkflow",
        "reschedule",
        "they met already",
    ] {
        assert!(answer.stdout.contains(word), "{word}: {answer:?}");
    }
    let history = done(world, &["history", REMINDER]).await;
    let first = &history["events"][0];
    assert!(
        first["attributes"]["WorkflowExecutionStartedEventAttributes"].is_object(),
        "{first}"
    );
}

async fn refuses_what_is_not_there(world: &World) {
    said(world, &["signal", REMINDER, "nonsense"])
        .await
        .fails_with(2, &["nonsense", "reschedule"]);
    said(world, &["query", REMINDER, "nonsense"])
        .await
        .fails_with(2, &["nonsense", "getStatus"]);
    said(world, &["update", REMINDER, "decide", "--input", "{}"])
        .await
        .fails_with(2, &["decide", "it has none"]);
    for command in [&["describe"][..], &["history"], &["cancel"]] {
        let arguments = [command, &["no-such-workflow"]].concat();
        said(world, &arguments)
            .await
            .fails_with(1, &["no-such-workflow", "partner list"]);
    }
}

#[tokio::test]
async fn a_review_is_decided_once_and_another_one_is_terminated() {
    let place = World::new();
    let (dev, endpoints) = started(&place, &[]).await;
    let shop = shop(&endpoints).await;
    shop.add_reviewer("ana", false).await.expect("a reviewer");
    let world = beside(&endpoints);
    start(
        &world,
        "listingApprovalWorkflow",
        REVIEW,
        &listing(),
        "reviewing",
    )
    .await;
    until(&world, &["review", "list"], |waiting| {
        waiting["reviews"][0]["listingId"] == "flat-1"
    })
    .await;
    let answer = said(&world, &["review", "list"]).await;
    assert!(answer.stdout.contains("flat-1"), "{answer:?}");

    let decision = r#"{"decision":"reject","reviewer":"ana","listingVersion":7}"#;
    let arguments = ["update", REVIEW, "decide", "--input", decision, "--json"];
    let refused = said(&world, &arguments).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(refused.document()["accepted"], false);
    let approve = [
        "review",
        "approve",
        "flat-1",
        "--reviewer",
        "ana",
        "--listing-version",
    ];
    said(&world, &[&approve[..], &["7"]].concat())
        .await
        .fails_with(1, &["refused"]);
    let made = done(&world, &[&approve[..], &["1"]].concat()).await;
    assert_eq!(made["answer"]["reviewer"], "ana", "{made}");
    until(&world, &["describe", REVIEW], |description| {
        description["summary"]["status"] == "completed"
    })
    .await;

    said(&world, &[&approve[..], &["1"]].concat())
        .await
        .fails_with(1, &["has ended", "completed"]);
    let waiting = done(&world, &["review", "list"]).await;
    assert_eq!(waiting["reviews"], json!([]));

    start(&world, "reminderWorkflow", REMINDER, &reminder(), "waiting").await;
    done(&world, &["terminate", REMINDER, "--reason", "a test"]).await;
    until(&world, &["describe", REMINDER], |description| {
        description["summary"]["status"] == "terminated"
    })
    .await;
    said(&world, &["terminate", REMINDER, "--reason", "again"])
        .await
        .fails_with(1, &["has ended", "terminated"]);
    stop(&place, dev).await;
}

/// What a deployed worker would be told, of a platform that runs.
fn deployed(endpoints: &Value) -> World {
    let smtp = text(endpoints, "smtpAddress");
    let (host, port) = smtp.rsplit_once(':').expect("host:port");
    beside(endpoints)
        .with("DATABASE_URL", text(endpoints, "databaseUrl"))
        .with("PARTNER__SMTP__HOST", host)
        .with("PARTNER__SMTP__PORT", port)
        .with("PARTNER__SMTP__TLS", "none")
        .with("PARTNER__GATEWAY__BASE_URL", text(endpoints, "gatewayUrl"))
        .with(
            "PARTNER__GATEWAY__API_KEY",
            text(endpoints, "gatewayApiKey"),
        )
        .with(
            "PARTNER__FULFILLMENT__BASE_URL",
            text(endpoints, "fulfillmentUrl"),
        )
        .with("PARTNER__FULFILLMENT__API_KEY", "12345678")
        .with("PARTNER__STORAGE__URL", text(endpoints, "storageUrl"))
}

/// The state of each dependency.
fn states(document: &Value) -> BTreeMap<String, String> {
    let findings = document["findings"].as_array().expect("findings");
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    findings
        .iter()
        .map(|finding| (word(&finding["dependency"]), word(&finding["state"])))
        .collect()
}

/// What was seen of a dependency.
fn finding(document: &Value, dependency: &str) -> String {
    let findings = document["findings"].as_array().expect("findings");
    let found = findings
        .iter()
        .find(|finding| finding["dependency"] == dependency);
    let detail = found.and_then(|finding| finding["detail"].as_str());
    detail.expect("a finding").to_owned()
}

#[tokio::test]
async fn doctor_finds_a_platform_healthy_and_names_what_is_wrong_with_one() {
    let place = World::new();
    let (dev, endpoints) = started(&place, &[]).await;
    let document = done(&deployed(&endpoints), &["doctor"]).await;
    assert_eq!(document["healthy"], true, "{document}");
    let found = states(&document);
    assert_eq!(found.len(), 11, "{document}");
    for (dependency, state) in &found {
        let expected = match dependency.as_str() {
            "Web Push" => "off",
            "recurring work" => "warning",
            _ => "ok",
        };
        assert_eq!(state, expected, "{dependency}: {document}");
    }
    let recurring = &finding(&document, "recurring work");
    assert!(
        recurring.contains("partner-due-subscriptions is not there"),
        "{document}"
    );
    done(&deployed(&endpoints), &["schedules", "apply"]).await;
    until(&deployed(&endpoints), &["doctor"], |document| {
        finding(document, "recurring work").contains("are active")
    })
    .await;

    let wrong = deployed(&endpoints)
        .with("TEMPORAL_TASK_QUEUE", "nobodys-queue")
        .with("PARTNER__SMTP__PORT", "1")
        .with("PARTNER__GATEWAY__API_KEY", "sk_test_wrong")
        .with("PARTNER__FULFILLMENT__BASE_URL", "http://127.0.0.1:1")
        .with("PARTNER__STORAGE__URL", "file:///no/such/folder");
    let answer = wrong.run(["doctor", "--json"]).await;
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let document = answer.document();
    assert_eq!(document["healthy"], false, "{document}");
    let found = states(&document);
    for (dependency, expected) in [
        ("PostgreSQL", "ok"),
        ("search index", "ok"),
        ("Temporal", "warning"),
        ("mail relay", "failed"),
        ("payment gateway", "failed"),
        ("fulfilment service", "failed"),
        ("object storage", "failed"),
    ] {
        assert_eq!(found[dependency], expected, "{dependency}: {document}");
    }
    let answer = said(&wrong, &["doctor"]).await;
    assert_eq!(answer.code, Some(1), "{answer:?}");
    for words in ["127.0.0.1:1", "PARTNER__GATEWAY__API_KEY", "start a worker"] {
        assert!(answer.stdout.contains(words), "{words}: {answer:?}");
    }
    stop(&place, dev).await;
}
