//! The documents of an index: external versions, and what searches see of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Answer;
use super::mapping::{Indexed, Mapping};
use super::request::Refusal;

/// The longest id, in bytes.
const MAX_ID: usize = 512;

pub(super) struct Index {
    pub(super) name: String,
    pub(super) mapping: Mapping,
    /// What is there, for lookups and versions: always up to date.
    written: BTreeMap<String, Written>,
    /// What searches see: the state of the last refresh.
    pub(super) searchable: BTreeMap<String, Indexed>,
}

struct Written {
    version: i64,
    document: Indexed,
}

impl Index {
    pub(super) fn create(name: &str, definition: &Value) -> Result<Self, Refusal> {
        Ok(Self {
            name: name.to_owned(),
            mapping: Mapping::read(definition)?,
            written: BTreeMap::new(),
            searchable: BTreeMap::new(),
        })
    }

    pub(super) fn put(
        &mut self,
        id: &str,
        parameters: &BTreeMap<String, String>,
        source: Value,
    ) -> Result<Answer, Refusal> {
        if id.is_empty() || id.len() > MAX_ID {
            return Err(invalid("id is too long, must be no longer than 512 bytes"));
        }
        let document = self.mapping.index(source)?;
        let current = self.written.get(id).map(|written| written.version);
        let version = next_version(current, parameters)?;
        let is_refreshed = match parameters.get("refresh").map(String::as_str) {
            None | Some("false") => false,
            Some("true" | "wait_for") => true,
            Some(other) => return Err(Refusal::argument(format!("unknown refresh [{other}]"))),
        };
        self.written
            .insert(id.to_owned(), Written { version, document });
        if is_refreshed {
            self.refresh();
        }
        let result = if current.is_none() {
            "created"
        } else {
            "updated"
        };
        let body = json!({
            "_index": self.name, "_id": id, "_version": version, "result": result,
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": 0, "_primary_term": 1,
        });
        Ok((if current.is_none() { 201 } else { 200 }, body))
    }

    fn refresh(&mut self) {
        let documents = self.written.iter();
        self.searchable = documents
            .map(|(id, written)| (id.clone(), written.document.clone()))
            .collect();
    }

    pub(super) fn get(&self, id: &str) -> Answer {
        match self.written.get(id) {
            None => (404, json!({"_index": self.name, "_id": id, "found": false})),
            Some(written) => {
                let body = json!({
                    "_index": self.name, "_id": id, "_version": written.version, "found": true,
                    "_seq_no": 0, "_primary_term": 1, "_source": written.document.source,
                });
                (200, body)
            }
        }
    }
}

/// The version that a write gets, if its own is not too low (`VersionType` in the sources).
fn next_version(
    current: Option<i64>,
    parameters: &BTreeMap<String, String>,
) -> Result<i64, Refusal> {
    let given = parameters
        .get("version")
        .map(|version| version.parse::<i64>())
        .transpose()
        .map_err(|_| Refusal::argument("version is no long"))?;
    let version_type = parameters.get("version_type").map(String::as_str);
    let (given, is_conflict) = match (version_type.unwrap_or("internal"), given) {
        ("internal", None) => return Ok(current.map_or(1, |current| current + 1)),
        ("internal", Some(_)) => return Err(invalid("internal versioning takes no version")),
        (_, None) => return Err(invalid("external versioning takes a version")),
        ("external" | "external_gt", Some(given)) => (given, current >= Some(given)),
        ("external_gte", Some(given)) => (given, current > Some(given)),
        (other, _) => {
            return Err(Refusal::argument(format!(
                "No version type match [{other}]"
            )));
        }
    };
    if given < 0 {
        return Err(invalid("illegal version value"));
    }
    if is_conflict {
        let reason = format!("version conflict, current version {current:?}, provided [{given}]");
        return Err(Refusal::new(
            409,
            "version_conflict_engine_exception",
            reason,
        ));
    }
    Ok(given)
}

fn invalid(reason: &str) -> Refusal {
    Refusal::new(400, "action_request_validation_exception", reason)
}
