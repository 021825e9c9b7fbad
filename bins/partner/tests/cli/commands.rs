//! The commands that need no platform.

use serde_json::Value;

use crate::support::World;

#[tokio::test]
async fn every_command_explains_itself() {
    let world = World::new();
    let commands: [&[&str]; 39] = [
        &[],
        &["demo"],
        &["dev"],
        &["api"],
        &["worker"],
        &["catalog"],
        &["config"],
        &["config", "check"],
        &["config", "show"],
        &["migrate"],
        &["doctor"],
        &["restore"],
        &["start"],
        &["list"],
        &["describe"],
        &["history"],
        &["signal"],
        &["query"],
        &["update"],
        &["review"],
        &["review", "list"],
        &["review", "approve"],
        &["review", "reject"],
        &["schedules"],
        &["schedules", "apply"],
        &["schedules", "list"],
        &["schedules", "pause"],
        &["schedules", "resume"],
        &["schedules", "trigger"],
        &["schedules", "backfill"],
        &["schedules", "delete"],
        &["keys"],
        &["keys", "create"],
        &["keys", "list"],
        &["keys", "revoke"],
        &["completions"],
        &["cancel"],
        &["terminate"],
        &["bench"],
    ];
    for command in commands {
        let answer = world.run(command.iter().chain(&["--help"])).await;
        assert_eq!(answer.code, Some(0), "{command:?}: {answer:?}");
        assert!(
            answer.stdout.contains("Usage: partner") && answer.stderr.is_empty(),
            "{answer:?}"
        );
    }
    let answer = world.run(["--help"]).await;
    assert!(answer.stdout.contains("Exit codes: 0 done"), "{answer:?}");
}

#[tokio::test]
async fn what_is_not_a_command_exits_2() {
    let world = World::new();
    for wrong in [
        &["nonsense"][..],
        &[],
        &["demo", "--nonsense"],
        &["dev", "--smtp-port", "70000"],
        &["start"],
        &["restore"],
        &["list", "--status", "asleep"],
        &["list", "--limit", "0"],
        &["describe"],
        &["signal", "payment-1"],
        &["update", "listing-1", "decide", "--input", "{"],
        &["schedules", "pause"],
        &[
            "schedules",
            "backfill",
            "s",
            "--from",
            "yesterday",
            "--to",
            "2026-11-28T08:00:00Z",
        ],
        &[
            "schedules",
            "backfill",
            "s",
            "--from",
            "2026-11-28T08:00:00Z",
            "--to",
            "2026-11-28T08:00:00Z",
        ],
        // Nobody says who.
        &["review", "approve", "flat-1"],
        &["review", "approve", "", "--reviewer", "ana"],
        // Nobody says why.
        &["terminate", "payment-1"],
        &["terminate", "payment-1", "--reason", " "],
        // Nobody says which database.
        &["restore", "file:///backups/logs/manifest-1.json"],
    ] {
        let answer = world.run(wrong).await;
        assert_eq!(answer.code, Some(2), "{wrong:?}: {answer:?}");
    }
}

#[tokio::test]
async fn the_catalogue_is_one_json_document_with_every_name() {
    let answer = World::new().run(["catalog", "--json"]).await;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let document = answer.document();
    let entries = document["entries"].as_array().expect("entries");
    let named = |kind: &str| -> Vec<_> {
        entries
            .iter()
            .filter(|entry| entry["kind"] == kind)
            .map(|entry| entry["name"].clone())
            .collect()
    };
    assert_eq!(
        named("workflow"),
        [
            "dailyReportWorkflow",
            "dataCleanupWorkflow",
            "dueSubscriptionsWorkflow",
            "expiringListingsWorkflow",
            "listingApprovalWorkflow",
            "listingExpirationWorkflow",
            "processPaymentWorkflow",
            "reminderWorkflow",
            "reservationExpiryWorkflow",
            "sendNotificationWorkflow",
            "subscriptionPaymentWorkflow",
            "userOnboardingWorkflow",
        ]
    );
    assert_eq!(named("update"), ["decide"]);
    assert!(
        named("activity").contains(&Value::from("sendEmail")),
        "{document}"
    );
    let activities = entries.iter().filter(|entry| entry["kind"] == "activity");
    for activity in activities {
        assert!(
            activity["policy"]["startToCloseTimeout"].is_string(),
            "{activity}"
        );
        assert!(activity["taskQueue"].is_string(), "{activity}");
    }
    let table = World::new().run(["catalog"]).await;
    assert!(
        table.code == Some(0) && table.stdout.contains("processPaymentWorkflow"),
        "{table:?}"
    );
}

fn broken() -> World {
    World::new()
        .with("TEMPORAL_MAX_CONCURRENT_ACTIVITIES", "0")
        .with("PARTNER__SMTP__TLS", "maybe")
        .with("PARTNER__WORKER__SHUTDOWN_GRACE", "soon")
}

