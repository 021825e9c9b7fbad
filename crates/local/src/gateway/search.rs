//! The query language of the gateway's search, as far as exact matches go:
//! `metadata['reference']:'x' AND status:'succeeded'`.

use super::payment::Intent;
use super::problem::Problem;

/// Conditions that all hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    clauses: Vec<Clause>,
}

#[derive(Debug, PartialEq, Eq)]
struct Clause {
    field: Field,
    value: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Field {
    Currency,
    Metadata(String),
    Status,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let invalid = || {
            let message = "We were unable to parse your search query.";
            Problem::parameter("search_query_invalid", "query", message)
        };
        let mut clauses = Vec::new();
        let mut rest = text.trim();
        loop {
            let (clause, after) = Clause::parse(rest).ok_or_else(invalid)?;
            clauses.push(clause);
            match after.trim_start() {
                "" => return Ok(Self { clauses }),
                more => rest = more.strip_prefix("AND ").ok_or_else(invalid)?.trim_start(),
            }
        }
    }

    pub(super) fn accepts(&self, intent: &Intent) -> bool {
        self.clauses.iter().all(|clause| clause.accepts(intent))
    }

    /// The values that are searched for.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.clauses.iter().map(|clause| clause.value.as_str())
    }
}

impl Clause {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (field, rest) = Field::parse(text)?;
        let (value, rest) = quoted(rest.strip_prefix(':')?)?;
        Some((Self { field, value }, rest))
    }

    fn accepts(&self, intent: &Intent) -> bool {
        match &self.field {
            Field::Currency => intent.currency == self.value,
            Field::Metadata(key) => intent.metadata.get(key) == Some(&self.value),
            Field::Status => intent.status.as_str() == self.value,
        }
    }
}

impl Field {
    fn parse(text: &str) -> Option<(Self, &str)> {
        if let Some(rest) = text.strip_prefix("metadata[") {
            let (key, rest) = quoted(rest)?;
            return Some((Self::Metadata(key), rest.strip_prefix(']')?));
        }
        if let Some(rest) = text.strip_prefix("status") {
            return Some((Self::Status, rest));
        }
        Some((Self::Currency, text.strip_prefix("currency")?))
    }
}

/// A text in single or double quotes, in which a backslash takes the next character as it is.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((place, character)) = characters.next() {
        if character == quote {
            return Some((value, text.get(place + 1..)?));
        }
        let taken = if character == '\\' {
            characters.next()?.1
        } else {
            character
        };
        value.push(taken);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exact_matches() {
        let query = Query::parse(r#"metadata['a:b']:'it\'s AND' AND status:"succeeded""#);
        let query = query.expect("a query");
        assert_eq!(
            query.values().collect::<Vec<_>>(),
            ["it's AND", "succeeded"]
        );
        assert_eq!(query.clauses[0].field, Field::Metadata("a:b".into()));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in [
            "",
            "reference:'x'",
            "metadata[a]:'b'",
            "status:'x",
            "status:'x' OR status:'y'",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
