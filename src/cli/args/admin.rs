//! Arguments of the commands that look after machine, configuration and consent.

use super::Format;
use clap::Args;
use std::path::PathBuf;

#[derive(Clone, Debug, Default, Args)]
pub struct Agents {
    /// Only these agents
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Doctor {
    /// The task file, its directory, or a feature's id
    pub target: Option<PathBuf>,
    /// Remove idle working trees that are not needed; without it they are listed
    #[arg(long)]
    pub clean: bool,
    /// Ask each installed coding agent a question of one line, which costs a few tokens
    #[arg(long)]
    pub agents: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Print the JSON Schema of configuration files
    #[arg(long)]
    pub schema: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub struct TrustArgs {
    /// The task file, its directory, or a feature's id
    pub target: Option<PathBuf>,
    /// List the projects with agreed commands
    #[arg(long, conflicts_with_all = ["revoke", "hash", "target"])]
    pub list: bool,
    /// Forget what was agreed to for this project
    #[arg(long, conflicts_with = "hash")]
    pub revoke: bool,
    /// Show the commands and their hash; agree to nothing
    #[arg(long)]
    pub hash: bool,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Init {
    /// Also write a small example tasks.md if there is none
    #[arg(long)]
    pub example: bool,
}
