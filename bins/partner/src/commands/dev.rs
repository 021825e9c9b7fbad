//! `partner dev`.

use std::process::ExitCode;

use partner_local::platform::{PlatformOptions, PlatformPorts};
use partner_local::progress::Progress;

use crate::cli::DevArgs;
use crate::interrupt::or_interrupted;
use crate::output;
use crate::platform::{Running, external};

/// Runs the platform until Ctrl-C or SIGTERM, or until its worker ends.
pub(crate) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::stderr();
    let environment = args.metrics_port.map(|port| {
        (
            "PARTNER__WORKER__METRICS_ADDRESS".to_owned(),
            format!("127.0.0.1:{port}"),
        )
    });
    let options = PlatformOptions {
        ui: true,
        ports: PlatformPorts {
            temporal: args.temporal_port,
            temporal_ui: args.ui_port,
            postgres: args.postgres_port,
            smtp: args.smtp_port,
            inbox: args.inbox_port,
            gateway: args.gateway_port,
            fulfillment: args.fulfillment_port,
            push: args.push_port,
        },
        data_dir: args.data_dir,
        ..external()
    };
    let started = or_interrupted(Running::start(
        options,
        environment.into_iter().collect(),
        &progress,
    ))
    .await?;
    let Some(running) = started else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut running = running?;
    let endpoints = running.endpoints();
    if args.json {
        output::json(&endpoints)?;
    } else {
        output::line(format!(
            "The platform is ready. Ctrl-C stops it.\n{}",
            endpoints.lines()
        ));
    }
    let ended = or_interrupted(running.worker.ended()).await?;
    let log = ended.is_some().then(|| running.worker.log_tail());
    let step = progress.step("stopping");
    running.stop().await?;
    step.done();
    match log {
        None => Ok(ExitCode::SUCCESS),
        Some(log) => Err(anyhow::anyhow!(
            "the worker ended by itself; its last words:\n{log}"
        )),
    }
}
