//! Snapshots of everything a person sees. The plans and events are made by hand, so that no other part is tested here.

mod diagnostics;
mod reports;
mod sarif;
mod screen;
mod support;
