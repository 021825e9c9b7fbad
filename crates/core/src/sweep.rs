//! Sweeps: runs over everything that is due, page by page, which start or signal the business
//! workflow of each thing.
//!
//! A page is one activity: 6 history events and one billable action for as many things as it has,
//! and one action more for each workflow that it starts. After [`PAGES_PER_RUN`] pages a new run goes
//! on, so that a history stays short however much is due. A page that is made twice starts nothing
//! twice: what it starts is known by its business id.
//!
//! What cannot be started keeps nobody else waiting: it is counted, the first of them are told by
//! name, and the next sweep tries again.

use chrono::{DateTime, Datelike as _, Utc};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use temporalio_sdk::WorkflowContext;

use crate::problem::Problem;
use crate::progress::{Course, ProgressAnswer, StatusAnswer, Step};
use crate::step::{now, stop_if_cancelled};
use crate::task_queue;
use crate::wire::InvalidInput;

/// After how many pages a new run goes on, with a short history: some 600 events.
pub const PAGES_PER_RUN: u32 = 100;

/// How many things a page has, unless the input says otherwise.
const PAGE_SIZE: u32 = 500;

/// The most that a page may have: it is one activity, and has to come to its end.
const LARGEST_PAGE: u32 = 5_000;

/// How many of those that could not be started are told by name.
const MOST_PROBLEMS: usize = 20;

/// What a sweep is started with; all of it has a default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepInput {
    /// The time that counts for what is due, not after now; when it is started, if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// How many things a page has, 1 to 5,000; 500 if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// The task queue of what is started, one of the contract's; the sweep's own if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
    /// Where the run before stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<Box<Continued>>,
}

/// Where a run stopped, for the one that goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Continued {
    /// The last that was looked at.
    pub after: Position,
    /// What was done by then.
    pub details: SweepDetails,
}

/// A place in what is due: the earliest first, then by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// When it was due.
    pub at: DateTime<Utc>,
    /// Its id.
    pub id: String,
}

/// Which page.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInput {
    /// The time that counts.
    pub as_of: DateTime<Utc>,
    /// After which place it begins; at the first, if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
    /// How many things it has at most.
    pub limit: u32,
    /// The task queue of what is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
}

/// What a page came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageResult {
    /// What was done.
    pub tally: Tally,
    /// How many things are due in all, if it is the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The last that was looked at, if more may follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Position>,
}

/// What became of things that were due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// How many were looked at.
    pub considered: u64,
    /// How many workflows were started.
    pub started: u64,
    /// How many ran already.
    pub running: u64,
    /// How many of those were told something.
    pub told: u64,
    /// How many were left alone: nothing is to be done, or their workflow ended and is not to be
    /// started again by itself.
    pub left: u64,
    /// How many could not be started.
    pub failed: u64,
    /// What a person should look at, the first 20.
    pub problems: Vec<String>,
}

/// What became of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Its workflow was started.
    Started,
    /// It ran already.
    Running,
    /// It ran already, and was told something.
    Told,
    /// It was left alone; why, if a person should look.
    Left(Option<String>),
    /// It could not be started.
    Failed(String),
}

impl Tally {
    /// Counts one thing more.
    pub fn count(&mut self, begun: Begun) {
        self.considered += 1;
        let problem = match begun {
            Begun::Started => {
                self.started += 1;
                None
            }
            Begun::Running => {
                self.running += 1;
                None
            }
            Begun::Told => {
                self.running += 1;
                self.told += 1;
                None
            }
            Begun::Left(problem) => {
                self.left += 1;
                problem
            }
            Begun::Failed(problem) => {
                self.failed += 1;
                Some(problem)
            }
        };
        self.note(problem);
    }

    /// Counts what another page came to.
    pub fn add(&mut self, page: Self) {
        // What a run before counted came with its input, and may be anything.
        let add = |count: &mut u64, more| *count = count.saturating_add(more);
        add(&mut self.considered, page.considered);
        add(&mut self.started, page.started);
        add(&mut self.running, page.running);
        add(&mut self.told, page.told);
        add(&mut self.left, page.left);
        add(&mut self.failed, page.failed);
        self.note(page.problems);
    }

