//! `dailyReportWorkflow`: who got which file.

use futures::future::try_join_all;
use partner_core::error::ErrorCode;
use partner_local::inbox::{MailFault, MailFaultMode};
use serde::Serialize;
use serde_json::{Value, json};

use super::stage::{Row, Stage, Start};
use crate::output;

const WORKFLOW: &str = "dailyReportWorkflow";

/// Who got what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reported {
    /// How many mails brought a PDF.
    pdfs: usize,
    /// How many recipients got it, and how many could not be reached, as it is on record.
    on_record: Option<(i32, i32)>,
}

/// One report and what must come of it.
struct Scenario {
    name: &'static str,
    report_type: &'static str,
    /// Whether the relay refuses the second recipient, or every one.
    refused: [bool; 2],
    outcome: &'static str,
    reported: Reported,
}

fn scenarios() -> Vec<Scenario> {
    let plain = |name, report_type| Scenario {
        name,
        report_type,
        refused: [false, false],
        outcome: "2 reached",
        reported: Reported {
            pdfs: 2,
            on_record: Some((2, 0)),
        },
    };
    vec![
        plain("sales", "sales"),
        plain("analytics", "analytics"),
        plain("performance", "performance"),
        Scenario {
            refused: [false, true],
            outcome: "1 reached",
            reported: Reported {
                pdfs: 1,
                on_record: Some((1, 1)),
            },
            ..plain("one address is refused", "sales")
        },
        Scenario {
            refused: [true, true],
            outcome: ErrorCode::ExternalServiceError.as_str(),
            reported: Reported::default(),
            ..plain("both addresses are refused", "sales")
        },
        Scenario {
            outcome: ErrorCode::ValidationError.as_str(),
            reported: Reported::default(),
            ..plain("about what nobody knows", "weather")
        },
    ]
}

/// Makes and sends every report.
pub(crate) async fn all(stage: &Stage<'_>) -> anyhow::Result<Vec<Row<Reported>>> {
    let scenarios = scenarios();
    let rows = scenarios
        .iter()
        .enumerate()
        .map(|(index, scenario)| play(stage, scenario, index + 1));
    try_join_all(rows).await
}

async fn play(
    stage: &Stage<'_>,
    scenario: &Scenario,
    number: usize,
) -> anyhow::Result<Row<Reported>> {
    let readers = [1, 2].map(|reader| format!("reader-{number:02}-{reader}@example.com"));
    for (reader, refused) in readers.iter().zip(scenario.refused) {
        if refused {
            let fault = MailFault {
                mode: MailFaultMode::Refuse,
                times: None,
            };
            stage.platform.inbox.set_fault(reader, fault);
        }
    }
    let input = json!({ "reportType": scenario.report_type, "recipients": readers });
    let id = format!("report-{number:02}");
    let started = stage.start((WORKFLOW, &id), &input, Start::Once);
    let word = |result: &Value| format!("{} reached", result["recipientCount"]);
    let (run, _result) = stage.watch((scenario.name, &input), started, word).await?;
    let mails = readers
        .iter()
        .flat_map(|reader| stage.platform.inbox.mails_to(reader));
    let pdfs = mails.filter(|mail| {
        let mut files = mail.attachments.iter();
        files.any(|file| file.content.starts_with(b"%PDF-"))
    });
    let seen = Reported {
        pdfs: pdfs.count(),
        on_record: stage.shop.logged_reports(&id).await?.pop(),
    };
    Ok(Row::compare(
        run,
        seen,
        scenario.outcome,
        &scenario.reported,
    )?)
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row<Reported>]) -> String {
    let header = ["", "REPORT", "OUTCOME", "PDFS", "ON RECORD", "MS", "EVENTS"];
    let cells = rows.iter().map(|row| {
        let on_record = row.found.on_record;
        let on_record = on_record.map(|(sent, failed)| format!("{sent} sent, {failed} failed"));
        [
            row.mark(),
            row.run.name.to_owned(),
            row.run.outcome.clone(),
            row.found.pdfs.to_string(),
            on_record.unwrap_or_else(|| "-".to_owned()),
            row.run.milliseconds.to_string(),
            row.run.events.to_string(),
        ]
    });
    output::table(header, cells)
}
