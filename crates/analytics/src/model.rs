//! The analytics domain's words: what a report is about, which time it covers, as what it comes.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// What a report is about.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReportType {
    /// Money: what was sold, refused and given back.
    Sales,
    /// Users: who came, what became of them, what they were told.
    Analytics,
    /// The engine: what became of the workflows, and how long they took.
    Performance,
}

impl ReportType {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Sales, Self::Analytics, Self::Performance];

    /// The spelling on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Analytics => "analytics",
            Self::Performance => "performance",
        }
    }
}

impl fmt::Display for ReportType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// As what a report comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportFormat {
    /// For reading: pages with charts.
    Pdf,
    /// For reckoning on: a workbook with a sheet a table.
    Excel,
    /// For programs: one figure a line.
    Csv,
}

impl ReportFormat {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Pdf, Self::Excel, Self::Csv];

    /// The spelling on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Excel => "excel",
            Self::Csv => "csv",
        }
    }

    /// The ending of a file's name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Excel => "xlsx",
            Self::Csv => "csv",
        }
    }

    /// The MIME type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Excel => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

impl fmt::Display for ReportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A span of time from `from` on, up to but without `to`: what is at the edge between two windows
/// counts in the later one, and only there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment in it.
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub to: DateTime<Utc>,
}

/// The years that every format of a report can write, less one at each end: in another zone it may be
/// the year before or after.
const YEARS: RangeInclusive<i32> = 1971..=9998;

/// Whether every format of a report can write a time, whatever the zone.
pub(crate) fn is_writable(time: DateTime<Utc>) -> bool {
    YEARS.contains(&time.year())
}

/// Why two times are not the period of a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeriod {
    /// It ends before, or when, it begins.
    #[error("must end after it begins, got {from} to {to}")]
    Empty {
        /// When it begins.
        from: DateTime<Utc>,
        /// When it ends.
        to: DateTime<Utc>,
    },
    /// It, or the period before, is in a year that not every format can write.
    #[error("must be, with the period before it, within the years {} to {}", YEARS.start(), YEARS.end())]
    OutOfRange,
}

/// The period of a report: a window in UTC, and the clock of those who read the report.
///
/// On the wire `{from, to, timeZone}`; without a zone, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PeriodFields", into = "PeriodFields")]
pub struct Period {
    window: Window,
    time_zone: Tz,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeriodFields {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    #[serde(default)]
    time_zone: Tz,
}

impl Period {
    /// The period between two times, to be shown in a zone.
    ///
    /// # Errors
    /// [`InvalidPeriod`] says which rule the times break.
    pub fn new(
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        time_zone: Tz,
    ) -> Result<Self, InvalidPeriod> {
        if to <= from {
            return Err(InvalidPeriod::Empty { from, to });
        }
        let earliest = from.checked_sub_signed(to - from);
        if !is_writable(to) || !earliest.is_some_and(is_writable) {
            return Err(InvalidPeriod::OutOfRange);
        }
        Ok(Self {
            window: Window { from, to },
            time_zone,
        })
    }

    /// The period itself.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The one before, of the same length: what the figures are compared with.
    pub fn window_before(&self) -> Window {
        let Window { from, to } = self.window;
        Window {
            from: from - (to - from),
            to: from,
        }
    }

    /// The zone of those who read the report.
    pub const fn time_zone(&self) -> Tz {
        self.time_zone
    }
}

impl TryFrom<PeriodFields> for Period {
    type Error = InvalidPeriod;

    fn try_from(fields: PeriodFields) -> Result<Self, InvalidPeriod> {
        Self::new(fields.from, fields.to, fields.time_zone)
    }
}

impl From<Period> for PeriodFields {
    fn from(period: Period) -> Self {
        Self {
            from: period.window.from,
            to: period.window.to,
            time_zone: period.time_zone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Period, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_period_before_ends_where_this_one_begins() {
        let period =
            read(r#"{"from":"2026-12-01T07:00:00Z","to":"2026-12-02T07:00:00Z"}"#).unwrap();
        assert_eq!(period.time_zone(), Tz::UTC);
        let before = period.window_before();
        assert_eq!(before.to, period.window().from);
        assert_eq!(before.from.to_rfc3339(), "2026-11-30T07:00:00+00:00");
    }

    #[test]
    fn is_on_the_wire_what_was_read() {
        let json = r#"{"from":"2026-12-01T07:00:00Z","to":"2026-12-02T07:00:00Z","timeZone":"Asia/Kolkata"}"#;
        let period = read(json).unwrap();
        assert_eq!(serde_json::to_string(&period).unwrap(), json);
    }

    #[test]
    fn refuses_what_is_no_period() {
        for (from, to, expected) in [
            ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "must end"),
            ("2026-12-02T00:00:00Z", "2026-12-01T00:00:00Z", "must end"),
            ("1970-06-01T00:00:00Z", "1971-06-01T00:00:00Z", "1971 to"),
            ("9999-12-31T00:00:00Z", "+10000-01-01T00:00:00Z", "1971 to"),
            (
                "-262143-01-01T00:00:00Z",
                "+262142-12-31T00:00:00Z",
                "1971 to",
            ),
        ] {
            let error = read(&format!(r#"{{"from":"{from}","to":"{to}"}}"#)).unwrap_err();
            assert!(error.contains(expected), "{from} {to}: {error}");
        }
        let nowhere =
            r#"{"from":"2026-12-01T00:00:00Z","to":"2026-12-02T00:00:00Z","timeZone":"Mars/Base"}"#;
        assert!(read(nowhere).is_err());
    }

    #[test]
    fn is_spelled_on_the_wire_as_in_code() {
        for kind in ReportType::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        for format in ReportFormat::ALL {
            assert_eq!(
                serde_json::to_string(&format).unwrap(),
                format!("\"{format}\"")
            );
        }
    }
}
