//! CSV, read by the `csv` crate and looked at byte by byte.

use anyhow::{Context, Result};
use csv::ReaderBuilder;
use partner_analytics::metrics::{Compared, DeclineReason, Metrics, SalesMetrics};
use partner_analytics::model::ReportFormat;
use rust_decimal::Decimal;

use crate::{file, sample, samples};

/// The lines without the header, six fields each.
pub(crate) fn lines(bytes: &[u8]) -> Result<Vec<[String; 6]>> {
    let mut reader = ReaderBuilder::new().from_reader(bytes);
    assert_eq!(
        reader.headers()?,
        ["section", "name", "currency", "value", "previous", "change"].as_slice()
    );
    reader
        .records()
        .map(|record| {
            let fields: Vec<_> = record?.iter().map(str::to_owned).collect();
            fields.try_into().ok().context("not six fields")
        })
        .collect()
}

fn line(lines: &[[String; 6]], section: &str, name: &str, currency: &str) -> Result<[String; 3]> {
    let mut found = lines.iter().filter(|line| {
        let [of_section, of_name, of_currency, ..] = line;
        of_section == section && of_name == name && of_currency == currency
    });
    let [_, _, _, value, previous, change] = found.next().context("no such line")?.clone();
    assert!(found.next().is_none(), "{section} {name} is there twice");
    Ok([value, previous, change])
}

#[test]
fn every_figure_has_a_line() -> Result<()> {
    let lines = lines(&file(&sample("sales")?, ReportFormat::Csv)?)?;
    for (section, name, currency, expected) in [
        ("report", "type", "", ["sales", "", ""]),
        (
            "report",
            "from",
            "",
            ["2026-11-30T23:00:00Z", "2026-11-29T23:00:00Z", ""],
        ),
        ("report", "time_zone", "", ["Europe/Berlin", "", ""]),
        ("key_figures", "paid_orders", "", ["426", "393", "33"]),
        (
            "key_figures",
            "net_revenue",
            "USD",
            ["14594.70", "13469.00", "1125.70"],
        ),
        (
            "currencies.revenue",
            "EUR",
            "EUR",
            ["37037.01", "32970.00", "4067.01"],
        ),
        ("currencies.refunds", "EUR", "EUR", ["3", "3", "0"]),
        (
            "orders_by_status.orders",
            "payment_failed",
            "",
            ["17", "9", "8"],
        ),
        (
            "top_articles.revenue",
            "flat-3",
            "INR",
            ["8936.43", "4567.89", "4368.54"],
        ),
        ("declined_charges.charges", "other", "", ["1", "0", "1"]),
    ] {
        assert_eq!(line(&lines, section, name, currency)?, expected, "{name}");
    }
    Ok(())
}

#[test]
fn durations_are_seconds_and_shares_fractions() -> Result<()> {
    let performance = lines(&file(&sample("performance")?, ReportFormat::Csv)?)?;
    let name = "dailyReportWorkflow";
    assert_eq!(
        line(&performance, "workflows.p50_seconds", name, "")?,
        ["0.420", "0.400", "0.020"]
    );
    // What is of this moment has nothing before it.
    let queue = "partner-platform-queue";
    assert_eq!(
        line(&performance, "task_queues.tasks_waiting", queue, "")?,
        ["0", "", ""]
    );
    let analytics = lines(&file(&sample("analytics")?, ReportFormat::Csv)?)?;
    assert_eq!(
        line(&analytics, "users.value", "conversion", "")?,
        ["0.591667", "0.625000", "-0.033333"]
    );
    Ok(())
}

#[test]
fn is_as_rfc_4180_has_it() -> Result<()> {
    let mut metrics = samples::sales();
    metrics.top_articles[0].sku = "two \"rooms\",\r\nkitchen".to_owned();
    let bytes = file(
        &samples::document(Metrics::Sales(metrics)),
        ReportFormat::Csv,
    )?;
    let text = String::from_utf8(bytes)?;
    assert!(text.starts_with("section,name,"), "no byte order mark");
    assert!(text.ends_with("\r\n"));
    assert!(text.contains("\"two \"\"rooms\"\",\r\nkitchen\""));
    let without_line_ends = text.replace("\r\n", "");
    assert!(!without_line_ends.contains(['\r', '\n']));
    Ok(())
}

#[test]
fn what_looks_like_a_formula_is_a_text() -> Result<()> {
    const FORMULAS: [&str; 12] = [
        "=1+1",
        "=HYPERLINK(\"http://evil.example\")",
        "+49 30 123456",
        "-1",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "＝1+1",
        "＋1",
        "＠SUM(1)",
    ];
    let metrics = SalesMetrics {
        decline_reasons: FORMULAS
            .map(|code| DeclineReason {
                code: code.to_owned(),
                count: Compared::new(1, 2),
            })
            .into(),
        ..samples::one_currency()
    };
    let document = samples::document(Metrics::Sales(metrics));
    let lines = lines(&file(&document, ReportFormat::Csv)?)?;
    for formula in FORMULAS {
        let name = format!("'{formula}");
        let figures = line(&lines, "declined_charges.charges", &name, "")?;
        // A number of ours that is below zero stays one.
        assert_eq!(figures, ["1", "2", "-1"], "{formula}");
    }
    let net = line(&lines, "key_figures", "net_revenue", "USD")?;
    assert_eq!(net[0].parse::<Decimal>()?, Decimal::new(-65_433, 2));
    Ok(())
}
