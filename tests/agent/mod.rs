//! Agents by what they really printed: runs recorded from the real programs (`recorded/AGENT/CASE.{out,err,code}`), and
//! messages that people reported (`messages.toml`).

mod messages;
mod recorded;
