//! Arguments of the commands over what is kept: checkpoints, going back, what attempts left.

use super::Format;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Clone, Debug, Default, Args)]
pub struct Checkpoints {
    /// The task file, its directory, or a feature's id
    pub target: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Rollback {
    /// The task file, its directory, or a feature's id
    pub target: Option<PathBuf>,
    /// The state right after `T005`, right before `phase:2`, or of a name that `specter checkpoints` lists
    #[arg(long, value_name = "T005|phase:2|NAME")]
    pub to: String,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Recover {
    #[command(subcommand)]
    pub what: Option<RecoverWhat>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Debug, Subcommand)]
pub enum RecoverWhat {
    /// List everything that is kept; what a killed run left is saved first
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show what an attempt changed
    Show {
        /// `T012`, `T012/2`, `RUN/T012/2`, or a reference
        attempt: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print what an attempt changed as a patch
    Diff {
        /// `T012`, `T012/2`, `RUN/T012/2`, or a reference
        attempt: String,
        /// Only these files or directories
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Bring back what an attempt changed, or single files of it; what is there is saved first
    Restore(Restore),
    /// Integrate an attempt that waits for review, and count its task as done; its checks are not run again
    Accept {
        /// `T012`, `T012/2`, `RUN/T012/2`, or a reference
        attempt: String,
    },
}

#[derive(Clone, Debug, Default, Args)]
pub struct Restore {
    /// `T012`, `T012/2`, `RUN/T012/2`, or a reference
    pub attempt: String,
    /// Only these files or directories
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write them into this directory instead of the project
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}
