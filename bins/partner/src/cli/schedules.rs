//! The commands for recurring work.

use clap::{Args, Subcommand};

use super::operate::ClientArgs;

/// Recurring work: reports and cleanups.
#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesCommand {
    /// Make the Temporal service have the schedules that the configuration asks for.
    ///
    /// Safe to run with every deployment: a schedule that was paused stays paused.
    Apply(SchedulesApplyArgs),
    /// List the schedules that there are.
    List(ClientArgs),
    /// Let a schedule start nothing until it is resumed.
    Pause(ScheduleNoteArgs),
    /// Let a paused schedule go on.
    Resume(ScheduleNoteArgs),
    /// Start now what a schedule starts, unless it runs already.
    Trigger(ScheduleArgs),
    /// Make up for the times between two moments, one after the other.
    Backfill(BackfillArgs),
    /// Delete a schedule; what it has started goes on.
    Delete(ScheduleArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SchedulesApplyArgs {
    /// Delete the schedules of this platform that the configuration does not have any more.
    #[arg(long)]
    pub(crate) prune: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// The schedule, such as partner-daily-report-sales; `partner schedules list` shows them.
    #[arg(value_name = "SCHEDULE_ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleNoteArgs {
    /// The schedule, such as partner-daily-report-sales; `partner schedules list` shows them.
    #[arg(value_name = "SCHEDULE_ID")]
    pub(crate) id: String,
    /// Why; the schedule keeps it as its note.
    #[arg(long, default_value = "by an operator")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackfillArgs {
    /// The schedule, such as partner-daily-report-sales; `partner schedules list` shows them.
    #[arg(value_name = "SCHEDULE_ID")]
    pub(crate) id: String,
    /// The first moment, such as 2026-11-27T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: String,
    /// The last moment.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
