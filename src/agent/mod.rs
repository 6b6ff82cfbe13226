//! Coding agents, without any process: how each is called ([`preset`]), what its output says ([`dialect`], [`told`],
//! [`fold`]), how it is spoken with by the Agent Client Protocol ([`acp`]) and what its end means ([`judge()`]). Pure: whoever starts agents hands in what they printed.
//!
//! Facts about real agents are data: `presets/*.toml` for how they are called, one file per output format below
//! `dialect`, one table of messages below `judge`.

pub mod acp;
pub mod dialect;
pub mod fold;
pub mod judge;
pub mod preset;
pub mod reset;
pub mod told;

pub use dialect::{Dialect, Events, Reader};
pub use fold::{Account, Step};
pub use judge::{Cause, Ended, Ending, Failure, Question, Then, Work, judge};
pub use preset::{
    Call, CommandLine, Permission, Preset, Presets, PromptBy, Protocol, Session, SoftStop, Wrong,
};
pub use reset::{Clock, Reset};
pub use told::{AgentError, PlanItem, PlanState, StepKind, StopReason, Told, Usage, UsageScope};
