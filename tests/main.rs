//! Integration tests, one binary.

mod schedule;
