//! Tests of the whole parser: real files, arbitrary text, and small files of each style.

mod corpus;
mod properties;
mod styles;
