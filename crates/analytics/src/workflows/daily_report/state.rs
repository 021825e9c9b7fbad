//! What a report is started with, what it results in, and where it stands.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use partner_core::contact::EmailAddress;
use partner_core::progress;
use partner_core::wire::{InvalidInput, Wire};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{ReportFormat, ReportType};

/// How many recipients a report may have: each is three events of the history.
const MOST_RECIPIENTS: usize = 100;

/// What shall be reported to whom.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DailyReportInput {
    /// What it is about.
    pub report_type: ReportType,
    /// The addresses that it goes to, each once.
    #[schema(value_type = Vec<EmailAddress>, min_items = 1, max_items = 100)]
    pub recipients: Vec<String>,
    /// When: the report covers the 24 hours before it. A time that has passed reports at once, of the
    /// 24 hours before that time; without one, of the 24 hours before the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_time: Option<DateTime<Utc>>,
}

/// Reads whom a report goes to: repeated addresses count once, in the order of their first.
///
/// # Errors
/// [`InvalidInput`] names every address that is none.
pub(super) fn recipients(given: &[String]) -> Result<Vec<EmailAddress>, InvalidInput> {
    let (addresses, wrong): (Vec<_>, Vec<_>) = given
        .iter()
        .map(|text| EmailAddress::parse(text.trim()))
        .partition(Result::is_ok);
    let wrong: Vec<_> = wrong.into_iter().filter_map(Result::err).collect();
    if !wrong.is_empty() {
        let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        return Err(InvalidInput::new(format!(
            "recipients: {}",
            wrong.join("; ")
        )));
    }
    // The domain's case means nothing, and nobody has two mailboxes that differ by the local part's.
    let mut known = BTreeSet::new();
    let addresses: Vec<_> = addresses
        .into_iter()
        .filter_map(Result::ok)
        .filter(|address| known.insert(address.as_str().to_lowercase()))
        .collect();
    if (1..=MOST_RECIPIENTS).contains(&addresses.len()) {
        Ok(addresses)
    } else {
        Err(InvalidInput::new(format!(
            "recipients: expected 1 to {MOST_RECIPIENTS} addresses, got {}",
            addresses.len()
        )))
    }
}

/// What `updateConfig` changes of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ReportChange {
    /// Whom it goes to, if it was not sent yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Vec<String>>,
    /// As what it is made, if it was not made yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<ReportFormat>,
    /// The clock of its readers, if its figures were not gathered yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Tz>,
}

impl ReportChange {
    /// Reads the payload of `updateConfig`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(payload: Wire<Value>) -> Result<Self, InvalidInput> {
        let json = payload.into_result()?.to_string();
        let change = Wire::<Self>::from_json(json.as_bytes()).into_result()?;
        if let Some(given) = &change.recipients {
            recipients(given)?;
        }
        Ok(change)
    }

    /// This change after those before it.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self {
            recipients: self.recipients.or(earlier.recipients),
            format: self.format.or(earlier.format),
            time_zone: self.time_zone.or(earlier.time_zone),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyReportResult {
    /// Always true: a report that reached nobody is a failure.
    pub success: bool,
    /// What it is about.
    pub report_type: ReportType,
    /// Where it is stored.
    pub report_url: String,
    /// How many recipients got it.
    pub recipient_count: u32,
    /// Those that could not be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_recipients: Vec<FailedRecipient>,
}

/// A recipient that could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRecipient {
    /// The address.
    pub recipient: String,
    /// Why.
    pub reason: String,
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyReportDetails {
    /// What it is about.
    pub report_type: Option<ReportType>,
    /// The report's own id: what it is on record by.
    pub operation_id: Option<String>,
    /// When the 24 hours end that it covers.
    pub ends_at: Option<DateTime<Utc>>,
    /// As what it is made.
    pub format: Option<ReportFormat>,
    /// How many bytes it has.
    pub bytes: Option<u64>,
    /// Where it is stored.
    pub report_url: Option<String>,
    /// Whom it was sent to.
    pub delivered: Vec<String>,
    /// Who could not be reached.
    pub failed: Vec<FailedRecipient>,
    /// Whether it waits for the signal `resume`.
    pub paused: bool,
    /// What was changed by `updateConfig`.
    pub changes: ReportChange,
    /// Why the last `updateConfig` that did not count was ignored.
    pub ignored_config: Option<String>,
    /// What went less than well.
    pub warnings: Vec<String>,
}

/// The steps, for `getStatus` and `getProgress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Waiting,
    Planning,
    Gathering,
    Generating,
    Storing,
    Delivering,
    Logging,
    Done,
}

impl progress::Step for Step {
    const TOTAL: u32 = 6;

    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Planning => "planning",
            Self::Gathering => "gathering",
            Self::Generating => "generating",
            Self::Storing => "storing",
            Self::Delivering => "delivering",
            Self::Logging => "logging",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Waiting | Self::Planning => 0,
            Self::Gathering => 1,
            Self::Generating => 2,
            Self::Storing => 3,
            Self::Delivering => 4,
            Self::Logging => 5,
            Self::Done => Self::TOTAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[&str]) -> Result<Vec<String>, String> {
        let given: Vec<_> = given.iter().map(|&text| text.to_owned()).collect();
        recipients(&given)
            .map(|addresses| addresses.into_iter().map(Into::into).collect())
            .map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn everybody_gets_it_once() {
        assert_eq!(
            read(&["ana@x.example", " ben@x.example", "Ana@X.example"]),
            Ok(vec!["ana@x.example".to_owned(), "ben@x.example".to_owned()])
        );
    }

    #[test]
    fn every_wrong_address_is_named() {
        let error = read(&["ana", "ben@x.example", "c@"]).unwrap_err();
        assert!(error.starts_with("recipients: \"ana\" is not"), "{error}");
        assert!(error.contains("\"c@\" is not"), "{error}");
        assert!(read(&[]).unwrap_err().contains("got 0"));
        let many: Vec<_> = (0..101).map(|n| format!("a{n}@x.example")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(read(&many).unwrap_err().contains("got 101"));
    }

    #[test]
    fn a_change_is_an_object_of_what_it_changes() {
        let read = |json: &str| {
            ReportChange::read(Wire::from_json(json.as_bytes()))
                .map_err(|invalid| invalid.to_string())
        };
        let zone = read(r#"{"timeZone":"Asia/Kolkata"}"#).unwrap();
        let both = read(r#"{"format":"csv"}"#).unwrap().after(zone);
        assert_eq!(both.format, Some(ReportFormat::Csv));
        assert_eq!(both.time_zone, Some(Tz::Asia__Kolkata));
        for json in [
            "null",
            "7",
            r#"{"format":"doc"}"#,
            r#"{"timeZone":"Mars/Base"}"#,
            r#"{"recipients":["ana"]}"#,
            r#"{"recipients":[]}"#,
            r#"{"reportType":"sales"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
