//! Integration tests, linked once.

mod projection;
mod schedule;
