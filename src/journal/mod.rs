//! Stub of the skeleton; written by its owner.
