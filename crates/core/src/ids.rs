//! Identifiers as newtypes, so that an order's id is never taken for a user's.

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing, or only white space.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`MAX_LENGTH`] bytes.
    #[error("must be at most {MAX_LENGTH} bytes long, got {0}")]
    TooLong(usize),
    /// A control character, which no system on the way keeps intact.
    #[error("must not contain control characters")]
    ControlCharacter,
}

/// The longest identifier in bytes: workflow ids on SQL-backed Temporal hold 255, prefix included.
pub const MAX_LENGTH: usize = 200;

fn check(text: &str) -> Result<(), InvalidId> {
    if text.trim().is_empty() {
        Err(InvalidId::Empty)
    } else if text.len() > MAX_LENGTH {
        Err(InvalidId::TooLong(text.len()))
    } else if text.contains(char::is_control) {
        Err(InvalidId::ControlCharacter)
    } else {
        Ok(())
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads an identifier.
            ///
            /// # Errors
            /// [`InvalidId`] says which rule the text breaks.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                crate::wire::text_schema(1, MAX_LENGTH)
            }
        }

        impl utoipa::ToSchema for $name {}

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id! {
    /// An order's id.
    OrderId
}
id! {
    /// A user's id, or the email address of someone who has no account.
    UserId
}
id! {
    /// A subscription's id.
    SubscriptionId
}
id! {
    /// A listing's id.
    ListingId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_identify() {
        assert_eq!(OrderId::parse(""), Err(InvalidId::Empty));
        assert_eq!(OrderId::parse("  "), Err(InvalidId::Empty));
        assert_eq!(OrderId::parse("a\nb"), Err(InvalidId::ControlCharacter));
        assert_eq!(
            OrderId::parse("x".repeat(201)),
            Err(InvalidId::TooLong(201))
        );
        assert_eq!(OrderId::parse("order-1").unwrap().as_str(), "order-1");
    }
}
