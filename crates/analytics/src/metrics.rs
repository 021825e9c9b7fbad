//! The figures of a report, each with that of the period before: what `gatherAnalytics` gives and
//! `generateReport` takes.
//!
//! Amounts are exact decimals in major units beside their currency, and never added up over
//! currencies.

mod analytics;
mod performance;
mod sales;

use chrono::{DateTime, Utc};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

pub use self::analytics::{AnalyticsMetrics, ChannelDeliveries, ListingMetrics};
pub use self::performance::{FailureCount, PerformanceMetrics, QueueMetrics, WorkflowMetrics};
pub use self::sales::{ArticleSales, CurrencySales, DeclineReason, SalesMetrics};
use crate::model::{Period, ReportType};

/// A figure in the report's period, and the same in the period before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared<T> {
    /// In the report's period.
    pub current: T,
    /// In the period before, of the same length.
    pub previous: T,
}

impl<T> Compared<T> {
    /// A figure and that of the period before.
    pub const fn new(current: T, previous: T) -> Self {
        Self { current, previous }
    }

    /// The same function of both.
    pub fn map<U>(self, function: impl Fn(T) -> U) -> Compared<U> {
        Compared {
            current: function(self.current),
            previous: function(self.previous),
        }
    }
}

/// How many there are of a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCount {
    /// The status as the database spells it.
    pub status: String,
    /// How many.
    pub count: Compared<u64>,
}

/// How long something took: half of it at most `p50`, nine of ten at most `p90`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// The median, in milliseconds.
    pub p50_millis: u64,
    /// The ninth decile, in milliseconds.
    pub p90_millis: u64,
}

/// The figures of a report of some type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Metrics {
    /// Those of a sales report.
    Sales(SalesMetrics),
    /// Those of an analytics report.
    Analytics(AnalyticsMetrics),
    /// Those of a performance report.
    Performance(PerformanceMetrics),
}

impl Metrics {
    /// Of which type of report they are.
    pub const fn report_type(&self) -> ReportType {
        match self {
            Self::Sales(_) => ReportType::Sales,
            Self::Analytics(_) => ReportType::Analytics,
            Self::Performance(_) => ReportType::Performance,
        }
    }

    fn from_json(report_type: ReportType, json: &str) -> serde_json::Result<Self> {
        match report_type {
            ReportType::Sales => serde_json::from_str(json).map(Self::Sales),
            ReportType::Analytics => serde_json::from_str(json).map(Self::Analytics),
            ReportType::Performance => serde_json::from_str(json).map(Self::Performance),
        }
    }
}

/// The figures of a report with what they are about; on the wire
/// `{reportType, period, metrics, timestamp}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "DocumentFields")]
pub struct MetricsDocument {
    /// Which time they cover.
    pub period: Period,
    /// The figures.
    pub metrics: Metrics,
    /// When they were read, all at that one moment.
    pub timestamp: DateTime<Utc>,
}

/// The type of the report decides how its figures are read, and may come after them. They wait as
/// text: serde's own way to wait does not keep the digits of exact numbers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentFields {
    report_type: ReportType,
    period: Period,
    metrics: Box<RawValue>,
    timestamp: DateTime<Utc>,
}

impl TryFrom<DocumentFields> for MetricsDocument {
    type Error = String;

    fn try_from(fields: DocumentFields) -> Result<Self, String> {
        let metrics = Metrics::from_json(fields.report_type, fields.metrics.get())
            .map_err(|error| format!("metrics of a {} report: {error}", fields.report_type))?;
        Ok(Self {
            period: fields.period,
            metrics,
            timestamp: fields.timestamp,
        })
    }
}

impl Serialize for MetricsDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("MetricsDocument", 4)?;
        document.serialize_field("reportType", &self.metrics.report_type())?;
        document.serialize_field("period", &self.period)?;
        document.serialize_field("metrics", &self.metrics)?;
        document.serialize_field("timestamp", &self.timestamp)?;
        document.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: &str =
        r#"{"from":"2026-12-01T00:00:00Z","to":"2026-12-02T00:00:00Z","timeZone":"Europe/Berlin"}"#;

    const SALES: &str = r#"{"currencies":[{"currency":"EUR","revenue":{"current":90071992547409.93,"previous":0.00},"paidOrders":{"current":2,"previous":0},"averageOrder":{"current":45035996273704.97,"previous":null},"subscriptionRevenue":{"current":9.90,"previous":0.00},"subscriptionPayments":{"current":1,"previous":0},"refunds":{"current":0,"previous":0},"refundedAmount":{"current":0.00,"previous":0.00}}],"ordersByStatus":[{"status":"paid","count":{"current":2,"previous":0}}],"declines":{"current":1,"previous":0},"declineReasons":[{"code":"insufficient_funds","count":{"current":1,"previous":0}}],"topArticles":[{"sku":"flat-7","currency":"EUR","quantity":{"current":2,"previous":0},"revenue":{"current":90071992547409.93,"previous":0.00}}]}"#;

    fn document(fields: &str) -> Result<MetricsDocument, String> {
        serde_json::from_str(fields).map_err(|error| error.to_string())
    }

    #[test]
    fn survives_the_wire_digit_by_digit() {
        let json = format!(
            r#"{{"reportType":"sales","period":{PERIOD},"metrics":{SALES},"timestamp":"2026-12-02T08:00:00Z"}}"#
        );
        let read = document(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    #[test]
    fn the_type_may_come_last() {
        let read = document(&format!(
            r#"{{"metrics":{SALES},"timestamp":"2026-12-02T08:00:00Z","period":{PERIOD},"reportType":"sales"}}"#
        ));
        assert_eq!(read.unwrap().metrics.report_type(), ReportType::Sales);
    }

    #[test]
    fn figures_of_another_report_are_refused() {
        let error = document(&format!(
            r#"{{"reportType":"performance","period":{PERIOD},"metrics":{SALES},"timestamp":"2026-12-02T08:00:00Z"}}"#
        ))
        .unwrap_err();
        assert!(error.contains("performance report"), "{error}");
    }
}
