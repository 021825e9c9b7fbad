//! Reading the layers, and finding every problem in one go.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::Dict;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::sections::{Config, SearchBackend, SmtpTls};
use crate::contact::EmailAddress;
use crate::ids::UserId;

const DEFAULT: &str = include_str!("../../../../config/default.toml");
const DEVELOPMENT: &str = include_str!("../../../../config/development.toml");
const PRODUCTION: &str = include_str!("../../../../config/production.toml");

/// Marks the environment's own keys: `PARTNER__DATABASE__URL` is `database.url`.
const PREFIX: &str = "PARTNER__";

/// The names that the platform has always had, and the keys they stand for.
const KEPT_NAMES: [(&str, &str); 11] = [
    ("TEMPORAL_ADDRESS", "temporal.address"),
    ("TEMPORAL_NAMESPACE", "temporal.namespace"),
    ("TEMPORAL_TASK_QUEUE", "temporal.task_queue"),
    (
        "TEMPORAL_MAX_CONCURRENT_ACTIVITIES",
        "worker.max_concurrent_activities",
    ),
    (
        "TEMPORAL_MAX_CONCURRENT_WORKFLOWS",
        "worker.max_concurrent_workflows",
    ),
    ("SMTP_HOST", "smtp.host"),
    ("SMTP_PORT", "smtp.port"),
    ("SMTP_USER", "smtp.user"),
    ("SMTP_PASS", "smtp.password"),
    ("SMTP_FROM", "smtp.from"),
    ("DATABASE_URL", "database.url"),
];

/// The keys that never print, and that may come from a file (`<key>_file`).
const SECRETS: [&str; 11] = [
    "temporal.api_key",
    "database.url",
    "smtp.password",
    "gateway.api_key",
    "fulfillment.api_key",
    "push.vapid_private_key",
    "search.password",
    "search.api_key",
    "storage.options.secret_access_key",
    "storage.options.service_account_key",
    "storage.options.account_key",
];

/// A table none of whose values print: what each of them is only the store knows.
const SECRET_TABLE: &str = "storage.options";

/// What stands in the place of a secret.
const MASK: &str = "***";

/// Where the configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct ConfigSources {
    /// The environment's variables.
    pub environment: BTreeMap<String, String>,
    /// A file over the embedded layers.
    pub file: Option<PathBuf>,
    /// The embedded profile if `PARTNER_ENV` names none.
    pub default_profile: &'static str,
}

impl ConfigSources {
    /// The process's environment, and `PARTNER_CONFIG` unless a file is given.
    pub fn from_process(file: Option<PathBuf>, default_profile: &'static str) -> Self {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = environment
            .get("PARTNER_CONFIG")
            .filter(|path| !path.is_empty());
        let file = file.or_else(|| named.map(PathBuf::from));
        Self {
            environment,
            file,
            default_profile,
        }
    }
}

/// What the configuration is read for: each needs its own part of it to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The worker: everything.
    Worker,
    /// A command on the database.
    Database,
    /// A Temporal client.
    Client,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// One line a problem: the key, what is wrong, the remedy.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the configuration has {} problem(s):",
            self.problems.len()
        )?;
        for problem in &self.problems {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}

/// A configuration that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The same as one document, secrets masked.
    pub masked: Value,
}

/// Reads and validates the configuration.
///
/// # Errors
/// [`ConfigError`] with every problem, not only the first.
pub fn load(sources: &ConfigSources, purpose: Purpose) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let mut document = merge(sources, &mut problems);
    read_secret_files(&mut document, &mut problems);
    let config = decode(&mut document, &environment_layer(sources), &mut problems);
    if let Some(config) = &config {
        problems.extend(rules(config, purpose));
    }
    mask(&mut document);
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded {
            config,
            masked: document,
        }),
        _ => Err(ConfigError { problems }),
    }
}