#[tokio::test]
async fn config_check_lists_every_problem_and_exits_2() {
    let keys = [
        "worker.max_concurrent_activities: ",
        "smtp.tls: ",
        "worker.shutdown_grace: ",
    ];
    broken().run(["config", "check"]).await.fails_with(2, &keys);
    let answer = broken().run(["config", "check", "--json"]).await;
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let document = answer.document();
    assert_eq!(document["valid"], false);
    assert_eq!(
        document["problems"].as_array().map(Vec::len),
        Some(keys.len()),
        "{document}"
    );

    let missing = [
        "database.url: ",
        "gateway.api_key: ",
        "fulfillment.base_url: ",
        "fulfillment.api_key: ",
    ];
    World::new()
        .run(["config", "check"])
        .await
        .fails_with(2, &missing);
    World::new()
        .run(["config", "check", "--config", "/no/such/file"])
        .await
        .fails_with(2, &["/no/such/file"]);
    World::new()
        .with("PARTNER_ENV", "staging")
        .run(["config", "check"])
        .await
        .fails_with(2, &["staging"]);
}

fn complete() -> World {
    World::new()
        .with("DATABASE_URL", "postgres://app:hunter2@db.example/app")
        .with("SMTP_USER", "mailer")
        .with("SMTP_PASS", "swordfish")
        .with("PARTNER__GATEWAY__API_KEY", "sk_live_secret")
        .with(
            "PARTNER__FULFILLMENT__BASE_URL",
            "https://fulfilment.example",
        )
        .with("PARTNER__FULFILLMENT__API_KEY", "12345678")
        .with("PARTNER__TEMPORAL__API_KEY", "cloud-key")
}

#[tokio::test]
async fn config_check_accepts_a_complete_environment() {
    let answer = complete().run(["config", "check", "--json"]).await;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(answer.document()["valid"], true);
}

#[tokio::test]
async fn config_show_masks_secrets() {
    for arguments in [&["config", "show"][..], &["config", "show", "--json"]] {
        let answer = complete().run(arguments).await;
        assert_eq!(answer.code, Some(0), "{answer:?}");
        for secret in [
            "hunter2",
            "swordfish",
            "sk_live_secret",
            "12345678",
            "cloud-key",
        ] {
            assert!(
                !answer.stdout.contains(secret) && !answer.stderr.contains(secret),
                "{secret}: {answer:?}"
            );
        }
        assert!(
            answer.stdout.contains("mailer") && answer.stdout.contains("***"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn start_refuses_what_it_cannot_start_and_exits_2() {
    let world = World::new();
    let start = |workflow, input| world.run(["start", workflow, "--input", input]);
    start("noSuchWorkflow", "{}")
        .await
        .fails_with(2, &["noSuchWorkflow", "processPaymentWorkflow"]);
    start("processPaymentWorkflow", "{")
        .await
        .fails_with(2, &["--input is not JSON"]);
    start("processPaymentWorkflow", "{}")
        .await
        .fails_with(2, &["--id"]);
    start("processPaymentWorkflow", "@/no/such/file")
        .await
        .fails_with(2, &["/no/such/file"]);
}

#[tokio::test]
async fn a_service_that_does_not_answer_exits_1_with_a_hint() {
    // Nobody listens on port 1 of the loopback interface.
    let world = World::new()
        .with("TEMPORAL_ADDRESS", "127.0.0.1:1")
        .with("PARTNER__TEMPORAL__CONNECT_TIMEOUT", "1s");
    let input = r#"{"orderId":"o-1"}"#;
    let answer = world
        .run(["start", "processPaymentWorkflow", "--input", input])
        .await;
    answer.fails_with(1, &["127.0.0.1:1", "TEMPORAL_ADDRESS"]);
    let world = World::new()
        .with("DATABASE_URL", "postgres://app:hunter2@127.0.0.1:1/app")
        .with("PARTNER__DATABASE__ACQUIRE_TIMEOUT", "1s");
    let answer = world.run(["migrate"]).await;
    answer.fails_with(1, &["database"]);
    assert!(!answer.stderr.contains("hunter2"), "{answer:?}");
}

#[tokio::test]
async fn the_catalogue_in_the_docs_is_that_of_the_code() {
    let answer = World::new().run(["catalog", "--markdown"]).await;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/catalogue.md");
    let written = std::fs::read_to_string(file).expect("docs/catalogue.md");
    assert_eq!(
        written, answer.stdout,
        "write it anew: cargo run --bin partner -- catalog --markdown > docs/catalogue.md"
    );
}

#[tokio::test]
async fn every_shell_has_its_completions() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let answer = world.run(["completions", shell]).await;
        assert_eq!(answer.code, Some(0), "{shell}: {answer:?}");
        for word in ["partner", "schedules", "keys"] {
            assert!(answer.stdout.contains(word), "{shell}: {word}");
        }
    }
}
