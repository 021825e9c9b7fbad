//! `partner doctor`.

use std::process::ExitCode;

use partner_core::config::{ConfigSources, Purpose, load};
use partner_worker::doctor::{Finding, State, examine};
use serde_json::json;

use crate::cli::ConfigFileArgs;
use crate::output;

/// Looks at everything that a worker needs, and says what is wrong and what to do.
pub(crate) async fn run(args: ConfigFileArgs) -> anyhow::Result<ExitCode> {
    let sources = ConfigSources::from_process(args.config, "production");
    let config = load(&sources, Purpose::Worker)?.config;
    let findings = examine(&config).await;
    let healthy = findings
        .iter()
        .all(|finding| finding.state != State::Failed);
    if args.json {
        output::json(&json!({ "healthy": healthy, "findings": findings }))?;
    } else {
        let header = ["DEPENDENCY", "STATE", "MS", "FOUND"];
        output::line(output::table(header, findings.iter().map(row)));
        for finding in &findings {
            if let Some(remedy) = finding.remedy {
                output::line(format!("{}: {remedy}", finding.dependency));
            }
        }
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn row(finding: &Finding) -> [String; 4] {
    [
        finding.dependency.to_owned(),
        finding.state.as_str().to_owned(),
        finding.milliseconds.to_string(),
        finding.detail.clone(),
    ]
}
