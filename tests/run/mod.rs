//! Whole runs of the real binary: scenarios, examples, corpus files, kills, signals.

mod agents;
mod agents_acp;
mod apart;
mod bad_input;
mod commits;
mod corpus;
mod durability;
mod edits;
mod examples;
mod grounds;
mod histories;
mod hooks;
mod hostile_output;
mod hostile_repos;
mod jobserver;
mod kill;
mod landlock;
mod night;
mod observed;
mod real_agents;
mod rollbacks;
pub(crate) mod sandbox;
mod scale;
mod scenarios;
mod secrets;
mod signals;
mod worktrees;
