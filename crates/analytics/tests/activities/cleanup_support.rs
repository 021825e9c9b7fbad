//! The world around a cleanup: a database with old rows, a folder of files, and the activities.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::future::poll_fn;
use std::io::Read as _;
use std::iter::successors;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use chrono::DateTime;
use flate2::read::MultiGzDecoder;
use partner_adapters::{ObjectStorage, ObjectStorageConfig};
use partner_analytics::activities::cleanup::{
    BackupDataInput, CleanupActivities, CleanupItems, DeleteItemsInput, DeleteItemsResult,
    IdentifyCleanupItemsInput, ItemsReference, LogCleanupOperationInput, RestoreBackupInput,
};
use partner_analytics::cleanup::{
    BackupCursor, Cleanup, CleanupSettings, CleanupType, Restoration, RestorationCursor,
};
use partner_analytics::repository::cleanup::CleanupRepository;
use partner_core::ports::object_store::{ObjectStore, content};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tempfile::TempDir;
use temporalio_sdk::activities::ActivityError;
use url::Url;

use crate::cleanup_objects::Objects;
use crate::database::fresh_database;

/// The id of the workflow's run.
pub(crate) const RUN: &str = "cleanup-2026-11-28/run-1";

/// Small enough for several batches a segment, and several segments.
pub(crate) const BATCH: u32 = 3;
pub(crate) const SEGMENT: u32 = 7;

/// How an activity ends.
pub(crate) type Answer<T> = Result<T, ActivityError>;

/// Rows by their keys, each in the text that PostgreSQL has for it.
pub(crate) type Rows = BTreeMap<i64, String>;

