//! Integration tests, linked once.

mod architecture;
mod keep;
mod projection;
mod run;
mod schedule;
mod ui;
mod exec;
