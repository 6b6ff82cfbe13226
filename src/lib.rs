#![doc = include_str!("ARCHITECTURE.md")]

// Core: synchronous, deterministic, no clock, file, process or environment.
pub mod agent;
pub mod classify;
pub mod diagnostic;
pub mod domains;
pub mod event;
pub mod history;
pub mod parse;
pub mod plan;
pub mod policy;
pub mod projection;
pub mod prompt;
pub mod schedule;
pub mod sink;
pub mod source;
pub mod summary;
pub mod task;
pub mod text;
pub mod writeback;

// Shell: files, processes, terminal.
pub mod boxes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod documents;
pub mod driver;
pub mod exec;
pub mod fs;
pub mod git;
pub mod journal;
pub mod report;
pub mod sys;
pub mod ui;
