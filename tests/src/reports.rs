//! Reports, and whom they reached.

use anyhow::{Context, Result};
use partner_core::client::Process;
use serde_json::{Value, json};

use crate::stage::Stage;

/// The workflow.
pub const REPORT: &str = "dailyReportWorkflow";

/// A report's readers.
#[derive(Debug, Clone)]
pub struct Readers(pub Vec<String>);

impl Readers {
    /// The input of a report for them.
    pub fn input(&self, report_type: &str) -> Value {
        json!({ "reportType": report_type, "recipients": self.0 })
    }
}

/// A mail that brought a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Its subject.
    pub subject: String,
    /// Its text part.
    pub text: String,
    /// The names of the files that came along, and their first bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Stage {
    /// Three people who want to know.
    pub fn readers(&self) -> Readers {
        let address = |_| format!("{}@example.com", self.unique("reader"));
        Readers((0..3).map(address).collect())
    }

    /// Starts a report.
    pub async fn report(&self, input: &Value) -> Result<Process> {
        self.start(REPORT, &self.unique("report"), input).await
    }

    /// Starts a report that is held before its first step.
    pub async fn paused_report(&self, input: &Value) -> Result<Process> {
        let id = self.unique("report");
        let process = self
            .client
            .start_with_signal(REPORT, &id, input, "pause", &Value::Null)
            .await?;
        let paused = |details: &Value| details["paused"] == true && details["endsAt"].is_string();
        self.details(&process, "is not paused", paused).await?;
        Ok(process)
    }

    /// What a reader got.
    pub fn brought(&self, reader: &str) -> Vec<Brought> {
        let mails = self.platform.inbox.mails_to(reader);
        let brought = mails.iter().map(|mail| Brought {
            subject: mail.subject.clone().unwrap_or_default(),
            text: mail.text.clone().unwrap_or_default(),
            files: mail
                .attachments
                .iter()
                .map(|file| (file.filename.clone(), file.content.clone()))
                .collect(),
        });
        brought.collect()
    }

    /// The report that a result speaks of, out of the object storage.
    pub async fn stored_report(&self, result: &Value) -> Result<Vec<u8>> {
        let reference = result["reportUrl"].as_str().context("an address")?;
        Ok(self.objects()?.read(reference, 50_000_000).await?)
    }

    /// How a report is on record: the type, its recipients, and those who could not be reached.
    pub async fn logged_reports(&self, process: &Process) -> Result<Vec<(String, i32, i32)>> {
        Ok(sqlx::query_as(
            "SELECT report_type, recipient_count, failed_count FROM report_log
             WHERE operation_id LIKE $1 || '/%'",
        )
        .bind(&process.id)
        .fetch_all(self.shop.pool())
        .await?)
    }
}
