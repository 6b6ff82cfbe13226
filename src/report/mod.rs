//! Documents for other programs and for keeping: SARIF so far. Text from data; writes no file and knows no terminal.

pub mod sarif;
