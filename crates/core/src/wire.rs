//! What comes over the wire, read so that bad input is an answer and never a stuck workflow.
//!
//! The SDK fails the workflow *task* when a payload does not fit, and tries it again for ever. The
//! contract wants a `VALIDATION_ERROR` at once. [`Wire`] therefore always decodes: it holds the
//! value or the reason why there is none, and the receiver decides.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_common::data_converters::{
    PayloadConversionError, SerializationContext, TemporalDeserializable, TemporalSerializable,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

use crate::error::{ErrorCode, Failure, activity_error, workflow_failure};

/// Input that breaks the contract; names the field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(String);

impl InvalidInput {
    /// An input error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The failure that ends a workflow which was started with this input.
    pub fn into_workflow_failure(self) -> ApplicationFailure {
        workflow_failure(ErrorCode::ValidationError, self.0)
    }
}

impl Failure for InvalidInput {
    fn code(&self) -> ErrorCode {
        ErrorCode::ValidationError
    }

    fn is_retryable(&self) -> bool {
        false
    }
}

/// A value from the wire, or the reason why the payload is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire<T>(Result<T, InvalidInput>);

impl<T> Wire<T> {
    /// The value, for a workflow.
    ///
    /// # Errors
    /// [`InvalidInput`] if the payload is missing, not JSON, or does not have the contract's shape.
    pub fn into_result(self) -> Result<T, InvalidInput> {
        self.0
    }

    /// The value, for an activity.
    ///
    /// # Errors
    /// A `VALIDATION_ERROR` that is not retried.
    pub fn into_activity_input(self) -> Result<T, ActivityError> {
        self.0.map_err(activity_error)
    }
}

impl<T> From<T> for Wire<T> {
    fn from(value: T) -> Self {
        Self(Ok(value))
    }
}

impl<T: DeserializeOwned> Wire<T> {
    /// Reads JSON; the error names the path of the field that does not fit.
    pub fn from_json(json: &[u8]) -> Self {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let reason = without_position(&error.into_inner().to_string());
            InvalidInput(if path == "." {
                reason
            } else {
                format!("{path}: {reason}")
            })
        });
        Self(read)
    }

    fn from_wire(payloads: &[Payload]) -> Self {
        match payloads {
            [] => Self(Err(InvalidInput::new("input is missing"))),
            [payload, ..] => match payload.metadata.get("encoding").map(Vec::as_slice) {
                Some(b"json/plain") => Self::from_json(&payload.data),
                // An absent value means the same as JSON's null.
                Some(b"binary/null") => Self::from_json(b"null"),
                _ => Self(Err(InvalidInput::new(
                    "input must be JSON (encoding json/plain)",
                ))),
            },
        }
    }
}

/// How the API describes a text of so many characters.
pub fn text_schema(
    at_least: usize,
    at_most: usize,
) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::String)
        .min_length(Some(at_least))
        .max_length(Some(at_most))
        .into()
}

/// `serde_json` appends the line and column, which mean nothing to a caller of one line of JSON.
fn without_position(message: &str) -> String {
    message
        .split_once(" at line ")
        .map_or(message, |(reason, _)| reason)
        .to_owned()
}

impl<T: Serialize + 'static> TemporalSerializable for Wire<T> {
    fn to_payload(&self, _: &SerializationContext<'_>) -> Result<Payload, PayloadConversionError> {
        let encoding_error = |error: Box<dyn std::error::Error + Send + Sync>| {
            PayloadConversionError::EncodingError(error)
        };
        let value = self
            .0
            .as_ref()
            .map_err(|error| encoding_error(Box::new(error.clone())))?;
        let data = serde_json::to_vec(value).map_err(|error| encoding_error(Box::new(error)))?;
        Ok(json_payload(data))
    }
}

impl<T: DeserializeOwned> TemporalDeserializable for Wire<T> {
    fn from_payload(
        _: &SerializationContext<'_>,
        payload: Payload,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self::from_wire(&[payload]))
    }

    fn from_payloads(
        _: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self::from_wire(&payloads))
    }
}

