//! Integration tests, linked once.

mod projection;
