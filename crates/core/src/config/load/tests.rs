//! Layers, kept names, secrets, and every problem at once.

use super::*;

fn sources(variables: &[(&str, &str)]) -> ConfigSources {
    ConfigSources {
        environment: variables
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        file: None,
        default_profile: "production",
    }
}

const COMPLETE: [(&str, &str); 4] = [
    ("DATABASE_URL", "postgres://app:hunter2@db/app"),
    ("PARTNER__GATEWAY__API_KEY", "sk_secret"),
    ("PARTNER__FULFILLMENT__BASE_URL", "https://f.example"),
    ("PARTNER__FULFILLMENT__API_KEY", "12345"),
];

#[test]
fn defaults_are_the_contracts() {
    let loaded = load(&sources(&COMPLETE), Purpose::Worker).unwrap();
    assert_eq!(
        loaded.config.activities,
        crate::activity_options::ActivityPolicies::default()
    );
    assert_eq!(
        loaded.config.temporal.task_queue,
        crate::task_queue::DEFAULT
    );
    assert_eq!(loaded.config.worker.max_concurrent_activities.get(), 100);
    assert_eq!(loaded.config.payment.reservation_ttl.as_secs(), 600);
    // A secret of digits stays text.
    assert_eq!(loaded.config.fulfillment.api_key.expose_secret(), "12345");
}

#[test]
fn lists_every_problem_at_once() {
    let error = load(
        &sources(&[
            ("TEMPORAL_ADDRESS", "nowhere"),
            ("TEMPORAL_MAX_CONCURRENT_ACTIVITIES", "0"),
            ("PARTNER__WORKER__SHUTDOWN_GRACE", "soon"),
            ("PARTNER__WORKER__SHUTDOWN_GRAZE", "1s"),
            ("PARTNER__SMTP__TLS", "maybe"),
        ]),
        Purpose::Worker,
    )
    .unwrap_err();
    let text = error.to_string();
    for expected in [
        "worker.max_concurrent_activities: invalid value",
        "worker.shutdown_grace: ",
        "worker.shutdown_graze: no such key",
        "smtp.tls: unknown variant `maybe`",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let missing = load(
        &sources(&[("TEMPORAL_ADDRESS", "nowhere")]),
        Purpose::Worker,
    );
    let text = missing.unwrap_err().to_string();
    for expected in [
        "temporal.address",
        "database.url",
        "gateway.api_key",
        "fulfillment.base_url",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn secrets_never_print() {
    let loaded = load(&sources(&COMPLETE), Purpose::Worker).unwrap();
    let shown = format!("{} {:?}", loaded.masked, loaded.config);
    for secret in ["hunter2", "sk_secret", "12345"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn asks_each_purpose_only_for_what_it_needs() {
    assert!(load(&sources(&[]), Purpose::Client).is_ok());
    assert!(
        load(
            &sources(&[("DATABASE_URL", "postgres://x")]),
            Purpose::Database
        )
        .is_ok()
    );
}