/// The payload of a signal that brings a time: the time, or an object with one in this field.
///
/// # Errors
/// Why there is none in it. A signal cannot be refused: whoever takes it notes this.
pub fn time_in(
    payload: Wire<serde_json::Value>,
    field: &str,
) -> Result<DateTime<Utc>, InvalidInput> {
    let payload = payload.into_result()?;
    let time = match &payload {
        serde_json::Value::Object(fields) => fields.get(field).unwrap_or(&serde_json::Value::Null),
        time => time,
    };
    time.as_str()
        .and_then(|time| DateTime::parse_from_rfc3339(time).ok())
        .map(|time| time.to_utc())
        .ok_or_else(|| {
            InvalidInput::new(format!(
                "{field}: expected a date and time such as 2026-12-31T00:00:00Z"
            ))
        })
}

/// A payload that carries this JSON text, as every SDK writes it.
pub fn json_payload(data: Vec<u8>) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data,
        ..Payload::default()
    }
}

/// The payload of a signal that takes a reason or a comment: a string, or nothing.
///
/// Anything else is taken as nothing. A signal cannot be refused, and one that cannot be decoded
/// would stick the workflow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignalText(pub Option<String>);

impl TemporalSerializable for SignalText {
    fn to_payload(&self, _: &SerializationContext<'_>) -> Result<Payload, PayloadConversionError> {
        serde_json::to_vec(&self.0)
            .map(json_payload)
            .map_err(|error| PayloadConversionError::EncodingError(Box::new(error)))
    }
}

impl TemporalDeserializable for SignalText {
    fn from_payload(
        _: &SerializationContext<'_>,
        payload: Payload,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self(
            Wire::<Option<String>>::from_wire(&[payload])
                .0
                .unwrap_or_default(),
        ))
    }

    fn from_payloads(
        _: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self(
            Wire::<Option<String>>::from_wire(&payloads)
                .0
                .unwrap_or_default(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Input {
        order_id: String,
        count: u32,
    }

    fn read(json: &str) -> Result<Input, String> {
        Wire::<Input>::from_json(json.as_bytes())
            .into_result()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_the_field_that_does_not_fit() {
        assert_eq!(
            read(r#"{"count":1}"#).unwrap_err(),
            "missing field `orderId`"
        );
        let error = read(r#"{"orderId":"a","count":"x"}"#).unwrap_err();
        assert!(error.starts_with("count: invalid type: string"), "{error}");
    }

    #[test]
    fn ignores_fields_it_does_not_know() {
        assert!(read(r#"{"orderId":"a","count":1,"later":true}"#).is_ok());
    }

    #[test]
    fn reads_no_payload_and_foreign_encodings_as_invalid_input() {
        let none = Wire::<Input>::from_wire(&[]).into_result().unwrap_err();
        assert_eq!(none.to_string(), "input is missing");
        let binary = Wire::<Input>::from_wire(&[Payload::default()]).into_result();
        assert!(binary.is_err());
    }

    #[test]
    fn a_time_comes_alone_or_in_an_object() {
        let read = |json: &str| {
            time_in(Wire::from_json(json.as_bytes()), "expirationDate")
                .map(|time| time.to_rfc3339())
                .map_err(|invalid| invalid.to_string())
        };
        let date = Ok("2026-12-31T00:00:00+00:00".to_owned());
        assert_eq!(read(r#""2026-12-31T00:00:00Z""#), date);
        assert_eq!(read(r#""2026-12-31T01:00:00+01:00""#), date);
        assert_eq!(
            read(r#"{"expirationDate":"2026-12-31T00:00:00Z","by":"ana"}"#),
            date
        );
        for json in [
            "null",
            "{}",
            "7",
            r#""soon""#,
            "[]",
            r#"{"expirationDate":7}"#,
        ] {
            let error = read(json).unwrap_err();
            assert!(
                error.starts_with("expirationDate: expected"),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn takes_any_signal_payload() {
        let text = |payload: Payload| {
            Wire::<Option<String>>::from_wire(&[payload])
                .0
                .unwrap_or_default()
        };
        assert_eq!(
            text(json_payload(br#""late""#.to_vec())),
            Some("late".to_owned())
        );
        for json in ["null", "{}", "[1]", "7", "not json"] {
            assert_eq!(text(json_payload(json.into())), None, "{json}");
        }
    }
}
