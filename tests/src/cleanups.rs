//! Old rows, and what became of them.

use anyhow::{Context, Result};
use partner_analytics::cleanup::{Cleanup, CleanupSettings, Restoration};
use partner_analytics::repository::cleanup::CleanupRepository;
use partner_core::client::Process;
use partner_core::ports::object_store::{ObjectStore, content};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

use crate::stage::Stage;

/// The workflow.
pub const CLEANUP: &str = "dataCleanupWorkflow";

/// Whom summaries go to: the configuration's default.
pub const ADMIN: &str = "operations@partner-platform.example";

/// The types, and the tables that they clean up.
pub const TYPES: [(&str, &str); 3] = [
    ("logs", "application_logs"),
    ("sessions", "sessions"),
    ("temp_files", "temp_files"),
];

/// A cleanup takes all that is old: two at once would count each other's rows.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A cleanup without rests.
pub fn input(cleanup_type: &str) -> Value {
    json!({ "cleanupType": cleanup_type, "retentionDays": 30, "batchSize": 3, "pauseMs": 0 })
}

impl Stage {
    /// Nobody else cleans up for as long as this is held, and nothing is old.
    pub async fn alone(&self) -> Result<MutexGuard<'static, ()>> {
        let alone = ALONE.lock().await;
        for (_, table) in TYPES {
            let query = format!("DELETE FROM {table}");
            sqlx::query(sqlx::AssertSqlSafe(query))
                .execute(self.shop.pool())
                .await?;
        }
        Ok(alone)
    }

    /// So many rows of a type that are 31 days old and more; those of files with a file each.
    pub async fn old_rows(&self, cleanup_type: &str, count: i32) -> Result<()> {
        let names = match cleanup_type {
            "temp_files" => self.files(count).await?,
            kind => self.names(kind, count),
        };
        Ok(self.shop.add_old_rows(cleanup_type, &names).await?)
    }

    fn names(&self, kind: &str, count: i32) -> Vec<String> {
        (0..count).map(|_| self.unique(kind)).collect()
    }

    async fn files(&self, count: i32) -> Result<Vec<String>> {
        let objects = self.objects()?;
        let mut references = Vec::new();
        for name in self.names("file", count) {
            let text = format!("the content of {name}");
            let stored = objects
                .create(&format!("uploads/{name}"), content(text.into_bytes()))
                .await?;
            references.push(stored.reference);
        }
        Ok(references)
    }

    /// The platform's object storage.
    pub fn objects(&self) -> Result<Arc<dyn ObjectStore>> {
        partner_worker::objects(&self.config().storage)?.context("a folder")
    }

    /// Every row of a type, in the very text that PostgreSQL has for it.
    pub async fn rows(&self, cleanup_type: &str) -> Result<Vec<String>> {
        Ok(self.shop.cleanable_rows(cleanup_type).await?)
    }

    /// Starts a cleanup.
    pub async fn clean_up(&self, input: &Value) -> Result<Process> {
        let id = self.unique("cleanup");
        self.start(CLEANUP, &id, input).await
    }

    /// Starts a cleanup that stops for a signal before its first row goes.
    pub async fn paused_cleanup(&self, input: &Value) -> Result<Process> {
        let process = self
            .client
            .start_with_signal(
                CLEANUP,
                &self.unique("cleanup"),
                input,
                "pause",
                &Value::Null,
            )
            .await?;
        self.reached(&process, "paused").await?;
        Ok(process)
    }

    /// Puts a backup back.
    pub async fn restore(&self, backup_url: &str) -> Result<Restoration> {
        let cleanup = Cleanup::new(
            CleanupRepository::new(self.shop.pool().clone()),
            Some(self.objects()?),
            CleanupSettings::default(),
        );
        Ok(cleanup.restore(backup_url, None, &|_| {}).await?)
    }

    /// How many rows of a cleanup were deleted, as the audit has it: one entry, or none.
    pub async fn audited(&self, process: &Process) -> Result<Vec<i64>> {
        Ok(self.shop.audited_cleanups(&process.id).await?)
    }

    /// The subjects of what the administrator was told about a process.
    pub fn told_admin(&self, process: &Process) -> Vec<String> {
        let about = format!("{}/", process.id);
        let mails = self.platform.inbox.mails_to(ADMIN);
        let about = mails.iter().filter(|mail| {
            let text = mail.text.as_deref().unwrap_or_default();
            text.contains(&about)
        });
        about.filter_map(|mail| mail.subject.clone()).collect()
    }
}
