//! The commands, one file each where one has more to it than a call.

mod catalog;
mod client;
mod completions;
mod config;
mod describe;
mod dev;
mod doctor;
mod history;
mod keys;
mod list;
mod message;
mod migrate;
mod restore;
mod review;
mod schedules;
mod start;
mod stop;

use std::process::ExitCode;

use partner_core::config::ConfigError;
use partner_core::error::chain;

use crate::cli::{Cli, Command, ConfigCommand, KeysCommand, ReviewCommand, SchedulesCommand};
use crate::{bench, demo, output};

/// Runs a command and turns whatever comes of it into an exit code.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Api(args) => return partner_api::cli::main(args).await,
        Command::Worker(args) => return partner_worker::cli::main(args).await,
        Command::BenchWorker(args) => {
            return partner_worker::cli::main_with(args, bench::register_floor).await;
        }
        Command::Demo(args) => demo::run(args).await,
        Command::Dev(args) => dev::run(args).await,
        Command::Catalog(args) => catalog::run(&args),
        Command::Config(ConfigCommand::Check(args)) => config::check(args),
        Command::Config(ConfigCommand::Show(args)) => config::show(args),
        Command::Doctor(args) => doctor::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Restore(args) => restore::run(args).await,
        Command::Start(args) => start::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Describe(args) => describe::run(args).await,
        Command::History(args) => history::run(args).await,
        Command::Signal(args) => message::signal(args).await,
        Command::Query(args) => message::query(args).await,
        Command::Update(args) => message::update(args).await,
        Command::Review(ReviewCommand::List(args)) => review::list(args).await,
        Command::Review(ReviewCommand::Approve(args)) => review::decide("approve", args).await,
        Command::Review(ReviewCommand::Reject(args)) => review::decide("reject", args).await,
        Command::Schedules(command) => match command {
            SchedulesCommand::Apply(args) => schedules::apply(args).await,
            SchedulesCommand::List(args) => schedules::list(args).await,
            SchedulesCommand::Pause(args) => schedules::pause(args).await,
            SchedulesCommand::Resume(args) => schedules::resume(args).await,
            SchedulesCommand::Trigger(args) => schedules::trigger(args).await,
            SchedulesCommand::Backfill(args) => schedules::backfill(args).await,
            SchedulesCommand::Delete(args) => schedules::delete(args).await,
        },
        Command::Keys(KeysCommand::Create(args)) => keys::create(args).await,
        Command::Keys(KeysCommand::List(args)) => keys::list(args).await,
        Command::Keys(KeysCommand::Revoke(args)) => keys::revoke(args).await,
        Command::Completions(args) => completions::run(&args),
        Command::Cancel(args) => stop::cancel(args).await,
        Command::Terminate(args) => stop::terminate(args).await,
        Command::Bench(args) => bench::run(args).await,
    };
    result.unwrap_or_else(|error| {
        output::note(format!("error: {}", chain(error.as_ref())));
        if error.is::<ConfigError>() || error.is::<Usage>() {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    })
}

/// The command was called wrongly.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
