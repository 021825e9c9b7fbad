//! What a worker offers, by wire name: for `partner catalog`, the documentation and the tests.

use serde::Serialize;

use crate::activity_options::ActivityPolicy;
use crate::task_queue;

/// What a wire name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A process that a client starts.
    Workflow,
    /// A message to a running workflow.
    Signal,
    /// A question to a workflow.
    Query,
    /// A request to a running workflow that is answered.
    Update,
    /// A step that a workflow has done.
    Activity,
}

/// How an activity is run by this platform's workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Execution {
    /// Through the task queue, on any worker.
    Remote,
    /// In the worker that runs the workflow, without a round trip.
    Local,
}

/// A wire name and what applies to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogEntry {
    /// What it stands for.
    pub kind: Kind,
    /// The wire name.
    pub name: &'static str,
    /// The workflow that understands it (signals, queries, updates).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<&'static str>,
    /// The task queue that it is served from.
    pub task_queue: &'static str,
    /// How it is run (activities).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
    /// Timeouts and retries (activities).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<ActivityPolicy>,
}

impl CatalogEntry {
    const fn new(kind: Kind, name: &'static str) -> Self {
        Self {
            kind,
            name,
            on: None,
            task_queue: task_queue::DEFAULT,
            execution: None,
            policy: None,
        }
    }

    /// A workflow with its signals, and the queries that every workflow answers.
    pub fn workflow(name: &'static str, signals: &[&'static str]) -> Vec<Self> {
        let signals = signals.iter().map(|signal| Self::signal(signal, name));
        let queries = ["getStatus", "getProgress", "getDetails"];
        let queries = queries.iter().map(|query| Self::query(query, name));
        let workflow = Self::new(Kind::Workflow, name);
        std::iter::once(workflow)
            .chain(signals)
            .chain(queries)
            .collect()
    }

    /// A signal of a workflow.
    pub const fn signal(name: &'static str, on: &'static str) -> Self {
        Self {
            on: Some(on),
            ..Self::new(Kind::Signal, name)
        }
    }

    /// A query of a workflow.
    pub const fn query(name: &'static str, on: &'static str) -> Self {
        Self {
            on: Some(on),
            ..Self::new(Kind::Query, name)
        }
    }

    /// An update of a workflow.
    pub const fn update(name: &'static str, on: &'static str) -> Self {
        Self {
            on: Some(on),
            ..Self::new(Kind::Update, name)
        }
    }

    /// An activity that runs through the task queue.
    pub const fn activity(name: &'static str, policy: ActivityPolicy) -> Self {
        Self {
            execution: Some(Execution::Remote),
            policy: Some(policy),
            ..Self::new(Kind::Activity, name)
        }
    }

    /// An activity that runs in the workflow's own worker.
    pub const fn local_activity(name: &'static str, policy: ActivityPolicy) -> Self {
        Self {
            execution: Some(Execution::Local),
            policy: Some(policy),
            ..Self::new(Kind::Activity, name)
        }
    }
}

/// What a domain, or the whole worker, offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Catalog {
    /// Every name.
    pub entries: Vec<CatalogEntry>,
}

impl Catalog {
    /// The catalogues of several domains as one, sorted by kind, workflow and name.
    pub fn merge(catalogs: impl IntoIterator<Item = Self>) -> Self {
        let mut entries: Vec<_> = catalogs
            .into_iter()
            .flat_map(|catalog| catalog.entries)
            .collect();
        entries.sort_by_key(|entry| (entry.kind, entry.on, entry.name));
        Self { entries }
    }

    /// The names of one kind, sorted and without repetition.
    pub fn names(&self, kind: Kind) -> Vec<&'static str> {
        let mut names: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.kind == kind)
            .map(|entry| entry.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
