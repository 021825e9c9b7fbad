//! The commands for workflows that were started.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// How Temporal is reached, and how the answer looks.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// A TOML file over the built-in defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this type, such as processPaymentWorkflow.
    #[arg(long = "type", value_name = "WORKFLOW_TYPE")]
    pub(crate) workflow_type: Option<String>,
    /// Only those that stand so.
    #[arg(long, value_parser = [
        "running", "completed", "failed", "cancelled", "terminated", "continued_as_new", "timed_out", "paused",
    ])]
    pub(crate) status: Option<String>,
    /// Only those whose id begins so, such as payment-.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) id: Option<String>,
    /// A condition in Temporal's list filter language, such as
    /// `StartTime > "2026-11-28T00:00:00Z"`.
    #[arg(long)]
    pub(crate) query: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The workflow's id, such as payment-order-1; `partner list` shows them.
    #[arg(value_name = "WORKFLOW_ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// The workflow's id.
    #[arg(value_name = "WORKFLOW_ID")]
    pub(crate) id: String,
    /// The signal, such as cancelPayment; `partner catalog` lists them.
    pub(crate) signal: String,
    /// What it carries, if it carries something: JSON, or @FILE that holds it.
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) input: Option<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The workflow's id.
    #[arg(value_name = "WORKFLOW_ID")]
    pub(crate) id: String,
    /// The query: every workflow answers getStatus, getProgress and getDetails.
    pub(crate) query: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// The workflow's id.
    #[arg(value_name = "WORKFLOW_ID")]
    pub(crate) id: String,
    /// The update, such as decide; `partner catalog` lists them.
    pub(crate) update: String,
    /// What it carries: JSON, or @FILE that holds it.
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) input: Option<String>,
    /// An id of your own: the same one is made once, however often it is sent.
    #[arg(long, value_name = "ID")]
    pub(crate) update_id: Option<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The workflow's id.
    #[arg(value_name = "WORKFLOW_ID")]
    pub(crate) id: String,
    /// Why; the workflow's history keeps it.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TerminateArgs {
    /// The workflow's id.
    #[arg(value_name = "WORKFLOW_ID")]
    pub(crate) id: String,
    /// Why; the workflow's history keeps it. Somebody will have to put right what it leaves undone.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// What a person does about listings that are under review.
#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// List the reviews that wait for a decision, the most urgent first.
    List(ReviewListArgs),
    /// Approve a listing: it goes live, and its owner is told.
    Approve(DecisionArgs),
    /// Reject a listing, and tell its owner.
    Reject(DecisionArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReviewListArgs {
    /// How many at most, of those that were started last.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DecisionArgs {
    /// The listing.
    #[arg(value_name = "LISTING_ID")]
    pub(crate) listing: String,
    /// Who decides; it is put on record.
    #[arg(long, value_name = "USER_ID")]
    pub(crate) reviewer: String,
    /// What the owner is told.
    #[arg(long)]
    pub(crate) comment: Option<String>,
    /// The version that was looked at: if there is a newer one by now, nothing is decided.
    #[arg(long = "listing-version", value_name = "VERSION")]
    pub(crate) version: Option<i32>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
