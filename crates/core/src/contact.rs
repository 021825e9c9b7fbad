//! How a person is reached.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not an email address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an email address, expected name@domain")]
pub struct InvalidEmailAddress(String);

/// An email address: one `@`, a local part and a domain, no white space or control characters.
///
/// Deliberately not all of RFC 5322: what the relay refuses is the relay's to say. What matters
/// here is that an address can never carry a second header or a second recipient.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// [`InvalidEmailAddress`] with the text that was given.
    pub fn parse(text: &str) -> Result<Self, InvalidEmailAddress> {
        let invalid = || InvalidEmailAddress(text.to_owned());
        let (local, domain) = text.rsplit_once('@').ok_or_else(invalid)?;
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || "<>(),;:\"[]\\@".contains(c);
        let well_formed = !local.is_empty()
            && domain.split('.').all(|label| !label.is_empty())
            && text.len() <= 254
            && !local.contains(forbidden)
            && !domain.contains(forbidden);
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid())
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl utoipa::PartialSchema for EmailAddress {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .max_length(Some(254))
            .pattern(Some("^[^@]+@[^@]+$"))
            .examples([serde_json::json!("ada@example.com")])
            .into()
    }
}

impl utoipa::ToSchema for EmailAddress {}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidEmailAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_people_use() {
        for text in [
            "ana@example.com",
            "a.b+c@mail.example.co.uk",
            "root@localhost",
            "o'neil@x.ie",
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_what_could_carry_a_second_header_or_recipient() {
        for text in [
            "",
            "ana",
            "@x.com",
            "ana@",
            "ana@x..com",
            "a b@x.com",
            "a@x.com\r\nBcc: b@x.com",
            "a@x.com,b@x.com",
            "<a@x.com>",
            "a@b@x.com",
        ] {
            assert!(EmailAddress::parse(text).is_err(), "{text:?}");
        }
    }
}
