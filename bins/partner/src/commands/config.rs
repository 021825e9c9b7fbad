//! `partner config check` and `partner config show`.

use std::process::ExitCode;

use partner_core::config::{ConfigSources, Purpose, load};

use crate::cli::ConfigFileArgs;
use crate::output;

/// Says whether a worker could run with this configuration, and lists every problem if not.
pub(crate) fn check(args: ConfigFileArgs) -> anyhow::Result<ExitCode> {
    let sources = ConfigSources::from_process(args.config, "production");
    match load(&sources, Purpose::Worker) {
        Ok(_) if args.json => output::json(&serde_json::json!({ "valid": true, "problems": [] }))?,
        Ok(_) => output::line("the configuration is valid"),
        Err(error) if args.json => {
            output::json(&serde_json::json!({ "valid": false, "problems": error.problems }))?;
            return Ok(ExitCode::from(2));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the configuration in effect, as JSON or as `key = value`.
pub(crate) fn show(args: ConfigFileArgs) -> anyhow::Result<ExitCode> {
    let sources = ConfigSources::from_process(args.config, "production");
    let shown = load(&sources, Purpose::Client)?.masked;
    if args.json {
        output::json(&shown)?;
    } else {
        print(&shown, "");
    }
    Ok(ExitCode::SUCCESS)
}

fn print(value: &serde_json::Value, key: &str) {
    match value {
        serde_json::Value::Object(section) => {
            for (name, value) in section {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                print(value, &key);
            }
        }
        value => output::line(format!("{key} = {value}")),
    }
}
