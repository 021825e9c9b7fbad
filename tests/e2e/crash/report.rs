//! `dailyReportWorkflow`: one report, and one mail for every reader.
//!
//! Gathering, making and storing are no rows here: the first only reads, and the others write a file
//! under a name that the next attempt comes to as well. What holds if their answers are lost is in the
//! tests of the workflow.

use std::future::ready;

use futures::future::join_all;
use serde_json::json;

use super::crash;
use super::trap::Stop;
use crate::support::{Host, Stage, attempts, on_platform};

const WORKFLOW: &str = "dailyReportWorkflow";

/// One crash: what the worker is doing, and how the mail that it was at stands then.
const ROWS: [(&str, &[Stop], &str); 2] = [
    ("before-data", &[Stop::MailBeforeData], "sent"),
    // The second attempt waits until the first can no longer be alive.
    ("after-data", &[Stop::MailAfterData], "possibly_delivered"),
];

async fn survives(host: &'static Host, (at, trap, mail): (&str, &'static [Stop], &str)) {
    let stage = Stage::new(host, &format!("crash-report-{at}")).await;
    let name = &stage.name;
    let readers = [
        stage.email(),
        format!("{name}-2@example.com"),
        format!("{name}-3@example.com"),
    ];
    let input = json!({ "reportType": "sales", "recipients": readers });
    let start = stage.start(WORKFLOW, "report", &input);
    let process = crash(&stage, trap, start, ready(())).await;

    let result = stage.result(&process).await;
    assert_eq!(result["recipientCount"], 3, "{name}: {result}");
    for reader in &readers {
        let mails = stage.platform().inbox.mails_to(reader);
        assert_eq!(mails.len(), 1, "{reader}");
        assert_eq!(mails[0].attachments.len(), 1, "{reader}");
    }
    let found: String = sqlx::query_scalar("SELECT state FROM deliveries WHERE recipient = $1")
        .bind(stage.email())
        .fetch_one(stage.shop().pool())
        .await
        .expect("the send ledger");
    assert_eq!(found, mail, "{name}");
    let logged = stage.shop().logged_reports(&process.id).await;
    assert_eq!(logged.expect("the log"), [(3, 0)], "{name}");
    let mut found = attempts(&process, "sendEmail").await;
    found.sort_unstable();
    assert_eq!(found.last(), Some(&2), "{name}: {found:?}");
}

#[test]
fn a_worker_killed_while_it_sends_a_report_leaves_every_reader_with_one() {
    on_platform(async |host| {
        join_all(ROWS.map(|row| survives(host, row))).await;
    });
}