    fn note(&mut self, problems: impl IntoIterator<Item = String>) {
        let room = MOST_PROBLEMS.saturating_sub(self.problems.len());
        self.problems.extend(problems.into_iter().take(room));
    }
}

/// The answer of `getDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepDetails {
    /// The time that counts.
    pub as_of: Option<DateTime<Utc>>,
    /// How many things were due when it began.
    pub total: u64,
    /// What was done.
    pub counts: Tally,
}

/// What a sweep came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepResult {
    /// Whether everything that was due could be started.
    pub success: bool,
    /// The time that counted.
    pub as_of: DateTime<Utc>,
    /// What was done.
    pub counts: Tally,
}

/// What a run comes to.
#[derive(Debug)]
pub enum SweepEnd {
    /// Everything was looked at.
    Result(SweepResult),
    /// The history is long, and a new run goes on.
    Again(SweepInput),
}

/// The steps of a sweep, for its queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    Done,
}

impl Step for Stage {
    const TOTAL: u32 = 1;

    fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Done => "done",
        }
    }

    fn completed(self) -> u32 {
        match self {
            Self::Starting => 0,
            Self::Done => Self::TOTAL,
        }
    }
}

/// What a sweep's workflow keeps, and answers its queries from.
#[derive(Debug, Clone)]
pub struct Sweep {
    course: Course<Stage>,
    details: SweepDetails,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            course: Course::new(Stage::Starting),
            details: SweepDetails::default(),
        }
    }
}

impl Sweep {
    /// How it stands.
    pub fn status(&self) -> StatusAnswer {
        self.course.status()
    }

    /// How far it is, in things that were due.
    pub fn progress(&self) -> ProgressAnswer {
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let considered = number(self.details.counts.considered);
        // What becomes due while it runs is looked at as well.
        let total = number(self.details.total).max(considered);
        ProgressAnswer::new(considered, total, self.course.status().step)
    }

    /// Everything that it knows.
    pub fn details(&self) -> SweepDetails {
        self.details.clone()
    }

    /// It ended well.
    pub fn complete(&mut self) {
        self.course.complete(Stage::Done);
    }

    /// It ended because of this.
    pub fn fail(&mut self, problem: &Problem) {
        self.course.fail(problem);
    }
}

/// How many things of a page are begun at once. The Temporal service answers each within milliseconds.
const AT_ONCE: usize = 16;

/// Begins everything of a page, in whatever sequence it comes to its end.
///
/// # Errors
/// What is wrong with more than one thing: then the page is made again.
pub async fn make_page<T, B, E>(
    input: &PageInput,
    page: Vec<T>,
    position: impl Fn(&T) -> Position,
    begin: impl Fn(T) -> B,
) -> Result<PageResult, E>
where
    B: Future<Output = Result<Begun, E>>,
{
    let is_full = page.len() >= usize::try_from(input.limit).unwrap_or(usize::MAX);
    let next = page.last().filter(|_| is_full).map(position);
    let all: Vec<_> = page.into_iter().map(begin).collect();
    let tally = stream::iter(all)
        .buffered(AT_ONCE)
        .try_fold(Tally::default(), async |mut tally, begun| {
            tally.count(begun);
            Ok(tally)
        })
        .await?;
    Ok(PageResult {
        tally,
        total: None,
        next,
    })
}

