//! What an expiration is started with, what it results in, and where it stands.

use chrono::{DateTime, Utc};
use partner_core::ids::{ListingId, UserId};
use partner_core::progress;
use partner_core::text_enum;
use partner_core::wire::{InvalidInput, Wire};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What expires.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingExpirationInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Whose it is.
    pub user_id: UserId,
    /// When. A date that has passed expires the listing at once.
    pub expiration_date: DateTime<Utc>,
}

text_enum! {
    /// What an expiration comes to.
    ExpirationStatus {
        /// The listing is not shown any more.
        Expired = "expired",
        /// It was renewed, and does not expire.
        Renewed = "renewed",
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingExpirationResult {
    /// Whether it expired or was renewed; not if it was not shown at the date.
    pub success: bool,
    /// The listing.
    pub listing_id: String,
    /// What came of it.
    pub status: ExpirationStatus,
    /// For a person.
    pub message: String,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingExpirationDetails {
    /// The listing.
    pub listing_id: Option<String>,
    /// Whose it is.
    pub user_id: Option<String>,
    /// When it expires.
    pub expiration_date: Option<DateTime<Utc>>,
    /// How often it was renewed in this run.
    pub renewals: u32,
    /// How often the owner was reminded in this run.
    pub reminders: u32,
    /// Why the last renewal that did not count was ignored.
    pub ignored_renewal: Option<String>,
    /// What went less than well.
    pub warnings: Vec<String>,
}

/// The payload of the signal `renew`: a date, or an object with one.
///
/// # Errors
/// Why there is none in it.
pub(super) fn renewal(payload: Wire<Value>) -> Result<DateTime<Utc>, InvalidInput> {
    let payload = payload.into_result()?;
    let date = match &payload {
        Value::Object(fields) => fields.get("expirationDate").unwrap_or(&Value::Null),
        date => date,
    };
    date.as_str()
        .and_then(|date| DateTime::parse_from_rfc3339(date).ok())
        .map(|date| date.to_utc())
        .ok_or_else(|| {
            InvalidInput::new(
                "expirationDate: expected a date and time such as 2026-12-31T00:00:00Z",
            )
        })
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Reading,
    Waiting,
    Reminding,
    Renewing,
    Expiring,
    TakingDown,
    Telling,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 5;

    fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Waiting => "waiting",
            Self::Reminding => "reminding",
            Self::Renewing => "renewing",
            Self::Expiring => "expiring",
            Self::TakingDown => "taking_down",
            Self::Telling => "telling",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Reading => 0,
            Self::Waiting | Self::Reminding | Self::Renewing => 1,
            Self::Expiring => 2,
            Self::TakingDown => 3,
            Self::Telling => 4,
            Self::Done => Self::TOTAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<String, String> {
        renewal(Wire::from_json(json.as_bytes()))
            .map(|date| date.to_rfc3339())
            .map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_renewal_is_a_date_or_an_object_with_one() {
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
}
