//! Everything that touches the user's repository: saving working trees, working trees of its own for attempts,
//! integrating what they made, checkpoints, and noticing who else changed something.
//!
//! What holds throughout: git's index, HEAD, stash, branches and configuration are read and never written, no hook
//! and no filter runs, and no `git` program is needed; only `branch`, for who asked for commits, moves the user's
//! branch, with what is staged of it. What specter keeps are objects and references below `refs/specter/`. Contents
//! are stored byte for byte as they are on disk (no line end or LFS conversion), so that what comes back is what was
//! there. Nothing is removed or overwritten before its content is reachable from such a reference: removal takes a
//! [`Saved`], which only saving makes.
//!
//! Knows nothing of plans, journals and processes: whoever calls says which run, task and attempt it is about.

mod branch;
mod carry;
mod checkout;
mod disk;
mod error;
mod escape;
mod expire;
mod integrate;
mod intent;
mod merge;
mod moving;
mod names;
mod owner;
mod preview;
mod renames;
mod repo;
mod restore;
mod rules;
mod save;
mod show;
mod staging;
mod state;
mod steps;
mod tree;
mod walk;
mod worktree;

pub use branch::{
    Committing, FoundCommit, Made, NewCommit, Pending, PutOff, Uncommitted, is_tag_name, stops_commits,
};
pub use carry::{Carried, Carry, How};
pub use error::Error;
pub use escape::{Change, Fingerprint};
pub use expire::Expirable;
pub use git2::Oid;
pub use integrate::{Finished, Integrated, Outcome, Rules};
pub use merge::{Conflict, ConflictKind, Hunk};
pub use names::{Attempt, Run};
pub use owner::Owner;
pub use preview::{Brought, Preview};
pub use repo::{Git, dirs_of, root_of};
pub use restore::{Checkpoint, Restored};
pub use save::{Limits, Saved};
pub use show::{FileChange, How as Changed, Kept, Unmatched, WrittenOut, keeps_anything};
pub use state::{Finding, State, probe};
pub use steps::Steps;
pub use tree::{Entry, Kind};
pub use walk::{LeftOut, Why};
pub use worktree::{Pool, Removal, Worktree, room};
