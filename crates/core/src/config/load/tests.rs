//! Layers, kept names, secrets, and every problem at once.

use secrecy::ExposeSecret;

use super::super::sections::SearchBackend;
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

#[test]
fn a_review_has_time_for_a_reminder() {
    let problems = |variables: &[(&str, &str)]| {
        with(variables).map_or_else(|error| error.problems, |_| vec![])
    };
    assert!(problems(&[("PARTNER__LISTING__REVIEW_REMINDER", "0s")]).is_empty());
    for (name, value, expected) in [
        ("REVIEW_REMINDER", "48h", "listing.review_reminder"),
        ("REVIEW_WINDOW", "0s", "listing.review_window"),
        ("REVIEW_WINDOW", "91days", "listing.review_window"),
        ("REVIEW_URL", "mailto:x@example.com", "listing.review_url"),
    ] {
        let found = problems(&[(&format!("PARTNER__LISTING__{name}"), value)]);
        assert!(
            found.iter().any(|problem| problem.starts_with(expected)),
            "{name}={value}: {found:?}"
        );
    }
}

/// What a worker's configuration is with these variables beside the complete ones.
fn with(variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let variables: Vec<_> = COMPLETE.iter().chain(variables).copied().collect();
    load(&sources(&variables), Purpose::Worker)
}

#[test]
fn searches_are_the_databases_unless_a_cluster_is_named() {
    let search = with(&[]).unwrap().config.search;
    assert_eq!(search.backend, SearchBackend::Postgres);
    assert_eq!(search.index, "listings");
    let search = with(&[
        ("PARTNER__SEARCH__BACKEND", "opensearch"),
        ("PARTNER__SEARCH__URL", "https://search.example:9200"),
        ("PARTNER__SEARCH__USER", "partner"),
        ("PARTNER__SEARCH__PASSWORD", "12345"),
    ]);
    let search = search.unwrap().config.search;
    assert_eq!(search.backend, SearchBackend::OpenSearch);
    assert_eq!(search.url.unwrap().as_str(), "https://search.example:9200/");
    assert_eq!(search.password.unwrap().expose_secret(), "12345");
}

#[test]
fn a_cluster_needs_an_address_and_whole_credentials_that_stay_secret() {
    const CLUSTER: (&str, &str) = ("PARTNER__SEARCH__BACKEND", "opensearch");
    const URL: (&str, &str) = ("PARTNER__SEARCH__URL", "https://search.example");
    const USER: (&str, &str) = ("PARTNER__SEARCH__USER", "partner");
    const PASSWORD: (&str, &str) = ("PARTNER__SEARCH__PASSWORD", "hunter2");
    const API_KEY: (&str, &str) = ("PARTNER__SEARCH__API_KEY", "a2V5");
    const IN_THE_CLEAR: (&str, &str) = ("PARTNER__SEARCH__URL", "http://search.example");
    const LOOPBACK: (&str, &str) = ("PARTNER__SEARCH__URL", "http://[::1]:9200");
    const SLOW: (&str, &str) = ("PARTNER__SEARCH__TIMEOUT", "1min");
    for variables in [
        &[CLUSTER, URL] as &[_],
        &[CLUSTER, URL, USER, PASSWORD],
        &[CLUSTER, URL, API_KEY],
        &[CLUSTER, IN_THE_CLEAR],
        &[CLUSTER, LOOPBACK, API_KEY],
        // Nobody reads them.
        &[USER, IN_THE_CLEAR, SLOW],
    ] {
        with(variables).unwrap();
    }
    for (variables, expected) in [
        (&[CLUSTER] as &[_], "search.url: missing"),
        (&[CLUSTER, URL, USER], "search: user and password"),
        (&[CLUSTER, URL, PASSWORD], "search: user and password"),
        (
            &[CLUSTER, URL, USER, PASSWORD, API_KEY],
            "search: a user or an api_key",
        ),
        (&[CLUSTER, IN_THE_CLEAR, API_KEY], "search.url: credentials"),
        (
            &[CLUSTER, IN_THE_CLEAR, USER, PASSWORD],
            "search.url: credentials",
        ),
        (&[CLUSTER, URL, SLOW], "search.timeout: must be shorter"),
        (
            &[("PARTNER__SEARCH__BACKEND", "solr")],
            "search.backend: unknown variant",
        ),
    ] {
        let error = with(variables).unwrap_err();
        assert_eq!(error.problems.len(), 1, "{error}");
        assert!(error.problems[0].starts_with(expected), "{error}");
    }
}

