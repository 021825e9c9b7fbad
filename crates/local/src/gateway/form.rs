//! Form parameters in bracket notation, as the gateway's API takes them.

use std::collections::BTreeMap;

use super::problem::Problem;

/// The code for what should be a whole number and is not.
pub(super) const INVALID_INTEGER: &str = "parameter_invalid_integer";

/// The parameters of a request, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        Self {
            pairs: url::form_urlencoded::parse(encoded).into_owned().collect(),
        }
    }

    /// The last value of `name`, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut named = self.pairs.iter().rev().filter(|(key, _)| key == name);
        named
            .next()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)
            .ok_or_else(|| Problem::missing_parameter(name))
    }

    /// A positive amount in minor units.
    pub(super) fn amount(&self, name: &str) -> Result<Option<i64>, Problem> {
        let invalid = |message: &str| Problem::parameter(INVALID_INTEGER, name, message);
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(amount) if amount > 0 => Ok(Some(amount)),
            Ok(_) => Err(invalid("This value must be greater than or equal to 1.")),
            Err(_not_a_number) => Err(invalid(&format!("Invalid integer: {text}"))),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                let message = format!("Invalid boolean: {other}");
                Err(Problem::parameter(
                    "parameter_invalid_boolean",
                    name,
                    &message,
                ))
            }
        }
    }

    /// The values of `name[]`, `name[0]` and so on.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.bracketed(name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// The values of `name[key]` by key.
    pub(super) fn map(&self, name: &str) -> BTreeMap<String, String> {
        self.bracketed(name)
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect()
    }

    /// Whether the answer shall carry this object instead of its id, in a list or not.
    pub(super) fn expands(&self, name: &str) -> bool {
        let expanded = self.list("expand");
        expanded
            .iter()
            .any(|path| path.strip_prefix("data.").unwrap_or(path) == name)
    }

    /// Refuses parameters that the endpoint does not have, as a typing error would be.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let root = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
        let unknown = self
            .pairs
            .iter()
            .map(|(name, _)| root(name))
            .find(|name| name != "expand" && !known.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| {
            let message = format!("Received unknown parameter: {name}");
            Err(Problem::parameter("parameter_unknown", &name, &message))
        })
    }

    /// The parameters in an order that does not depend on how they were sent.
    pub(super) fn canonical(&self) -> String {
        let mut sorted = self.pairs.clone();
        sorted.sort();
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(sorted).finish()
    }

    fn bracketed<'f>(&'f self, name: &'f str) -> impl Iterator<Item = (&'f str, &'f String)> {
        self.pairs.iter().filter_map(move |(key, value)| {
            let inner = key.strip_prefix(name)?.strip_prefix('[')?;
            Some((inner.strip_suffix(']')?, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bracket_notation() {
        let form = Form::parse(
            b"amount=12&metadata[order_id]=o%201&metadata%5Ba%5D=b&expand[]=data.latest_charge&t[0]=x",
        );
        assert_eq!(form.amount("amount").ok(), Some(Some(12)));
        assert_eq!(form.map("metadata")["order_id"], "o 1");
        assert_eq!(form.map("metadata")["a"], "b");
        assert_eq!(form.list("t"), ["x"]);
        assert!(form.expands("latest_charge"));
        assert!(form.only(&["amount", "metadata", "t"]).is_ok());
        assert!(form.only(&["amount", "metadata"]).is_err());
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in ["1.5", "-1", "0", "x"] {
            let form = Form::parse(format!("amount={text}").as_bytes());
            assert!(form.amount("amount").is_err(), "{text}");
        }
    }
}
