//! The user domain's words: who a user is, and how they stand.

use std::fmt;

use partner_core::text_enum;
use serde::{Deserialize, Serialize};

text_enum! {
    /// How a user stands.
    UserStatus {
        /// Known, and nothing more.
        Pending = "pending",
        /// Being set up as a partner.
        Onboarding = "onboarding",
        /// A partner.
        Active = "active",
        /// Not set up; `users.status_reason` says why. It can be tried again.
        OnboardingFailed = "onboarding_failed",
        /// Shut out by someone.
        Suspended = "suspended",
    }
}

impl UserStatus {
    /// Whether a user of this status may become `next`.
    ///
    /// The database decides; this says the same beforehand. Becoming what they are is always
    /// allowed: an activity may run twice.
    pub const fn may_become(self, next: Self) -> bool {
        use UserStatus::{Active, Onboarding, OnboardingFailed, Pending, Suspended};
        match self {
            Pending => matches!(next, Pending | Onboarding | Suspended),
            Onboarding => !matches!(next, Pending),
            OnboardingFailed => matches!(next, OnboardingFailed | Onboarding | Suspended),
            Active => matches!(next, Active | OnboardingFailed | Suspended),
            Suspended => matches!(next, Suspended | Active),
        }
    }

    /// What a user of this status may become, other than what they are, as a list for a person.
    pub(crate) fn next(self) -> String {
        let next: Vec<_> = Self::ALL
            .iter()
            .filter(|&&next| next != self && self.may_become(next))
            .map(|next| next.as_str())
            .collect();
        next.join(", ")
    }
}

/// Why a text is not a person's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPersonName {
    /// Nothing, or only white space.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`PersonName::MAX_CHARS`].
    #[error("must be at most {max} characters long, got {0}", max = PersonName::MAX_CHARS)]
    TooLong(usize),
}

/// What a person is called: one line, so that it can stand in a mail's header.
///
/// People paste names with line breaks and tabs. They are no reason to refuse someone, so each is
/// read as a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonName(String);

impl PersonName {
    /// The longest name: what a mail's subject still holds.
    pub const MAX_CHARS: usize = 200;

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidPersonName`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidPersonName> {
        let words = text.split(|c: char| c.is_whitespace() || c.is_control());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let name = words.join(" ");
        match name.chars().count() {
            0 => Err(InvalidPersonName::Empty),
            count if count > Self::MAX_CHARS => Err(InvalidPersonName::TooLong(count)),
            _ => Ok(Self(name)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl utoipa::PartialSchema for PersonName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        partner_core::wire::text_schema(1, Self::MAX_CHARS)
    }
}

impl utoipa::ToSchema for PersonName {}

impl TryFrom<String> for PersonName {
    type Error = InvalidPersonName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PersonName> for String {
    fn from(name: PersonName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_may_stay_what_it_is_and_none_comes_back_to_pending() {
        for &status in UserStatus::ALL {
            assert!(status.may_become(status), "{status}");
            let comes_back = status.may_become(UserStatus::Pending);
            assert_eq!(comes_back, status == UserStatus::Pending, "{status}");
        }
    }

    #[test]
    fn is_spelled_on_the_wire_as_in_the_database() {
        for &status in UserStatus::ALL {
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
            assert_eq!(UserStatus::from_text(status.as_str()), Some(status));
        }
    }

    #[test]
    fn a_name_is_one_line() {
        let read = |text: &str| PersonName::parse(text).map(String::from);
        assert_eq!(
            read(" Ana\r\nBcc: eve@example.com\u{2028}\0 "),
            Ok("Ana Bcc: eve@example.com".to_owned())
        );
        assert_eq!(read(" \t\0"), Err(InvalidPersonName::Empty));
        assert_eq!(read(&"ä".repeat(201)), Err(InvalidPersonName::TooLong(201)));
        assert!(read(&"ä".repeat(200)).is_ok());
    }
}
