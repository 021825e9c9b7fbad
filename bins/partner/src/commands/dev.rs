//! `partner dev`.

use std::process::ExitCode;

use futures::future::{Either, select};
use partner_local::platform::{PlatformOptions, PlatformPorts};
use partner_local::progress::Progress;
use partner_local::service_process::{ApiProcess, WorkerProcess};

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
    let (json, api_port) = (args.json, args.api_port);
    let options = options(args);
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
    let api = Box::pin(running.start_api(api_port, &progress));
    let Some(started) = or_interrupted(api).await? else {
        running.stop().await?;
        return Ok(ExitCode::SUCCESS);
    };
    let (mut api, endpoint) = started?;
    let endpoints = running.endpoints().with_api(endpoint);
    if json {
        output::json(&endpoints)?;
    } else {
        output::line(format!(
            "The platform is ready. Ctrl-C stops it.\n{}",
            endpoints.lines()
        ));
    }
    let ended = or_interrupted(first_to_end(&mut running.worker, &mut api)).await?;
    let last_words = ended.transpose()?.map(|which| match which {
        Which::Worker => ("the worker", running.worker.log_tail()),
        Which::Api => ("the API", api.log_tail()),
    });
    let step = progress.step("stopping");
    api.stop().await?;
    running.stop().await?;
    step.done();
    match last_words {
        None => Ok(ExitCode::SUCCESS),
        Some((name, log)) => Err(anyhow::anyhow!(
            "{name} ended by itself; its last words:\n{log}"
        )),
    }
}

/// What to start, and where.
fn options(args: DevArgs) -> PlatformOptions {
    PlatformOptions {
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
    }
}

/// A process of the platform.
enum Which {
    Worker,
    Api,
}

/// Waits for as long as both run.
async fn first_to_end(worker: &mut WorkerProcess, api: &mut ApiProcess) -> anyhow::Result<Which> {
    let (worker, api) = (std::pin::pin!(worker.ended()), std::pin::pin!(api.ended()));
    match select(worker, api).await {
        Either::Left((ended, _)) => ended.map(|()| Which::Worker),
        Either::Right((ended, _)) => ended.map(|()| Which::Api),
    }
    .map_err(Into::into)
}
