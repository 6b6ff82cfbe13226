//! For measuring by hand: the executor alone, without scheduler and journal. Instructions for each task:
//!
//! ```text
//! cargo test --release --no-run --test it
//! for n in 100 200; do
//!     TEST_MEASURES="$n;2;true" valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/deps/it-… measure --nocapture
//! done
//! ```

use super::*;

/// `TEST_MEASURES="tasks;workers;code"`. Without it: ten tasks, so that it keeps working.
#[test]
fn measure() {
    let asked = std::env::var("TEST_MEASURES").unwrap_or_else(|_| "10;2;true".into());
    let mut parts = asked.splitn(3, ';');
    let mut number = || parts.next().unwrap().parse::<u32>().unwrap();
    let (tasks, workers) = (number(), number());
    let task = task(&[sh(parts.next().unwrap())]);
    let bench = Bench::new();
    let next = AtomicU32::new(1);
    let work = || {
        let stop = StopHandle::new();
        let mut ended = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > tasks {
                return ended;
            }
            stop.reset();
            let attempt = Attempt::new(TaskIx(0), &task, number, false);
            let report = bench.shell.run(&attempt, &stop, &NoObserver);
            assert!(report.outcome.is_success() && report.leaked.is_empty(), "{report:?}");
            ended += 1;
        }
    };
    let started = Instant::now();
    let ended: u32 = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(ended, tasks);
    let took = started.elapsed();
    println!("{tasks} tasks, {workers} workers: {took:?}, {:?} each", took / tasks);
}