fn merge(sources: &ConfigSources, problems: &mut Vec<String>) -> Value {
    let profile = sources
        .environment
        .get("PARTNER_ENV")
        .map_or(sources.default_profile, String::as_str);
    let mut figment = Figment::from(Toml::string(DEFAULT));
    match profile {
        "development" => figment = figment.merge(Toml::string(DEVELOPMENT)),
        "production" => figment = figment.merge(Toml::string(PRODUCTION)),
        other => problems.push(format!(
            "PARTNER_ENV is {other:?}, expected \"development\" or \"production\""
        )),
    }
    if let Some(path) = &sources.file {
        if let Err(error) = std::fs::metadata(path) {
            problems.push(format!("configuration file {}: {error}", path.display()));
        }
        figment = figment.merge(Toml::file(path));
    }
    let document = figment
        .extract::<Dict>()
        .map_err(|error| problems.push(format!("configuration file: {error}")))
        .ok()
        .and_then(|dict| serde_json::to_value(dict).ok());
    let mut document = document.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    for (key, text) in environment_layer(sources) {
        set(&mut document, &key, guess(&text));
    }
    document
}

/// The environment as keys and texts; `PARTNER__...` wins over the kept names.
fn environment_layer(sources: &ConfigSources) -> BTreeMap<String, String> {
    let kept = KEPT_NAMES.iter().filter_map(|(name, key)| {
        let text = sources.environment.get(*name)?;
        Some(((*key).to_owned(), text.clone()))
    });
    let own = sources.environment.iter().filter_map(|(name, text)| {
        let key = name.strip_prefix(PREFIX)?;
        Some((key.to_lowercase().replace("__", "."), text.clone()))
    });
    let mut layer: BTreeMap<_, _> = kept.chain(own).collect();
    // An empty variable unsets a key, also one that a kept name sets.
    layer.retain(|_, text| !text.is_empty());
    layer
}

/// The environment has only text: a number or a flag is read as such, and as text if that fails.
fn guess(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn read_secret_files(document: &mut Value, problems: &mut Vec<String>) {
    for key in SECRETS {
        let file_key = format!("{key}_file");
        let Some(path) = take(document, &file_key) else {
            continue;
        };
        let path = path.as_str().map(PathBuf::from).unwrap_or_default();
        match std::fs::read_to_string(&path) {
            Ok(secret) => set(document, key, Value::String(secret.trim_end().to_owned())),
            Err(error) => problems.push(format!("{file_key}: {}: {error}", path.display())),
        }
    }
}

/// Decodes the document; a value that does not fit is reported and taken out of the way, so that
/// the next one is found too.
fn decode(
    document: &mut Value,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Option<Config> {
    let mut unknown = Vec::new();
    let mut found = 0;
    // What was wrong with a value before it was tried as text.
    let mut first_reasons = BTreeMap::new();
    loop {
        unknown.clear();
        let ignored = &mut |path: serde_ignored::Path<'_>| unknown.push(path.to_string());
        let deserializer = serde_ignored::Deserializer::new(&*document, ignored);
        match serde_path_to_error::deserialize::<_, Config>(deserializer) {
            Ok(config) => {
                problems.extend(unknown.iter().map(|key| {
                    format!("{key}: no such key, see config/default.toml for those that exist")
                }));
                return (found == 0).then_some(config);
            }
            Err(error) => {
                let key = error.path().to_string();
                let reason = error.into_inner().to_string();
                let was_text = get(document, &key).is_some_and(Value::is_string);
                if let (Some(text), false) = (environment.get(&key), was_text) {
                    set(document, &key, Value::String(text.clone()));
                    first_reasons.insert(key, reason);
                    continue;
                }
                found += 1;
                let reason = first_reasons.remove(&key).unwrap_or(reason);
                problems.push(format!("{key}: {reason}"));
                if !repair(document, &key) {
                    return None;
                }
            }
        }
    }
}

/// Puts the default in the place of a value that was already reported.
fn repair(document: &mut Value, key: &str) -> bool {
    let default = toml_document(DEFAULT);
    match get(&default, key) {
        Some(value) if get(document, key) != Some(value) => {
            set(document, key, value.clone());
            true
        }
        _ => take(document, key).is_some(),
    }
}

fn toml_document(text: &str) -> Value {
    Figment::from(Toml::string(text))
        .extract::<Dict>()
        .ok()
        .and_then(|dict| serde_json::to_value(dict).ok())
        .unwrap_or_default()
}

fn get<'a>(document: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.')
        .try_fold(document, |value, part| value.get(part))
}