/// The activities, and everything that they reach.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) home: TempDir,
    pub(crate) objects: Arc<Objects>,
    pub(crate) activities: CleanupActivities,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        Self::with_pause(Duration::ZERO).await
    }

    pub(crate) async fn with_pause(pause: Duration) -> Result<Self> {
        Self::of(fresh_database().await?, tempfile::tempdir()?, pause)
    }

    /// The same files with another database.
    pub(crate) async fn with_an_empty_database(self) -> Result<Self> {
        Self::of(fresh_database().await?, self.home, Duration::ZERO)
    }

    fn of(pool: PgPool, home: TempDir, pause: Duration) -> Result<Self> {
        let url = Url::from_directory_path(home.path()).map_err(|()| anyhow!("no path"))?;
        let objects = Arc::new(Objects {
            store: Arc::new(ObjectStorage::open(&ObjectStorageConfig {
                url,
                connect_timeout: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
                options: BTreeMap::new(),
            })?),
            failing_deletions: AtomicU32::new(0),
            created: AtomicU32::new(0),
        });
        let settings = CleanupSettings {
            batch_rows: NonZeroU32::new(BATCH).context("no rows")?,
            pause,
            segment_rows: NonZeroU32::new(SEGMENT).context("no rows")?,
            ..CleanupSettings::default()
        };
        let cleanup = Cleanup::new(
            CleanupRepository::new(pool.clone()),
            Some(Arc::clone(&objects) as Arc<dyn ObjectStore>),
            settings,
        );
        Ok(Self {
            pool,
            home,
            objects,
            activities: CleanupActivities { cleanup },
        })
    }

    /// A world with so many old rows of a type, each from another day, and three young ones.
    pub(crate) async fn with_rows(cleanup_type: CleanupType, rows: i32) -> Result<Self> {
        let world = Self::start().await?;
        world.add_rows(cleanup_type, rows).await?;
        Ok(world)
    }

    pub(crate) async fn add_rows(&self, cleanup_type: CleanupType, rows: i32) -> Result<()> {
        match cleanup_type {
            CleanupType::Logs => self.add_logs(rows).await,
            CleanupType::Sessions => self.add_sessions(rows).await,
            CleanupType::TempFiles => self.add_files(rows).await,
        }
    }

    async fn add_logs(&self, rows: i32) -> Result<()> {
        // Texts and numbers of every kind must come back as they were.
        sqlx::query(
            r#"INSERT INTO application_logs (level, source, message, fields, created_at)
               SELECT 'info', 'api', E'line ' || n || E'\n"quoted" \\ ü 🎉 \t' || chr(1),
                      jsonb_build_object('n', n, 'exact', 1.00::numeric, 'big', 12345678901234567890::numeric,
                                         'nested', jsonb_build_array(NULL, true, '<&>', '{}'::jsonb)),
                      now() - (n + 100) * interval '1 day' - interval '0.123456 s'
               FROM generate_series(1, $1) AS n
               UNION ALL
               SELECT 'info', 'api', 'young', '{}', now() - n * interval '1 day'
               FROM generate_series(0, 2) AS n"#,
        )
        .bind(rows)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn add_sessions(&self, rows: i32) -> Result<()> {
        sqlx::query(
            "INSERT INTO sessions (user_id, token_hash, client, created_at, last_seen_at)
             SELECT 'user-' || n, md5(n::text), '{\"agent\": \"x\"}', now() - interval '900 days',
                    now() - CASE WHEN n > 0 THEN n + 100 ELSE -n END * interval '1 day'
             FROM generate_series(-2, $1) AS n",
        )
        .bind(rows)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn add_files(&self, rows: i32) -> Result<()> {
        for n in -2..=rows {
            let stored = self
                .objects
                .store
                .create(&format!("temp/{n}.bin"), content(file_content(n)))
                .await?;
            sqlx::query(
                "INSERT INTO temp_files (object_reference, file_name, created_at)
                 VALUES ($1, $2, now() - $3 * interval '1 day')",
            )
            .bind(stored.reference)
            .bind(format!("file {n}.bin"))
            .bind(if n > 0 { n + 100 } else { -n })
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// Runs a statement that changes the world.
    pub(crate) async fn run(&self, statement: &'static str) -> Result<u64> {
        Ok(sqlx::query(statement)
            .execute(&self.pool)
            .await?
            .rows_affected())
    }

    /// Polls a future so often, and then drops it: what a killed worker leaves behind. Calls that were
    /// under way come to their end at the other side, as they would.
    pub(crate) async fn killed_after<T>(
        &self,
        polls: u32,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>> {
        let mut work = Box::pin(work);
        let mut left = polls;
        let done = poll_fn(move |context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            work.as_mut().poll(context).map(Some)
        })
        .await;
        self.settled().await?;
        Ok(done)
    }

    /// Waits until no call is under way, neither to the database nor to the files.
    pub(crate) async fn settled(&self) -> Result<()> {
        let others = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()
                        AND state NOT IN ('idle', 'idle in transaction')";
        // A connection is back in the pool when its last statement, which the server may not even have
        // looked at yet, is over.
        let is_settled = || {
            Arc::strong_count(&self.objects.store) == 1
                && self.pool.num_idle() == self.pool.size() as usize
        };
        while !is_settled() || self.count(others).await? > 0 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// A number that the database counts.
    pub(crate) async fn count(&self, statement: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(statement).fetch_one(&self.pool).await?)
    }

    /// How many rows the database says that cleanups deleted.
    pub(crate) async fn deleted(&self) -> Result<i64> {
        self.count("SELECT sum(deleted_rows)::bigint FROM cleanup_progress")
            .await
    }

    /// The rows that there are.
    pub(crate) async fn rows(&self, cleanup_type: CleanupType) -> Result<Rows> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, content FROM cleanable_rows WHERE cleanup_type = $1")
                .bind(cleanup_type.as_str())
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().collect())
    }

    /// Rows that are older than 90 days, of which there are as many as were added.
    pub(crate) async fn identify(&self, cleanup_type: CleanupType) -> Result<CleanupItems> {
        done(self.identify_with(identify(cleanup_type)).await)
    }

    pub(crate) async fn identify_with(
        &self,
        input: IdentifyCleanupItemsInput,
    ) -> Answer<CleanupItems> {
        self.activities
            .identify(input.into(), RUN, None, &|_| {})
            .await
    }

    pub(crate) async fn back_up(&self, cleanup_type: CleanupType) -> Answer<String> {
        let input = BackupDataInput {
            cleanup_type,
            items: items(),
        };
        self.activities.back_up(input.into(), &|_| {}).await
    }

    /// A world whose old rows are in a backup, and the backup.
    pub(crate) async fn backed_up(cleanup_type: CleanupType, rows: i32) -> Result<(Self, String)> {
        let world = Self::with_rows(cleanup_type, rows).await?;
        world.identify(cleanup_type).await?;
        let backup = done(world.back_up(cleanup_type).await)?;
        Ok((world, backup))
    }

    /// Backs up until this is so, and is killed then.
    pub(crate) async fn back_up_until(
        &self,
        cleanup_type: CleanupType,
        is_reached: impl Fn(BackupCursor) -> bool,
    ) -> Result<()> {
        let input = BackupDataInput {
            cleanup_type,
            items: items(),
        };
        let cursor = Mutex::new(BackupCursor {
            segments: 0,
            rows: 0,
        });
        let now = || *cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let report = |reached| *cursor.lock().unwrap_or_else(PoisonError::into_inner) = reached;
        let mut work = Box::pin(self.activities.back_up(input.into(), &report));
        poll_fn(|context| {
            let polled = work.as_mut().poll(context).map(drop);
            if is_reached(now()) {
                Poll::Ready(())
            } else {
                polled
            }
        })
        .await;
        drop(work);
        self.settled().await
    }

    pub(crate) async fn delete(&self, cleanup_type: CleanupType) -> Answer<DeleteItemsResult> {
        self.delete_with(delete(cleanup_type)).await
    }

    pub(crate) async fn delete_with(&self, input: DeleteItemsInput) -> Answer<DeleteItemsResult> {
        self.activities.delete(input.into(), None, &|_| {}).await
    }

    pub(crate) async fn restore(&self, backup: &str) -> Answer<Restoration> {
        self.restore_from(backup, None, &|_| {}).await
    }

    pub(crate) async fn restore_from(
        &self,
        backup: &str,
        from: Option<RestorationCursor>,
        report: &(dyn Fn(RestorationCursor) + Send + Sync),
    ) -> Answer<Restoration> {
        let input = RestoreBackupInput {
            backup_url: backup.to_owned(),
        };
        self.activities.restore(input.into(), from, report).await
    }

    /// All files below a folder, with their content.
    pub(crate) fn files(&self, below: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.home.path().join(below)];
        while let Some(folder) = folders.pop() {
            if !folder.exists() {
                continue;
            }
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.home.path())?;
                    found.insert(name.display().to_string(), fs::read(&path)?);
                }
            }
        }
        Ok(found)
    }

    /// A backup's rows, read by other code than the one that wrote them, with every checksum checked;
    /// and that there is nothing in its folder which is not part of it.
    pub(crate) fn backup_rows(&self, reference: &str) -> Result<Rows> {
        let manifest_file = path(reference)?;
        let folder = manifest_file.parent().context("no folder")?;
        let json = fs::read(&manifest_file)?;
        ensure!(reference.contains(&sha256(&json)), "the manifest's name");
        let manifest: ManifestFile = serde_json::from_slice(&json)?;
        let mut rows = Rows::new();
        let mut names = vec![manifest_file.clone()];
        for segment in &manifest.segments {
            let content = fs::read(folder.join(&segment.name))?;
            ensure!(sha256(&content) == segment.sha256, "{}", segment.name);
            names.push(folder.join(&segment.name));
            rows.extend(lines(&content, folder, &mut names)?);
        }
        ensure!(rows.len() as u64 == manifest.rows, "the manifest's count");
        let mut there: Vec<_> = self
            .files("backups")?
            .into_keys()
            .map(|name| self.home.path().join(name))
            .filter(|name| name.starts_with(folder))
            .collect();
        names.sort();
        there.sort();
        ensure!(names == there, "{names:?} instead of {there:?}");
        Ok(rows)
    }
}

