//! A strict mapping: which fields a document may have, and what becomes of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::analysis::{self, Token};
use super::request::Refusal;

/// The longest term that Lucene takes, in bytes.
const MAX_TERM: usize = 32_766;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    mappings: Mapping,
}

/// What an index is created with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    dynamic: Dynamic,
    properties: BTreeMap<String, Field>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Dynamic {
    Strict,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    r#type: Kind,
    #[serde(default = "yes")]
    index: bool,
    #[serde(default = "yes")]
    doc_values: bool,
    analyzer: Option<Analyzer>,
    copy_to: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Keyword,
    Text,
    Boolean,
    Long,
    Double,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Analyzer {
    English,
}

const fn yes() -> bool {
    true
}

/// A document as searches see it.
#[derive(Debug, Clone, Default)]
pub(super) struct Indexed {
    pub(super) source: Value,
    pub(super) terms: BTreeMap<String, Vec<String>>,
    pub(super) numbers: BTreeMap<String, Vec<f64>>,
    pub(super) texts: BTreeMap<String, Vec<Token>>,
}

impl Mapping {
    pub(super) fn read(definition: &Value) -> Result<Self, Refusal> {
        let Definition { mappings } =
            serde_json::from_value(definition.clone()).map_err(unmappable)?;
        for field in mappings.properties.values() {
            let is_text = field.r#type == Kind::Text;
            if is_text != field.analyzer.is_some() || is_text && !field.doc_values {
                return Err(unmappable(
                    "an analyzer is a text's, and doc values are not",
                ));
            }
            let target = field
                .copy_to
                .as_ref()
                .map(|name| mappings.properties.get(name));
            if target.is_some_and(|target| target.is_none_or(|to| to.r#type != Kind::Text)) {
                return Err(unmappable("copy_to names no text"));
            }
        }
        let Dynamic::Strict = mappings.dynamic;
        Ok(mappings)
    }

    /// Whether a keyword can be filtered by.
    pub(super) fn check_term(&self, name: &str) -> Result<(), Refusal> {
        self.check(name, |field| {
            field.index && matches!(field.r#type, Kind::Keyword | Kind::Boolean)
        })
    }

    /// Whether a number can be filtered by.
    pub(super) fn check_range(&self, name: &str) -> Result<(), Refusal> {
        self.check(name, |field| {
            field.index && matches!(field.r#type, Kind::Long | Kind::Double)
        })
    }

    /// Whether hits can be sorted by a keyword.
    pub(super) fn check_sort(&self, name: &str) -> Result<(), Refusal> {
        self.check(name, |field| {
            field.doc_values && field.r#type == Kind::Keyword
        })
    }

    /// Whether words can be searched for.
    pub(super) fn check_text(&self, name: &str) -> Result<(), Refusal> {
        self.check(name, |field| field.index && field.r#type == Kind::Text)
    }

    fn check(&self, name: &str, holds: impl Fn(&Field) -> bool) -> Result<(), Refusal> {
        if self.properties.get(name).is_some_and(holds) {
            return Ok(());
        }
        Err(Refusal::argument(format!(
            "field [{name}] cannot be used so"
        )))
    }

    /// What searches see of a document.
    pub(super) fn index(&self, source: Value) -> Result<Indexed, Refusal> {
        let Value::Object(fields) = &source else {
            return Err(unmappable("a document is an object"));
        };
        let mut indexed = Indexed::default();
        for (name, value) in fields {
            let field = self.properties.get(name).ok_or_else(|| {
                let reason = format!("dynamic introduction of [{name}] is not allowed");
                Refusal::new(400, "strict_dynamic_mapping_exception", reason)
            })?;
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                indexed.take(name, field, value)?;
                if let Some(target) = &field.copy_to {
                    indexed.take_text(target, value)?;
                }
            }
        }
        indexed.source = source;
        Ok(indexed)
    }
}

impl Indexed {
    fn take(&mut self, name: &str, field: &Field, value: &Value) -> Result<(), Refusal> {
        let ill_typed = || unmappable(format!("failed to parse field [{name}]"));
        match field.r#type {
            Kind::Text => self.take_text(name, value)?,
            Kind::Keyword => {
                let term = value.as_str().ok_or_else(ill_typed)?;
                if (field.index || field.doc_values) && term.len() > MAX_TERM {
                    return Err(Refusal::argument(format!("immense term in [{name}]")));
                }
                self.terms
                    .entry(name.to_owned())
                    .or_default()
                    .push(term.to_owned());
            }
            Kind::Boolean => {
                let flag = value.as_bool().ok_or_else(ill_typed)?;
                self.terms
                    .entry(name.to_owned())
                    .or_default()
                    .push(flag.to_string());
            }
            Kind::Long => {
                value.as_i64().ok_or_else(ill_typed)?;
            }
            Kind::Double => {
                let number = value.as_f64().ok_or_else(ill_typed)?;
                self.numbers
                    .entry(name.to_owned())
                    .or_default()
                    .push(number);
            }
        }
        Ok(())
    }

    fn take_text(&mut self, name: &str, value: &Value) -> Result<(), Refusal> {
        /// A phrase does not reach from one value into the next.
        const GAP: usize = 100;
        let text = value
            .as_str()
            .ok_or_else(|| unmappable(format!("failed to parse field [{name}]")))?;
        let tokens = self.texts.entry(name.to_owned()).or_default();
        let start = tokens.last().map_or(0, |last| last.position + GAP);
        tokens.extend(analysis::english(text).into_iter().map(|token| Token {
            position: start + token.position,
            ..token
        }));
        Ok(())
    }
}

fn unmappable(reason: impl ToString) -> Refusal {
    Refusal::new(400, "mapper_parsing_exception", reason.to_string())
}
