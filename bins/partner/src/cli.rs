//! The command line's shape and its help.

mod keys;
mod operate;
mod schedules;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use partner_api::cli::ApiArgs;
use partner_worker::cli::WorkerArgs;

pub(crate) use keys::{KeyCreateArgs, KeyRevokeArgs, KeysCommand};
pub(crate) use operate::{
    CancelArgs, ClientArgs, DecisionArgs, ListArgs, QueryArgs, ReviewCommand, ReviewListArgs,
    SignalArgs, TargetArgs, TerminateArgs, UpdateArgs,
};
pub(crate) use schedules::{
    BackfillArgs, ScheduleArgs, ScheduleNoteArgs, SchedulesApplyArgs, SchedulesCommand,
};

/// Runs, shows and operates the partner platform's business processes.
///
/// New here? `partner demo` sets everything up on this machine, sends sample traffic through it and
/// shows what happened.
#[derive(Debug, Parser)]
#[command(name = "partner", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed, or an expectation did not hold; 2 wrong usage or \
configuration; 130 interrupted.\nConfiguration: `partner config show` prints what is in effect and config/default.toml \
explains every key.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set the platform up, send sample traffic through it, show what happened, and stop it.
    ///
    /// Exits 0 only if every expectation held: what was charged, what is in stock, who was told what.
    Demo(DemoArgs),
    /// Run the whole platform in the foreground: Temporal, PostgreSQL, inbox, gateway, worker, API.
    Dev(DevArgs),
    /// Serve the HTTP API in the foreground, as `partner-api` does.
    Api(ApiArgs),
    /// Run a worker in the foreground, as `partner-worker` does.
    Worker(WorkerArgs),
    /// List everything that the worker offers, by wire name, with timeouts and retries.
    Catalog(CatalogArgs),
    /// Check or show the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at everything that a worker needs, and say what is wrong and what to do about it.
    ///
    /// Reads the worker's configuration. Exits 1 if something does not work; what is off, or a task
    /// queue that no worker polls, is only said.
    Doctor(ConfigFileArgs),
    /// Bring the database's schema up to date.
    ///
    /// Safe to run again and from several places at once.
    Migrate(ConfigFileArgs),
    /// Put the rows of a cleanup's backup back, and the files that they stand for.
    ///
    /// Safe to run again: what is there already is not touched. All of the backup is checked before
    /// the first row comes back. Exits 1 if another row has the key of one that was deleted.
    Restore(RestoreArgs),
    /// Start a workflow.
    Start(StartArgs),
    /// List workflows, the latest first.
    List(ListArgs),
    /// Show how a workflow stands, what it waits for and why that failed last.
    Describe(TargetArgs),
    /// Show what happened to a workflow, event by event.
    ///
    /// With --json, the whole history in the form that the Rust SDK replays.
    History(TargetArgs),
    /// Send a signal to a workflow that runs.
    Signal(SignalArgs),
    /// Ask a workflow, running or ended, a query; a worker must be up.
    Query(QueryArgs),
    /// Make an update of a workflow that runs, and print the answer; a refusal exits 1.
    Update(UpdateArgs),
    /// Review listings: what waits, and what is decided.
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Schedule recurring work: reports and cleanups.
    #[command(subcommand)]
    Schedules(SchedulesCommand),
    /// Keys for the HTTP API: make, list, revoke.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Ask a workflow to stop: it undoes what has to be undone, and ends.
    Cancel(CancelArgs),
    /// End a workflow at once: it undoes nothing. Cancel it instead, if it still answers.
    Terminate(TerminateArgs),
    /// Print what completes this command line in a shell.
    ///
    /// For bash: `source <(partner completions bash)`; for zsh and fish, write it to where they look for
    /// completions, such as ~/.config/fish/completions/partner.fish.
    Completions(CompletionsArgs),
    /// A worker that also runs the benchmark's floor.
    #[command(hide = true)]
    BenchWorker(WorkerArgs),
    /// Measure speed and cost of a workflow, beside what the engine itself costs.
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print Markdown: docs/catalogue.md.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFileArgs {
    /// A TOML file over the built-in defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup: the backupUrl of the cleanup's result, which is in its mail too.
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: String,
    /// A TOML file over the built-in defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Print one JSON document on standard output; progress goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave the platform up afterwards, and say where; Ctrl-C stops it.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Print the endpoints as one line of JSON when everything is ready.
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep all data here, for the next run; without it, it goes with the platform.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Temporal's gRPC port [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) temporal_port: Option<u16>,
    /// The port of Temporal's web UI [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) ui_port: Option<u16>,
    /// PostgreSQL's port [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) postgres_port: Option<u16>,
    /// The inbox's SMTP port [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) smtp_port: Option<u16>,
    /// The port of the inbox's web page [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) inbox_port: Option<u16>,
    /// The payment gateway's port [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) gateway_port: Option<u16>,
    /// The fulfilment service's port [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) fulfillment_port: Option<u16>,
    /// The push service's port [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) push_port: Option<u16>,
    /// The HTTP API's port [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) api_port: Option<u16>,
    /// The port of the worker's metrics [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) metrics_port: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the worker's configuration, and list every problem.
    Check(ConfigFileArgs),
    /// Print the configuration in effect, secrets masked.
    Show(ConfigFileArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The workflow type, such as processPaymentWorkflow; `partner catalog` lists them.
    #[arg(value_name = "WORKFLOW_TYPE")]
    pub(crate) workflow: String,
    /// The input: JSON, or @FILE that holds it.
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) input: String,
    /// The workflow id [default: the contract's, from the input, such as payment-{orderId}]
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Wait for the end, and print the result; a failed workflow exits 1.
    #[arg(long)]
    pub(crate) wait: bool,
    /// A TOML file over the built-in defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The workflow to measure.
    #[arg(long, default_value = "processPaymentWorkflow", value_parser = ["processPaymentWorkflow"])]
    pub(crate) workflow: String,
    /// How many to run.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// How many at once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) concurrency: u32,
    /// Measure the worker's memory instead while so many listings wait for their review.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) waiting: Option<u32>,
    /// Measure a cleanup of so many rows instead, beside the same deletes in plain SQL.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "waiting")]
    pub(crate) cleanup: Option<u32>,
    /// How many rows one statement of that deletes.
    #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Measure a report of so many orders instead.
    #[arg(long, value_name = "ORDERS", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["waiting", "cleanup"])]
    pub(crate) report: Option<u32>,
    /// Measure the sweep over so many subscriptions that are due instead.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["waiting", "cleanup", "report"])]
    pub(crate) due: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