fn set(document: &mut Value, key: &str, value: Value) {
    let mut place = document;
    for part in key.split('.') {
        if !place.is_object() {
            *place = Value::Object(serde_json::Map::new());
        }
        place = &mut place[part];
    }
    *place = value;
}

fn take(document: &mut Value, key: &str) -> Option<Value> {
    let (parent, last) = key.rsplit_once('.').unwrap_or(("", key));
    let parent = if parent.is_empty() {
        Some(document)
    } else {
        parent
            .split('.')
            .try_fold(document, |value, part| value.get_mut(part))
    };
    parent?.as_object_mut()?.remove(last)
}

fn mask(document: &mut Value) {
    for key in SECRETS {
        if get(document, key).is_some() {
            set(document, key, Value::String(MASK.to_owned()));
        }
    }
    let table = get(document, SECRET_TABLE).and_then(Value::as_object);
    if let Some(names) = table.map(|table| table.keys().cloned().collect::<Vec<_>>()) {
        let masked = names.into_iter().map(|name| (name, MASK.into())).collect();
        set(document, SECRET_TABLE, Value::Object(masked));
    }
}

/// The rules that go beyond one key's type.
fn rules(config: &Config, purpose: Purpose) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rule = |holds: bool, problem: &str| {
        if !holds {
            problems.push(problem.to_owned());
        }
    };
    if purpose != Purpose::Client {
        let url = config.database.url.expose_secret();
        rule(!url.is_empty(), "database.url: missing, set DATABASE_URL");
    }
    if purpose != Purpose::Database {
        let port = config
            .temporal
            .address
            .rsplit_once(':')
            .map(|(_, port)| port.parse::<u16>());
        rule(
            matches!(port, Some(Ok(_))),
            "temporal.address: expected host:port, such as 127.0.0.1:7233",
        );
        let tls = &config.temporal.tls;
        rule(
            tls.cert_file.is_some() == tls.key_file.is_some(),
            "temporal.tls: cert_file and key_file come together",
        );
    }
    if purpose == Purpose::Worker {
        worker_rules(config, &mut rule);
    }
    problems
}

fn worker_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    rule(
        !config.gateway.api_key.expose_secret().is_empty(),
        "gateway.api_key: missing, set PARTNER__GATEWAY__API_KEY or gateway.api_key_file",
    );
    rule(
        config.fulfillment.base_url.is_some(),
        "fulfillment.base_url: missing, set PARTNER__FULFILLMENT__BASE_URL",
    );
    rule(
        !config.fulfillment.api_key.expose_secret().is_empty(),
        "fulfillment.api_key: missing, set PARTNER__FULFILLMENT__API_KEY or fulfillment.api_key_file",
    );
    rule(
        config.smtp.user.is_some() == config.smtp.password.is_some(),
        "smtp: user and password come together",
    );
    rule(
        config.smtp.user.is_none()
            || config.smtp.tls != SmtpTls::None
            || is_loopback(&config.smtp.host),
        "smtp.tls: credentials are not sent in the clear, set starttls or implicit",
    );
    rule(
        config.gateway.timeout < config.activities.timeouts.gateway,
        "gateway.timeout: must be shorter than activities.timeouts.gateway",
    );
    notification_rules(config, rule);
    listing_rules(config, rule);
    analytics_rules(config, rule);
    search_rules(config, rule);
    let retries = &config.activities.retries;
    for (name, retry) in [
        ("standard", retries.standard),
        ("aggressive", retries.aggressive),
        ("minimal", retries.minimal),
        ("extended", retries.extended),
    ] {
        rule(
            retry.coefficient >= 1.0 && retry.initial_interval <= retry.maximum_interval,
            &format!(
                "activities.retries.{name}: coefficient is at least 1, initial_interval at most maximum_interval"
            ),
        );
    }
}

