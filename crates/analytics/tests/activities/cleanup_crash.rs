//! Whatever happens in whatever order: nothing is lost, and what is gone can come back.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use partner_analytics::cleanup::CleanupType;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::cleanup_support::{RUN, Rows, World, identify, retryable};

/// What happens beside the cleanup.
#[derive(Debug, Clone)]
enum Event {
    /// The worker is killed after so many steps of the next activity.
    Kill(u32),
    /// Somebody changes the nth row.
    Change(usize),
    /// Somebody puts the nth row under hold.
    Hold(usize),
    /// Somebody releases the nth row.
    Release(usize),
    /// Somebody adds an old row.
    Add,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..200_u32).prop_map(Event::Kill),
        2 => (0..20_usize).prop_map(Event::Change),
        2 => (0..20_usize).prop_map(Event::Hold),
        1 => (0..20_usize).prop_map(Event::Release),
        1 => Just(Event::Add),
    ]
}

/// What each row was whenever it was looked at: a backup may have any of these.
struct Seen(BTreeSet<(i64, String)>);

impl Seen {
    async fn look(&mut self, world: &World, cleanup_type: CleanupType) -> Result<Rows> {
        let rows = world.rows(cleanup_type).await?;
        self.0
            .extend(rows.iter().map(|(key, text)| (*key, text.clone())));
        Ok(rows)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Identify,
    BackUp,
    Delete,
    Restore,
}

async fn happen(world: &World, cleanup_type: CleanupType, event: &Event) -> Result<()> {
    let column = match cleanup_type {
        CleanupType::Logs => "message",
        CleanupType::Sessions => "user_id",
        CleanupType::TempFiles => "file_name",
    };
    let table = cleanup_type.table();
    let (change, nth) = match event {
        Event::Kill(_) => return Ok(()),
        Event::Add => {
            let add = match cleanup_type {
                CleanupType::Logs => {
                    "INSERT INTO application_logs (level, source, message, created_at)
                     VALUES ('info', 'api', 'late', now() - interval '200 days')"
                }
                CleanupType::Sessions => {
                    "INSERT INTO sessions (user_id, token_hash, last_seen_at)
                     VALUES ('late', 'late ' || txid_current(), now() - interval '200 days')"
                }
                // Without a file: it has gone before.
                CleanupType::TempFiles => {
                    "INSERT INTO temp_files (object_reference, file_name, created_at)
                     SELECT regexp_replace(max(object_reference), '[^/]*$', 'late-' || txid_current()),
                            'late', now() - interval '200 days'
                     FROM temp_files"
                }
            };
            world.run(add).await?;
            return Ok(());
        }
        Event::Change(nth) => (format!("{column} = {column} || '!'"), nth),
        Event::Hold(nth) => ("legal_hold = true".to_owned(), nth),
        Event::Release(nth) => ("legal_hold = false".to_owned(), nth),
    };
    let statement = format!(
        "UPDATE {table} SET {change} WHERE id = (SELECT id FROM {table} ORDER BY id OFFSET {nth} LIMIT 1)"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&world.pool)
        .await?;
    Ok(())
}

/// Does a step, killed after so many polls; gives what it answers if it was not, and if it came to its
/// end.
async fn attempt(
    world: &World,
    cleanup_type: CleanupType,
    step: Step,
    backup: &str,
    polls: u32,
) -> Result<Option<String>> {
    let work = async {
        let nothing = String::new();
        match step {
            Step::Identify => {
                let input = identify(cleanup_type).into();
                let answer = world.activities.identify(input, RUN, None, &|_| {});
                answer.await.map(|_| nothing)
            }
            Step::BackUp => world.back_up(cleanup_type).await,
            Step::Delete => world.delete(cleanup_type).await.map(|_| nothing),
            Step::Restore => world.restore(backup).await.map(|_| nothing),
        }
    };
    let answer = world.killed_after(polls, work).await?;
    answer.map_or(Ok(None), retryable)
}

/// Goes through a whole cleanup and a restore, with these events in between.
async fn live_through(cleanup_type: CleanupType, events: Vec<Event>) -> Result<()> {
    let world = World::with_rows(cleanup_type, 15).await?;
    let mut seen = Seen(BTreeSet::new());
    let mut events = events.into_iter();
    let mut backup = String::new();
    let mut last_polls = 1;
    for next in [Step::Identify, Step::BackUp, Step::Delete, Step::Restore] {
        loop {
            let event = events.next();
            if let Some(event) = &event {
                happen(&world, cleanup_type, event).await?;
            }
            let before = seen.look(&world, cleanup_type).await?;
            let polls = match event {
                Some(Event::Kill(polls)) => polls,
                Some(_) => 50,
                // Nothing more happens: longer each time, until it is through.
                None => {
                    last_polls *= 2;
                    last_polls
                }
            };
            let answer = attempt(&world, cleanup_type, next, &backup, polls).await?;
            if next != Step::Restore {
                check(&world, cleanup_type, next, &before, &backup).await?;
            }
            if let Some(answer) = answer {
                if next == Step::BackUp {
                    backup = answer;
                }
                break;
            }
        }
    }
    let rows = world.rows(cleanup_type).await?;
    let backed_up = world.backup_rows(&backup)?;
    for (key, text) in &backed_up {
        ensure!(
            seen.0.contains(&(*key, text.clone())),
            "the backup has what never was: {text}"
        );
        ensure!(rows.contains_key(key), "{key} was not restored");
    }
    Ok(())
}

/// Nothing goes but by the deletion, nothing goes that is not in the backup as it was, and nothing that
/// is under hold.
async fn check(
    world: &World,
    cleanup_type: CleanupType,
    step: Step,
    before: &Rows,
    backup: &str,
) -> Result<()> {
    let after = world.rows(cleanup_type).await?;
    let gone: Vec<_> = before
        .iter()
        .filter(|(key, _)| !after.contains_key(key))
        .collect();
    if step != Step::Delete {
        ensure!(gone.is_empty(), "{step:?} took {gone:?} away");
        return Ok(());
    }
    let backed_up = world.backup_rows(backup)?;
    for (key, text) in gone {
        ensure!(
            backed_up.get(key) == Some(text),
            "{text} is gone and not in the backup"
        );
        let row: serde_json::Value = serde_json::from_str(text).context("no row")?;
        ensure!(
            row["legal_hold"] == false,
            "{text} is gone in spite of the hold"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_whatever_happens(
        cleanup_type in prop::sample::select(CleanupType::ALL.to_vec()),
        events in prop::collection::vec(event(), 0..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime
            .block_on(live_through(cleanup_type, events))
            .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    }
}