/// Makes page after page until nothing more is due, or a new run is to go on.
///
/// `sweep` is where the workflow keeps its [`Sweep`]; `page` runs the activity that makes a page.
///
/// # Errors
/// A page's problem, one with the input, or `CANCELLED`: what was started stays so.
pub async fn sweep<W, P>(
    ctx: &WorkflowContext<W>,
    input: SweepInput,
    sweep: fn(&mut W) -> &mut Sweep,
    page: impl Fn(PageInput) -> P,
) -> Result<SweepEnd, Problem>
where
    P: Future<Output = Result<PageResult, Problem>>,
{
    let as_of = input.as_of.unwrap_or_else(|| now(ctx));
    let limit = check(&input, as_of)?;
    let mut after = None;
    ctx.state_mut(|state| {
        let state = sweep(state);
        state.course.enter(Stage::Starting);
        if let Some(continued) = input.continued {
            after = Some(continued.after);
            state.details = continued.details;
        }
        state.details.as_of = Some(as_of);
    });
    let mut pages = 0;
    loop {
        stop_if_cancelled(ctx)?;
        let made = page(PageInput {
            as_of,
            after: after.take(),
            limit,
            task_queue: input.task_queue.clone(),
        });
        let made = made.await?;
        let details = ctx.state_mut(|state| {
            let details = &mut sweep(state).details;
            details.counts.add(made.tally);
            details.total = made.total.unwrap_or(details.total);
            details.clone()
        });
        pages += 1;
        let Some(next) = made.next else {
            return Ok(SweepEnd::Result(SweepResult {
                success: details.counts.failed == 0,
                as_of,
                counts: details.counts,
            }));
        };
        if pages >= PAGES_PER_RUN || ctx.continue_as_new_suggested() {
            return Ok(SweepEnd::Again(SweepInput {
                as_of: Some(as_of),
                page_size: input.page_size,
                task_queue: input.task_queue,
                continued: Some(Box::new(Continued {
                    after: next,
                    details,
                })),
            }));
        }
        after = Some(next);
    }
}

/// Refuses what no sweep can do; how many things a page has.
fn check(input: &SweepInput, as_of: DateTime<Utc>) -> Result<u32, InvalidInput> {
    let limit = input.page_size.unwrap_or(PAGE_SIZE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        let message = format!("pageSize: expected 1 to {LARGEST_PAGE}");
        return Err(InvalidInput::new(message));
    }
    // What the database can tell the time of, and a little less.
    if !(1..=9_999).contains(&as_of.year()) {
        let message = "asOf: expected a time in the years 1 to 9999";
        return Err(InvalidInput::new(message));
    }
    // What is started where nobody works would count as running for ever.
    let queue = input.task_queue.as_deref().unwrap_or(task_queue::DEFAULT);
    if !task_queue::ALL.contains(&queue) {
        let message = format!("taskQueue: expected one of {}", task_queue::ALL.join(", "));
        return Err(InvalidInput::new(message));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_tells_the_first_problems_and_counts_all() {
        let mut tally = Tally::default();
        for number in 0..50 {
            tally.count(Begun::Failed(format!("problem {number}")));
        }
        tally.count(Begun::Left(Some("one more".to_owned())));
        let mut all = tally.clone();
        all.add(tally.clone());
        assert_eq!((tally.failed, tally.considered), (50, 51));
        assert_eq!((all.failed, all.left, all.considered), (100, 2, 102));
        assert_eq!(tally.problems.len(), MOST_PROBLEMS);
        assert_eq!(all.problems, tally.problems);
        assert_eq!(tally.problems[0], "problem 0");
    }

    #[test]
    fn what_is_told_ran_already() {
        let mut tally = Tally::default();
        for begun in [
            Begun::Started,
            Begun::Running,
            Begun::Told,
            Begun::Left(None),
        ] {
            tally.count(begun);
        }
        let Tally {
            considered,
            started,
            running,
            told,
            left,
            failed,
            problems,
        } = tally;
        assert_eq!(
            (considered, started, running, told, left, failed),
            (4, 1, 2, 1, 1, 0)
        );
        assert!(problems.is_empty());
    }

    #[test]
    fn progress_never_passes_its_end() {
        let mut sweep = Sweep::default();
        sweep.details.total = 2;
        assert_eq!(sweep.progress().percent, 0);
        sweep.details.counts.considered = 3;
        assert_eq!(sweep.progress().percent, 100);
    }
}