fn listing_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    /// Longer is no review any more, and a workflow that waits for nothing.
    const LONGEST_WINDOW: Duration = Duration::from_hours(90 * 24);
    let listing = &config.listing;
    rule(
        (Duration::from_mins(1)..=LONGEST_WINDOW).contains(&listing.review_window),
        "listing.review_window: 1 minute to 90 days",
    );
    rule(
        listing.review_reminder < listing.review_window,
        "listing.review_reminder: must be shorter than listing.review_window",
    );
    rule(
        listing
            .expiration_reminder_days
            .iter()
            .all(|days| (1..=365).contains(days)),
        "listing.expiration_reminder_days: each is 1 to 365 days",
    );
    rule(
        listing.expiration_reminder_days.len() <= 10,
        "listing.expiration_reminder_days: at most 10",
    );
    for (key, url) in [
        ("listing.review_url", &listing.review_url),
        ("onboarding.portal_url", &config.onboarding.portal_url),
    ] {
        rule(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            &format!("{key}: expected an http or https address"),
        );
    }
}

fn analytics_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    let report = &config.report;
    rule(
        UserId::parse(&config.operations.admin).is_ok(),
        "operations.admin: expected a user's id or an email address",
    );
    rule(
        report.attach_up_to <= config.notifications.max_attachment_bytes,
        "report.attach_up_to: at most notifications.max_attachment_bytes",
    );
    // What S3 signs for at most.
    rule(
        (Duration::from_mins(1)..=Duration::from_hours(7 * 24)).contains(&report.link_ttl),
        "report.link_ttl: 1 minute to 7 days",
    );
    rule(
        report.statement_timeout < config.activities.timeouts.long,
        "report.statement_timeout: must be shorter than activities.timeouts.long",
    );
    rule(
        config.cleanup.pause < config.activities.timeouts.very_long,
        "cleanup.pause: must be shorter than activities.timeouts.very_long",
    );
}

fn notification_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    rule(
        config
            .subscription
            .retry_days
            .iter()
            .all(|days| (1..=90).contains(days)),
        "subscription.retry_days: each is 1 to 90 days",
    );
    rule(
        config.push.subject.starts_with("mailto:") || config.push.subject.starts_with("https:"),
        "push.subject: expected mailto:name@domain or https://...",
    );
    rule(
        3 * config.smtp.timeout < config.activities.timeouts.short,
        "smtp.timeout: three steps of it must be shorter than activities.timeouts.short",
    );
    rule(
        config.notifications.max_attachment_bytes >= 65_536,
        "notifications.max_attachment_bytes: at least 65536, the welcome package brings a guide",
    );
    rule(
        config.push.timeout < config.activities.timeouts.short,
        "push.timeout: must be shorter than activities.timeouts.short",
    );
    rule(
        config.storage.timeout < config.activities.timeouts.short,
        "storage.timeout: must be shorter than activities.timeouts.short",
    );
    rule(
        EmailAddress::parse(&config.onboarding.support_email).is_ok(),
        "onboarding.support_email: expected name@domain",
    );
}

fn search_rules(config: &Config, rule: &mut impl FnMut(bool, &str)) {
    let search = &config.search;
    if search.backend != SearchBackend::OpenSearch {
        return;
    }
    rule(
        search.url.is_some(),
        "search.url: missing, set PARTNER__SEARCH__URL, or search.backend to postgres",
    );
    rule(
        search.user.is_some() == search.password.is_some(),
        "search: user and password come together",
    );
    rule(
        search.user.is_none() || search.api_key.is_none(),
        "search: a user or an api_key, not both",
    );
    let has_credentials = search.password.is_some() || search.api_key.is_some();
    let is_private = search
        .url
        .as_ref()
        .is_none_or(|url| url.scheme() == "https" || url.host_str().is_some_and(is_loopback));
    rule(
        is_private || !has_credentials,
        "search.url: credentials are not sent in the clear, expected https",
    );
    rule(
        search.timeout < config.activities.timeouts.medium,
        "search.timeout: must be shorter than activities.timeouts.medium",
    );
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
