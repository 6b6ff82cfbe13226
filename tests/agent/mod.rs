//! Agents by what they really printed: runs recorded from the real programs (`recorded/AGENT/CASE.{out,err,code}`), and
//! (`recorded_acp/AGENT/CASE.ndjson` by the Agent Client Protocol) and messages that people reported (`messages.toml`).

mod messages;
mod recorded;
mod recorded_acp;
