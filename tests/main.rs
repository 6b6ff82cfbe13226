//! Integration tests, linked once.

mod projection;
//! Integration tests, one binary.

mod schedule;
