//! A notification, read from the wire and checked once, for every channel.

use partner_core::contracts::notification::{NotificationEmail, SendNotificationInput};
use partner_core::ids::UserId;
use serde_json::{Map, Value};

use crate::error::UserError;

/// The longest type, in characters: it is a word for programs, and users mute by it.
const LONGEST_TYPE: usize = 64;

/// The longest headline, in characters.
const LONGEST_TITLE: usize = 200;

/// The longest business key, in characters.
pub const LONGEST_KEY: usize = 500;

/// What is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its business key: what makes a repeat a repeat.
    pub id: String,
    /// What it is about.
    pub kind: String,
    /// A headline, one line.
    pub title: String,
    /// What it says, as plain text.
    pub message: String,
    /// Anything that the reader's program can use.
    pub metadata: Map<String, Value>,
    /// The mail, if it is more than the message.
    pub email: Option<NotificationEmail>,
    /// Whether it goes out even if the user muted it.
    pub critical: bool,
}

impl Notification {
    /// Reads a notification; the activity's key stands in for a missing one.
    ///
    /// # Errors
    /// [`UserError::Invalid`] names the field that breaks a rule.
    pub fn read(input: &SendNotificationInput, activity_key: &str) -> Result<Self, UserError> {
        check_kind(&input.kind)?;
        if input.message.trim().is_empty() {
            return Err(invalid("message", "must not be empty"));
        }
        check_text("message", &input.message)?;
        if let Some(title) = &input.title {
            check_line("title", title, LONGEST_TITLE)?;
        }
        if let Some(email) = &input.email {
            check_line("email.subject", &email.subject, usize::MAX)?;
        }
        let metadata = input.metadata.clone().unwrap_or_default();
        check_metadata(&metadata)?;
        Ok(Self {
            id: key(input.notification_id.as_deref(), activity_key)?,
            kind: input.kind.clone(),
            title: input.title.clone().unwrap_or_else(|| title_of(&input.kind)),
            message: input.message.clone(),
            metadata,
            email: input.email.clone(),
            critical: input.critical,
        })
    }
}

/// The key under which a notification is known: the given one, or else the activity's.
pub fn key(given: Option<&str>, activity_key: &str) -> Result<String, UserError> {
    let Some(given) = given else {
        return Ok(activity_key.to_owned());
    };
    check_line("notificationId", given, LONGEST_KEY)?;
    Ok(given.to_owned())
}

/// Checks who is told.
pub fn check_user(user_id: &str) -> Result<(), UserError> {
    UserId::parse(user_id)
        .map(drop)
        .map_err(|error| UserError::Invalid(format!("userId: {error}")))
}

/// Checks what it is about. `*` is the preferences' word for every type.
pub fn check_kind(kind: &str) -> Result<(), UserError> {
    check_line("type", kind, LONGEST_TYPE)?;
    if kind == "*" {
        return Err(invalid("type", "must name one type, not all of them"));
    }
    Ok(())
}

/// Checks a text of one line: it may become a header.
pub fn check_line(field: &str, text: &str, longest: usize) -> Result<(), UserError> {
    if text.trim().is_empty() {
        return Err(invalid(field, "must not be empty"));
    }
    if text.contains(char::is_control) {
        return Err(invalid(
            field,
            "must be one line without control characters",
        ));
    }
    if text.chars().count() > longest {
        return Err(invalid(
            field,
            &format!("must be at most {longest} characters long"),
        ));
    }
    Ok(())
}

/// `PostgreSQL` keeps every character but this one.
fn check_text(field: &str, text: &str) -> Result<(), UserError> {
    if text.contains('\0') {
        return Err(invalid(field, "must not contain the character U+0000"));
    }
    Ok(())
}

fn check_metadata(metadata: &Map<String, Value>) -> Result<(), UserError> {
    metadata.iter().try_for_each(|(name, value)| {
        check_text("metadata", name)?;
        check_value(value)
    })
}

fn check_value(value: &Value) -> Result<(), UserError> {
    match value {
        Value::String(text) => check_text("metadata", text),
        Value::Array(values) => values.iter().try_for_each(check_value),
        Value::Object(members) => check_metadata(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// `onboarding_started` as a person would write it.
fn title_of(kind: &str) -> String {
    let words = kind.replace(['_', '-'], " ");
    let words = words.trim();
    let mut letters = words.chars();
    letters.next().map_or_else(
        || kind.to_owned(),
        |first| first.to_uppercase().chain(letters).collect(),
    )
}

fn invalid(field: &str, what: &str) -> UserError {
    UserError::Invalid(format!("{field}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(json: &str) -> SendNotificationInput {
        let mut all: Value =
            serde_json::from_str(r#"{"userId":"u","type":"info","message":"Hello"}"#).unwrap();
        let changes: Map<String, Value> = serde_json::from_str(json).unwrap();
        all.as_object_mut().unwrap().extend(changes);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn makes_a_headline_from_the_type() {
        for (kind, title) in [
            ("onboarding_started", "Onboarding started"),
            ("info", "Info"),
            ("ärger-im-anzug", "Ärger im anzug"),
            ("__", "__"),
        ] {
            assert_eq!(title_of(kind), title);
        }
        let given = Notification::read(&input(r#"{"title":"Hello there"}"#), "key").unwrap();
        assert_eq!(given.title, "Hello there");
    }

    #[test]
    fn the_activity_stands_in_for_a_missing_key() {
        let id = |json| Notification::read(&input(json), "key").unwrap().id;
        assert_eq!(id("{}"), "key");
        assert_eq!(id(r#"{"notificationId":"order/1/paid"}"#), "order/1/paid");
    }

    #[test]
    fn names_the_field_that_breaks_a_rule() {
        let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(65));
        let long_key = format!(r#"{{"notificationId":"{}"}}"#, "x".repeat(501));
        for (field, json) in [
            ("type: must not", r#"{"type":" "}"#),
            ("type: must name one", r#"{"type":"*"}"#),
            ("type: must be at most 64", &long),
            ("message: must not be", r#"{"message":"\n"}"#),
            ("message: must not contain", r#"{"message":"a\u0000"}"#),
            (
                "title: must be one line",
                r#"{"title":"a\r\nBcc: b@x.com"}"#,
            ),
            (
                "email.subject: must be one line",
                r#"{"email":{"subject":"a\nBcc: b@x.com","body":"","text":""}}"#,
            ),
            ("metadata", r#"{"metadata":{"a":[{"b":"\u0000"}]}}"#),
            ("metadata", r#"{"metadata":{"\u0000":1}}"#),
            ("notificationId: must not", r#"{"notificationId":""}"#),
            ("notificationId: must be at most 500", &long_key),
        ] {
            let error = Notification::read(&input(json), "key").unwrap_err();
            assert!(error.to_string().starts_with(field), "{json}: {error}");
        }
    }
}
