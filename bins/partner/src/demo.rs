//! `partner demo`: sample traffic through the real thing, and a check of every expectation.

mod cleanups;
mod listings;
mod notifications;
mod onboarding;
mod payments;
mod reminders;
mod report;
mod reports;
mod stage;
mod subscriptions;
mod sweeps;

use std::process::ExitCode;

use futures::try_join;
use partner_local::platform::PlatformOptions;
use partner_local::progress::Progress;
use partner_local::shop::Shop;

use crate::cli::DemoArgs;
use crate::interrupt::{INTERRUPTED, interrupted, or_interrupted};
use crate::output;
use crate::platform::{Running, external};

use report::{Report, Rows};
use stage::Stage;

/// Short, so that the row in which the gateway is slow does not take half a minute.
const GATEWAY_TIMEOUT: &str = "2s";

/// Sets everything up, runs the traffic, prints what happened, and stops everything.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::stderr();
    let environment = vec![
        (
            "PARTNER__GATEWAY__TIMEOUT".to_owned(),
            GATEWAY_TIMEOUT.to_owned(),
        ),
        ("PARTNER__LOG__FILTER".to_owned(), "warn".to_owned()),
    ];
    let options = PlatformOptions {
        ui: args.keep,
        // The demo counts money and stock: it takes a database of its own.
        database_url: None,
        ..external()
    };
    let started = or_interrupted(Running::start(options, environment, &progress)).await?;
    let Some(running) = started else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let running = running?;
    // Boxed: all the stories together are too large for every caller's stack.
    let played = Box::pin(or_interrupted(play(&running, &progress))).await?;
    if let Some(Ok(report)) = &played {
        if args.json {
            output::json(report)?;
        } else {
            output::line(report.text());
        }
        if args.keep {
            output::note(format!(
                "The platform stays up. Ctrl-C stops it.\n{}",
                running.endpoints().lines()
            ));
            interrupted().await?;
        }
    }
    let step = progress.step("stopping");
    running.stop().await?;
    step.done();
    let Some(report) = played else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    Ok(if report?.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn play(running: &Running, progress: &Progress) -> anyhow::Result<Report> {
    let shop = Shop::connect(&running.platform.database_url).await?;
    let step = progress.step("sending traffic through the platform");
    let stage = Stage {
        platform: &running.platform,
        client: running.client().await?,
        shop,
    };
    payments::prepare(&stage).await?;
    listings::prepare(&stage).await?;
    let (
        payments,
        notifications,
        onboardings,
        subscriptions,
        approvals,
        expirations,
        reports,
        cleanups,
        reminders,
        sweeps,
    ) = try_join!(
        payments::all(&stage),
        notifications::all(&stage),
        onboarding::all(&stage),
        subscriptions::all(&stage),
        listings::approvals(&stage),
        listings::expirations(&stage),
        reports::all(&stage),
        cleanups::all(&stage),
        reminders::all(&stage),
        sweeps::all(&stage),
    )?;
    let rows = Rows {
        payments,
        notifications,
        onboardings,
        subscriptions,
        approvals,
        expirations,
        reports,
        cleanups,
        reminders,
        sweeps,
    };
    let report = Report::new(&stage, rows).await?;
    step.done();
    Ok(report)
}
