//! Integration tests, one binary.

mod ui;
