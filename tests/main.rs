//! Integration tests, linked once.

mod architecture;
