//! Arguments of the commands that look at a task file or at a run, and of the one that answers what is seen there.

use super::{Format, Shape};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Clone, Debug, Default, Args)]
pub struct Check {
    /// Task files or their directories
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Explain a finding by its code
    #[arg(long, value_name = "CODE", conflicts_with = "files")]
    pub explain: Option<String>,
    /// One line per file: tasks, ignored lines, errors, warnings
    #[arg(long)]
    pub table: bool,
    /// Warnings are errors
    #[arg(long)]
    pub strict: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
}

#[derive(Clone, Debug, Args)]
pub struct Why {
    /// The task's id
    pub task: String,
    /// The task file, its directory, or a feature's id
    pub target: Option<PathBuf>,
    #[command(flatten)]
    pub shape: Shape,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Status {
    /// The task file, its directory, or a feature's id
    pub target: Option<PathBuf>,
    /// Show it again whenever it changes, until the run ends
    #[arg(long)]
    pub watch: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Log {
    /// Show the output of this task's attempts instead of the run's log
    pub task: Option<String>,
    /// Only this attempt
    #[arg(long, value_name = "N", requires = "task")]
    pub attempt: Option<u32>,
    /// The task file, its directory, or a feature's id
    #[arg(long, value_name = "TARGET")]
    pub target: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Answer {
    /// The task whose agent asks; without one, all questions are listed
    pub task: Option<String>,
    /// What it is to do; without it, its question is shown
    pub answer: Option<String>,
    /// The task file, its directory, or a feature's id
    #[arg(long, value_name = "TARGET")]
    pub target: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    #[default]
    Text,
    Json,
    Sarif,
}
