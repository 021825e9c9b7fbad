//! Reading the layers, and finding every problem in one go.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::Dict;
use serde_json::Value;

use super::rules::rules;
use super::sections::Config;

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
const SECRETS: [&str; 12] = [
    "temporal.api_key",
    "database.url",
    "smtp.password",
    "gateway.api_key",
    "gateway.webhook_secret",
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
    /// The HTTP API.
    Api,
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

/// The environment has only text: a number, a flag or a list is read as such, and as text if that fails.
fn guess(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_))) => value,
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

#[cfg(test)]
mod tests;
