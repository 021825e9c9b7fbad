//! `partner bench`: speed and cost of a workflow, beside the floor: what the engine itself costs.

mod cleanup;
mod daily_report;
mod due;
mod floor;
mod load;
mod process;
mod report;
mod steps;
mod waiting;

use std::process::ExitCode;

use partner_core::client::ProcessClient;
use partner_local::platform::PlatformOptions;
use partner_local::progress::Progress;
use partner_local::shop::{NewOrder, Shop};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use floor::register as register_floor;

use crate::cli::BenchArgs;
use crate::interrupt::{INTERRUPTED, or_interrupted};
use crate::output;
use crate::platform::{Running, external};

use load::{Load, Measured};
use process::Usage;
use report::Report;

/// Run before each measurement, so that pools, caches and pollers are warm.
const WARM_UP: u32 = 20;

/// Articles that the orders are spread over, as in a shop.
const ARTICLES: u32 = 100;

/// Measures, prints, and stops everything.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let progress = Progress::stderr();
    let environment = vec![("PARTNER__LOG__FILTER".to_owned(), "error".to_owned())];
    // It fills tables: it takes a database of its own.
    let options = PlatformOptions {
        database_url: None,
        ..external()
    };
    let started = or_interrupted(Running::start_as(
        "bench-worker",
        options,
        environment,
        &progress,
    ))
    .await?;
    let Some(running) = started else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let running = running?;
    let printed = or_interrupted(print(&running, &args, &progress)).await?;
    running.stop().await?;
    match printed {
        None => Ok(ExitCode::from(INTERRUPTED)),
        Some(printed) => printed.map(|()| ExitCode::SUCCESS),
    }
}

/// Measures what was asked for, and prints it.
async fn print(running: &Running, args: &BenchArgs, progress: &Progress) -> anyhow::Result<()> {
    if let Some(count) = args.waiting {
        let report = waiting::measure(running, count, args.concurrency, progress).await?;
        return show(args.json, &report, waiting::Report::text);
    }
    if let Some(rows) = args.cleanup {
        let report = cleanup::measure(running, rows, args.batch, progress).await?;
        return show(args.json, &report, cleanup::Report::text);
    }
    if let Some(count) = args.due {
        let report = due::measure(running, count, progress).await?;
        return show(args.json, &report, due::Report::text);
    }
    if let Some(orders) = args.report {
        let report = daily_report::measure(running, orders, progress).await?;
        return show(args.json, &report, daily_report::Report::text);
    }
    let report = measure(running, args, progress).await?;
    show(args.json, &report, Report::text)
}

fn show<T: Serialize>(
    as_json: bool,
    report: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    if as_json {
        output::json(report)
    } else {
        output::line(text(report));
        Ok(())
    }
}

async fn measure(
    running: &Running,
    args: &BenchArgs,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let client = running.client().await?;
    let pid = running.worker.ready.pid;
    let step = progress.step(format!("placing {} orders", args.count + WARM_UP));
    place_orders(
        &Shop::connect(&running.platform.database_url).await?,
        args.count + WARM_UP,
    )
    .await?;
    step.done();
    let floor = phase(
        &client,
        floor::WORKFLOW,
        pid,
        args,
        progress,
        |number| json!({ "number": number }),
    )
    .await?;
    let workflow = phase(&client, &args.workflow, pid, args, progress, payment_input).await?;
    Ok(Report::new(args, workflow, floor))
}

async fn phase(
    client: &ProcessClient,
    workflow: &str,
    pid: u32,
    args: &BenchArgs,
    progress: &Progress,
    input: fn(u32) -> Value,
) -> anyhow::Result<Measured> {
    let load = Load {
        client,
        workflow,
        input,
    };
    let step = progress.step(format!(
        "running {} x {workflow}, {} at once",
        args.count, args.concurrency
    ));
    load.run(args.count..args.count + WARM_UP, args.concurrency)
        .await?;
    let before = Usage::of(pid)?;
    let timed = load.run(0..args.count, args.concurrency).await?;
    let used = Usage::of(pid)?;
    let cost = load.cost(0..args.count.min(10)).await?;
    step.done();
    Ok(Measured::new(timed, before, used, cost))
}

fn order_id(number: u32) -> String {
    format!("bench-{number}")
}

fn payment_input(number: u32) -> Value {
    json!({
        "orderId": order_id(number),
        "userId": "bench-user",
        "amount": 49.99,
        "currency": "USD",
        "paymentMethod": "card",
    })
}

async fn place_orders(shop: &Shop, count: u32) -> anyhow::Result<()> {
    shop.add_user("bench-user", "bench@example.com", "Bench")
        .await?;
    for article in 0..ARTICLES {
        shop.add_stock(&format!("bench-{article}"), i32::try_from(count)?)
            .await?;
    }
    for number in 0..count {
        shop.place(&NewOrder {
            id: &order_id(number),
            user_id: "bench-user",
            amount_minor: 4_999,
            currency: "USD",
            sku: &format!("bench-{}", number % ARTICLES),
            quantity: 1,
        })
        .await?;
    }
    Ok(())
}
