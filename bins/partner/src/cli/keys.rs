//! The commands for API keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigFileArgs;

/// Keys for the HTTP API.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, and print it: this is the only time that anybody sees it.
    Create(KeyCreateArgs),
    /// List the keys that there are, without their secrets.
    List(ConfigFileArgs),
    /// Take a key back: it stops working at once. Safe to run again.
    Revoke(KeyRevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeyCreateArgs {
    /// Whose it is, or what it is for.
    #[arg(long)]
    pub(crate) name: String,
    /// What it may; several times for several scopes. `admin` may everything.
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = ["read", "write", "review", "admin"])]
    pub(crate) scopes: Vec<String>,
    /// The user whose things are all that it sees and starts; everyone's without one.
    #[arg(long, value_name = "USER_ID")]
    pub(crate) user: Option<String>,
    /// After how many days it stops working; never without it.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) expires_in_days: Option<u32>,
    /// A TOML file over the built-in defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRevokeArgs {
    /// The key's id, as `partner keys list` shows it: what stands between `ppk_` and the next `_`.
    #[arg(value_name = "KEY_ID")]
    pub(crate) id: String,
    /// A TOML file over the built-in defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
