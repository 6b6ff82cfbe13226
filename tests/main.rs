//! Integration tests, linked once.

mod architecture;
mod exec;
mod keep;
mod projection;
mod run;
mod schedule;
mod ui;
