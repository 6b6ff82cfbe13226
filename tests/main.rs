//! Integration tests, linked once.

mod architecture;
mod exec;
