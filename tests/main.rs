//! Integration tests, linked once.

mod architecture;
mod projection;
mod schedule;
mod ui;
mod keep;
