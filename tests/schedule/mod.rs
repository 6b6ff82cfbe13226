//! The schedule in a simulated world: thousands of random task files, scripts, interrupts, edits and crashes.
//!
//! `SPECTER_SEEDS=1000000 cargo test --profile quick --test it schedule:: -- --nocapture` plays that many of each kind
//! and prints a digest of all their events: the same in every process. `SPECTER_SEED=7` plays one again, aloud.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken test world is a failed test")]
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a failing seed is named, and played again aloud"
)]

mod cases;
mod fixture;
mod oracle;
mod providers;
mod questions;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{Ended, Weather, World};

/// Plays `weather` for many seeds, and names the seed that failed.
fn play(weather: Weather, also: impl Fn(u64, &Ended)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("SPECTER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SPECTER_SEEDS").unwrap_or(1_000),
    };
    let mut digest = Digest::default();
    for seed in seeds {
        let run = || {
            let ended = World::new(seed, weather).run();
            also(seed, &ended);
            ended
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(ended) => digest.take(&ended),
            Err(panic) => {
                eprintln!("seed {seed} with {weather:?}: play it again with SPECTER_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    let Digest { worlds, sessions, events, hash, .. } = digest;
    println!("{worlds} worlds, {sessions} sessions, {events} events, digest {hash:016x}: {weather:?}");
}

/// All events of all worlds: two processes that play the same seeds must print the same.
#[derive(Default)]
struct Digest {
    worlds: u64,
    sessions: u64,
    events: u64,
    hash: u64,
    line: Vec<u8>,
}

impl Digest {
    fn take(&mut self, ended: &Ended) {
        self.worlds += 1;
        self.sessions += u64::from(ended.sessions);
        for event in &ended.journal {
            self.events += 1;
            self.line.clear();
            self.line.extend_from_slice(&self.hash.to_le_bytes());
            event.write_json(&mut self.line).unwrap();
            self.hash = specter::text::fnv1a(&self.line);
        }
    }
}

#[test]
fn every_run_of_one_session_keeps_the_rules() {
    play(Weather { one_session: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn interrupts_end_a_run_and_it_can_be_taken_up() {
    play(Weather { interrupts: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn crashes_lose_nothing_and_repeat_nothing_that_is_done() {
    play(Weather { crashes: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn budgets_end_a_run_cleanly() {
    play(Weather { budgets: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn workers_come_and_go() {
    play(Weather { jobs: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn people_edit_the_file_meanwhile() {
    play(Weather { edits: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn clocks_that_jump_change_nothing_but_the_time() {
    play(Weather { clock: true, budgets: true, crashes: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn what_was_at_odds_never_runs_side_by_side_again() {
    play(Weather { conflicts: true, crashes: true, edits: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn nothing_joins_what_runs_while_the_machine_has_no_room_and_no_run_waits_for_ever() {
    play(Weather { scarce: true, jobs: true, crashes: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn nobody_runs_into_a_limit_that_is_known_and_no_wait_for_one_is_lost() {
    play(Weather { agents: true, crashes: true, edits: true, clock: true, ..Weather::default() }, |_, _| {});
}

#[test]
fn nobody_goes_on_without_the_answer_he_waits_for_and_with_it_at_once() {
    play(
        Weather { questions: true, agents: true, crashes: true, interrupts: true, ..Weather::default() },
        |_, _| {},
    );
}

#[test]
fn people_answer_and_edit_and_machines_die_meanwhile() {
    let weather = Weather {
        questions: true,
        agents: true,
        crashes: true,
        edits: true,
        conflicts: true,
        ..Weather::default()
    };
    play(weather, |_, _| {});
}

#[test]
fn all_of_it_at_once() {
    let weather = Weather {
        interrupts: true,
        crashes: true,
        jobs: true,
        edits: true,
        budgets: true,
        clock: true,
        conflicts: true,
        scarce: true,
        agents: true,
        questions: true,
        one_session: false,
    };
    play(weather, |_, _| {});
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let weather = Weather { crashes: true, interrupts: true, edits: true, ..Weather::default() };
    play(weather, |seed, ended| {
        if seed % 8 == 0 {
            let again = World::new(seed, weather).run();
            assert_eq!(ended.journal, again.journal);
            assert_eq!(ended.sessions, again.sessions);
        }
    });
}