#[test]
fn the_secrets_of_a_search_cluster_may_come_from_files_and_never_print() {
    let file = std::env::temp_dir().join(format!("partner-search-{}", std::process::id()));
    std::fs::write(&file, "hunter3\n").unwrap();
    let path = file.to_str().unwrap();
    for (key, other) in [
        (
            "PARTNER__SEARCH__PASSWORD_FILE",
            ("PARTNER__SEARCH__USER", "partner"),
        ),
        (
            "PARTNER__SEARCH__API_KEY_FILE",
            ("PARTNER__SEARCH__INDEX", "listings"),
        ),
    ] {
        let loaded = with(&[
            ("PARTNER__SEARCH__BACKEND", "opensearch"),
            ("PARTNER__SEARCH__URL", "https://search.example"),
            other,
            (key, path),
        ])
        .unwrap();
        let search = &loaded.config.search;
        let secret = search.password.as_ref().or(search.api_key.as_ref());
        assert_eq!(secret.unwrap().expose_secret(), "hunter3");
        let shown = format!("{} {:?}", loaded.masked, loaded.config);
        assert!(!shown.contains("hunter3"), "{shown}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn the_options_of_the_object_storage_are_texts_and_none_of_them_prints() {
    let mut variables = COMPLETE.to_vec();
    variables.extend([
        ("PARTNER__STORAGE__URL", "s3://bucket/files"),
        ("PARTNER__STORAGE__OPTIONS__ACCESS_KEY_ID", "20261122"),
        ("PARTNER__STORAGE__OPTIONS__ALLOW_HTTP", "true"),
        ("PARTNER__STORAGE__OPTIONS__REGION", "eu-central-1"),
        (
            "PARTNER__STORAGE__OPTIONS__SECRET_ACCESS_KEY",
            "open-sesame",
        ),
    ]);
    let loaded = load(&sources(&variables), Purpose::Worker).unwrap();
    let options: Vec<_> = loaded
        .config
        .storage
        .options
        .iter()
        .map(|(key, value)| (key.as_str(), value.expose_secret()))
        .collect();
    assert_eq!(
        options,
        [
            ("access_key_id", "20261122"),
            ("allow_http", "true"),
            ("region", "eu-central-1"),
            ("secret_access_key", "open-sesame"),
        ]
    );
    let shown = format!("{} {:?}", loaded.masked, loaded.config);
    for value in ["20261122", "open-sesame", "eu-central-1"] {
        assert!(!shown.contains(value), "{value} in {shown}");
    }
    assert_eq!(loaded.masked["storage"]["url"], "s3://bucket/files");
}

#[test]
fn a_list_comes_from_the_environment_as_json() {
    let recipients = "PARTNER__SCHEDULES__REPORTS__RECIPIENTS";
    let loaded = with(&[(recipients, r#"["ana@example.com","ben@example.com"]"#)]).unwrap();
    let reports = loaded.config.schedules.reports;
    assert_eq!(reports.recipients, ["ana@example.com", "ben@example.com"]);
    let error = with(&[(recipients, r#"["nobody"]"#)]).unwrap_err();
    assert_eq!(
        error.problems,
        ["schedules.reports.recipients: expected email addresses"]
    );
    // A secret that looks like a list stays text.
    let loaded = with(&[("PARTNER__GATEWAY__API_KEY", "[1]")]).unwrap();
    assert_eq!(loaded.config.gateway.api_key.expose_secret(), "[1]");
}

#[test]
fn the_times_of_schedules_have_five_fields() {
    let error = with(&[
        ("PARTNER__SCHEDULES__REPORTS__CRON", "daily"),
        ("PARTNER__SCHEDULES__CATCH_UP", "1s"),
    ])
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("schedules.reports.cron: expected minute, hour")
            && text.contains("schedules.catch_up: at least 10 seconds"),
        "{text}"
    );
}

#[test]
fn the_apis_limits_fit_together() {
    let loaded = load(&sources(&COMPLETE), Purpose::Api).unwrap();
    assert_eq!(loaded.config.api.failed_logins_per_minute.get(), 30);
    let wrong = [
        ("PARTNER__API__MAX_CONNECTIONS", "200"),
        ("PARTNER__API__HEADER_TIMEOUT", "0s"),
        ("PARTNER__API__BODY_TIMEOUT", "1h"),
        ("PARTNER__API__JWT__JWKS_URL", "https://id.example/keys"),
        ("PARTNER__API__JWT__ISSUER", "https://id.example/"),
        ("PARTNER__API__JWT__AUDIENCE", "partner-platform"),
        ("PARTNER__API__JWT__KEYS_TTL", "2days"),
    ];
    let variables = [&COMPLETE[..], &wrong].concat();
    let text = load(&sources(&variables), Purpose::Api)
        .unwrap_err()
        .to_string();
    for expected in [
        "api.max_connections: more than api.max_streams",
        "api.header_timeout: 1 second",
        "api.body_timeout: 1 second",
        "api.jwt.keys_max_age: at least keys_ttl",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // Each needs one that is above zero.
    for key in [
        "FAILED_LOGINS_PER_MINUTE",
        "MAX_STREAMS_PER_CALLER",
        "MAX_WAITS_PER_CALLER",
    ] {
        let name = format!("PARTNER__API__{key}");
        let variables = [&COMPLETE[..], &[(name.as_str(), "0")]].concat();
        let error = load(&sources(&variables), Purpose::Api).unwrap_err();
        let key = key.to_lowercase();
        assert!(error.to_string().contains(&key), "{error}");
    }
}