#[derive(Deserialize)]
struct ManifestFile {
    rows: u64,
    segments: Vec<SegmentFile>,
}

#[derive(Deserialize)]
struct SegmentFile {
    name: String,
    sha256: String,
}

#[derive(Deserialize)]
struct LineText {
    key: i64,
    row: Box<RawValue>,
    file: Option<FileText>,
}

#[derive(Deserialize)]
struct FileText {
    name: String,
    bytes: u64,
    sha256: String,
}

fn lines(content: &[u8], folder: &Path, names: &mut Vec<PathBuf>) -> Result<Rows> {
    let mut text = String::new();
    MultiGzDecoder::new(content).read_to_string(&mut text)?;
    let mut rows = Rows::new();
    for line in text.lines() {
        let line: LineText = serde_json::from_str(line)?;
        if let Some(file) = line.file {
            let copy = fs::read(folder.join(&file.name))?;
            ensure!(sha256(&copy) == file.sha256 && copy.len() as u64 == file.bytes);
            names.push(folder.join(&file.name));
        }
        rows.insert(line.key, line.row.get().to_owned());
    }
    Ok(rows)
}

/// The file behind a reference.
fn path(reference: &str) -> Result<PathBuf> {
    Url::parse(reference)?
        .to_file_path()
        .map_err(|()| anyhow!("{reference} is no file"))
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// What is in the nth temporary file.
pub(crate) fn file_content(n: i32) -> Vec<u8> {
    format!("content of file {n}").repeat(100).into_bytes()
}

/// Rows that are older than 90 days.
pub(crate) fn identify(cleanup_type: CleanupType) -> IdentifyCleanupItemsInput {
    IdentifyCleanupItemsInput {
        cleanup_type,
        retention_days: 90,
        dry_run: false,
        operation_id: None,
    }
}

/// What `identifyCleanupItems` answers with.
pub(crate) fn items() -> ItemsReference {
    ItemsReference {
        reference: RUN.to_owned(),
    }
}

pub(crate) fn delete(cleanup_type: CleanupType) -> DeleteItemsInput {
    DeleteItemsInput {
        cleanup_type,
        items: items(),
        batch_size: None,
        pause_ms: None,
        max_batches: None,
    }
}

pub(crate) fn log(deleted: u64, backup: Option<&str>) -> LogCleanupOperationInput {
    LogCleanupOperationInput {
        interrupted: false,
        cleanup_type: CleanupType::Logs,
        items_deleted: deleted,
        backup_url: backup.map(ToOwned::to_owned),
        completed_at: DateTime::UNIX_EPOCH,
        operation_id: None,
    }
}

/// After how many polls to kill the worker, one time after the other: anywhere at the beginning, and
/// then at longer and longer distances.
pub(crate) fn kills() -> impl Iterator<Item = u32> {
    successors(Some(1), |polls| Some(polls + 1 + polls / 6))
}

/// The result of an activity that must succeed.
pub(crate) fn done<T>(answer: Answer<T>) -> Result<T> {
    answer.map_err(|error| anyhow!("the activity failed: {error:?}"))
}

/// The code of an activity that must fail, whether Temporal tries again, and the words.
pub(crate) fn failed<T: Debug>(answer: Answer<T>) -> Result<(String, bool, String)> {
    match answer {
        Err(ActivityError::Application(failure)) => {
            let code = failure.type_name().context("a failure without a type")?;
            let retryable = !failure.is_non_retryable();
            Ok((code.to_owned(), retryable, failure.to_string()))
        }
        other => Err(anyhow!("not an application failure: {other:?}")),
    }
}

/// An activity that must be refused for good, in words that have this in them.
pub(crate) fn refused<T: Debug>(answer: Answer<T>, words: &str) -> Result<()> {
    let (code, retryable, message) = failed(answer)?;
    ensure!(
        code == "VALIDATION_ERROR" && !retryable,
        "{code}: {message}"
    );
    ensure!(message.contains(words), "{words:?} is not in {message:?}");
    Ok(())
}

/// The result of an activity, or nothing if Temporal would try it again.
pub(crate) fn retryable<T: Debug>(answer: Answer<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let (_, retryable, message) = failed::<T>(Err(error))?;
            ensure!(retryable, "it failed for good: {message}");
            Ok(None)
        }
    }
}
