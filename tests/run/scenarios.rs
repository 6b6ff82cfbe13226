//! The five stories that users were told about the program, as shell task files: serial, parallel with four workers,
//! resume after a failed migration, a filter by priority, partial success. With sums that are right.

use super::sandbox::Sandbox;
use serde_json::Value;

/// A task line and its work: it lasts `millis`, then notes itself in `ran`.
fn task(line: &str, millis: u32) -> String {
    let id = line.split_whitespace().next().unwrap();
    format!(
        "- [ ] {line}\n\n  ```sh run\n  sleep {}\n  echo {id} >> ran\n  ```\n\n",
        f64::from(millis) / 1000.0
    )
}

fn tasks(list: &[(&str, u32)]) -> String {
    list.iter().map(|(line, millis)| task(line, *millis)).collect()
}

/// Attempt intervals (start, end) in milliseconds, by task, from the journal.
fn intervals(events: &[Value]) -> Vec<(String, u64, u64)> {
    let ended = |id: &Value| events.iter().find(|e| e["kind"] == "attempt_finished" && e["task"] == *id);
    let started = events.iter().filter(|e| e["kind"] == "attempt_started");
    started
        .map(|start| {
            let end = ended(&start["task"]).expect("every attempt ends");
            let id = start["task"].as_str().unwrap().to_owned();
            (id, start["at"].as_u64().unwrap(), end["at"].as_u64().unwrap())
        })
        .collect()
}

fn most_at_once(intervals: &[(String, u64, u64)]) -> usize {
    let at = |time: u64| intervals.iter().filter(|(_, start, end)| *start <= time && time < *end).count();
    intervals.iter().map(|(_, start, _)| at(*start)).max().unwrap_or(0)
}

const SERIAL: &[(&str, u32)] = &[
    ("T001 [US1] Create user model in src/models/user.js", 12),
    ("T002 [US1] Add database schema in db/schema.sql", 8),
    ("T003 [US1] Create auth service in src/services/auth.js", 15),
    ("T004 [US2] Add login endpoint in src/routes/auth.js", 10),
    ("T005 [US2] Create JWT helper in src/utils/jwt.js", 7),
    ("T006 [US2] Add middleware in src/middleware/auth.js", 9),
    ("T007 [US3] Write integration tests in tests/auth.test.js", 18),
    ("T008 [US3] Update API docs in docs/api.md", 5),
];

#[test]
fn serial_by_default_one_at_a_time_in_file_order() {
    let sandbox = Sandbox::new(&tasks(SERIAL));
    let ended = sandbox.run(["implement", "--yes"]).expect(0);
    let order: Vec<String> = (1..=8).map(|n| format!("T00{n}")).collect();
    assert_eq!(sandbox.read("ran").lines().collect::<Vec<_>>(), order);
    assert_eq!(sandbox.ticked(), order);
    assert_eq!(most_at_once(&intervals(&sandbox.events())), 1);
    assert!(ended.all().contains("[1/8] T001") && ended.all().contains("[8/8] T008"), "{}", ended.all());
    let metrics = sandbox.metrics();
    assert_eq!(metrics["tasks"]["total"], 8);
    assert_eq!(metrics["tasks"]["completed"], 8);
    assert!(metrics["parallel"]["timeSaved"].as_f64().unwrap().abs() < 0.001, "nothing overlapped");
    assert!(sandbox.read(".specter-state/current-session.md").contains("8/8"));
    assert!(sandbox.read(".specter-memory/CHANGES-COMPLETED.md").contains("T008"));
    assert!(sandbox.exists(".specter-memory/WORKFLOW-PROGRESS.md"));
}

const PARALLEL: &[(&str, u32)] = &[
    ("T001 [US1] Create user model in src/models/user.js", 14),
    ("T002 [US1] Create auth service in src/services/auth.js", 12),
    ("T003 [US2] Create profile model in src/models/profile.js", 11),
    ("T004 [US3] Create notification model in src/models/notification.js", 13),
    ("T005 [P] [US1] Write user tests in tests/user.test.js", 150),
    ("T006 [P] [US2] Write profile tests in tests/profile.test.js", 120),
    ("T007 [P] [US3] Write notification tests in tests/notification.test.js", 180),
    ("T008 [P] [US1] Update user docs in docs/models/user.md", 50),
    ("T009 [US1] Add user routes in src/routes/users.js", 9),
    ("T010 [US2] Add profile routes in src/routes/profiles.js", 8),
    ("T011 [US3] Add notification routes in src/routes/notifications.js", 10),
    ("T012 [ALL] Update API index in docs/api.md", 4),
];

#[test]
fn parallel_with_four_workers_overlaps_exactly_the_marked_tasks() {
    let sandbox = Sandbox::new(&tasks(PARALLEL));
    let ended = sandbox.run(["implement", "--parallel", "-j4", "--yes"]).expect(0);
    let intervals = intervals(&sandbox.events());
    assert_eq!(most_at_once(&intervals), 4);
    let marked = ["T005", "T006", "T007", "T008"];
    for (a, start_a, end_a) in &intervals {
        for (b, start_b, end_b) in &intervals {
            if a < b && start_a < end_b && start_b < end_a {
                assert!(marked.contains(&a.as_str()) && marked.contains(&b.as_str()), "{a} beside {b}");
            }
        }
    }
    assert_eq!(sandbox.read("ran").lines().last(), Some("T012"), "[ALL] needs every story");
    let parallel = &sandbox.metrics()["parallel"];
    assert_eq!(
        (&parallel["enabled"], &parallel["maxWorkers"], &parallel["parallelTasks"]),
        (&true.into(), &4.into(), &4.into())
    );
    // What the seed calls 64 %: the time saved over the sequential time of what overlapped.
    let of = |id: &str| intervals.iter().find(|(other, ..)| other == id).map(|(_, s, e)| (*s, *e)).unwrap();
    let sequential: u64 = marked.iter().map(|id| of(id).1 - of(id).0).sum();
    let wall =
        marked.iter().map(|id| of(id).1).max().unwrap() - marked.iter().map(|id| of(id).0).min().unwrap();
    let expected = (sequential - wall) as f64 / sequential as f64;
    let efficiency = parallel["efficiency"].as_f64().unwrap();
    assert!((efficiency - expected).abs() < 0.1, "{efficiency} is far from {expected}");
    assert!(ended.all().to_lowercase().contains("efficiency"), "{}", ended.all());
}

#[test]
fn resume_after_a_failed_migration_runs_only_what_is_left() {
    let mut text = tasks(&[
        ("T001 [US1] User model", 5),
        ("T002 [US1] User service", 5),
        ("T003 [US1] User routes", 5),
        ("T004 [US2] Profile model", 5),
        ("T005 [US2] Profile service", 5),
        ("T006 [US2] Profile routes", 5),
    ]);
    text += "- [ ] T007 [US2] Database migration\n\n  ```sh run\n  echo T007 >> ran\n  test -e database || { echo 'connect ECONNREFUSED 127.0.0.1:5432'; exit 1; }\n  ```\n\n";
    text += &tasks(&[
        ("T008 [US2] Seed data", 5),
        ("T009 [US3] Notification model", 5),
        ("T010 [US3] Notification service", 5),
        ("T011 [US3] Notification routes", 5),
        ("T012 [P] [US3] Notification tests", 5),
        ("T013 [P] [US1] User integration tests", 5),
        ("T014 [US3] WebSocket handler", 5),
        ("T015 [ALL] Update documentation", 5),
    ]);
    let sandbox = Sandbox::new(&text);
    sandbox.write("specter.toml", "retryDelays = [10, 10]\n");
    let failed = sandbox.run(["implement", "--fail-fast", "--yes"]).expect(1);
    assert_eq!(sandbox.read("ran").lines().filter(|id| *id == "T007").count(), 3, "three attempts in all");
    assert_eq!(sandbox.ticked().len(), 6);
    let session = sandbox.read(".specter-state/current-session.md");
    assert!(session.contains("6/15") && session.contains("T007"), "{session}");
    assert!(failed.all().contains("ECONNREFUSED"), "{}", failed.all());
    sandbox.write("database", "up");
    let resumed = sandbox.run(["implement", "--continue", "--yes"]).expect(0);
    let ran = sandbox.read("ran");
    assert_eq!(ran.lines().nth(9), Some("T007"), "the failed task comes first:\n{ran}");
    assert_eq!(ran.lines().count(), 6 + 3 + 9, "{ran}");
    assert_eq!(sandbox.ticked().len(), 15);
    let all = resumed.all();
    assert!(all.contains("15") && all.to_lowercase().contains("resumed"), "{all}");
    let metrics = sandbox.metrics();
    assert_eq!(metrics["tasks"]["completed"], 15);
}

const FILTER: &str = "
## Phase 1: Core Features (P1)
- [ ] T001 [P1] [US1] User authentication in src/auth/

  ```sh run
  echo T001 >> ran
  ```
- [ ] T002 [P1] [US1] Session management in src/auth/

  ```sh run
  echo T002 >> ran
  ```
- [ ] T003 [P1] [US2] Core API endpoints in src/routes/

  ```sh run
  echo T003 >> ran
  ```

## Phase 2: Enhanced Features (P2)
- [ ] T004 [P2] [US3] Email notifications in src/notifications/

  ```sh run
  echo T004 >> ran
  ```
- [ ] T005 [P2] [US3] Push notifications in src/notifications/

  ```sh run
  echo T005 >> ran
  ```
- [ ] T006 [P2] [US4] User profile images in src/uploads/

  ```sh run
  echo T006 >> ran
  ```

## Phase 3: Optional (P3)
- [ ] T007 [P3] [US5] Social login in src/auth/social/

  ```sh run
  echo T007 >> ran
  ```
- [ ] T008 [P3] [US5] OAuth integration in src/auth/oauth/

  ```sh run
  echo T008 >> ran
  ```
";

#[test]
fn a_filter_runs_its_tasks_and_leaves_the_rest() {
    let sandbox = Sandbox::new(FILTER);
    let ended = sandbox.run(["implement", "--filter=P1", "--yes"]).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT002\nT003\n");
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003"]);
    assert!(ended.all().contains("3/3"), "{}", ended.all());
    let refused = sandbox.run(["implement", "--filter=P3", "--yes"]).expect(2);
    assert!(refused.all().contains("--with-needs") && refused.all().contains("T004"), "{}", refused.all());
    sandbox.run(["implement", "--filter=P2", "--yes"]).expect(0);
    sandbox.run(["implement", "--story=US5", "--yes"]).expect(0);
    assert_eq!(sandbox.ticked().len(), 8);
}

#[test]
fn story_and_filter_agree() {
    let plan =
        |arg: &str| Sandbox::new(FILTER).run(["plan", arg, "--with-needs", "--format=json"]).expect(0).stdout;
    let (story, filter) = (plan("--story=US3"), plan("--filter=US3"));
    assert_eq!(story, filter);
    assert!(story.contains("T005"));
}

#[test]
fn a_failed_task_blocks_only_what_needs_it() {
    let mut text = tasks(&[("T001 User model", 5), ("T002 Auth service", 5), ("T003 Database migration", 5)]);
    text += &tasks(&[("T004 [P] User routes", 5), ("T005 [P] API tests", 5)]);
    text += "- [ ] T006 [P] [US2] Email service\n\n  ```sh run\n  echo T006 >> ran\n  echo 'SMTP connection timeout after 30s' >&2\n  exit 1\n  ```\n\n";
    text += &tasks(&[
        ("T007 [P] Documentation", 5),
        ("T008 [P] [US3] Email templates (depends on T006)", 5),
        ("T009 [P] Logging service", 5),
        ("T010 [P] Health checks", 5),
    ]);
    let sandbox = Sandbox::new(&text);
    sandbox.write("specter.toml", "retryDelays = [5, 5]\n");
    let ended = sandbox.run(["implement", "--parallel", "-j4", "--yes"]).expect(1);
    let all = ended.all();
    for told in ["8/10", "T006", "SMTP connection timeout after 30s", "3", "T008", "specter resume"] {
        assert!(all.contains(told), "`{told}` is missing:\n{all}");
    }
    assert_eq!(sandbox.ticked().len(), 8);
    assert_eq!(sandbox.ids("task_blocked"), ["T008"]);
    let metrics = sandbox.metrics();
    let tasks = &metrics["tasks"];
    assert_eq!((&tasks["completed"], &tasks["failed"], &tasks["blocked"]), (&8.into(), &1.into(), &1.into()));
}

/// A floor that no machine reaches: nothing starts beside another, and where nothing runs one at a time does in the end.
#[test]
fn a_machine_without_room_runs_one_task_at_a_time_says_so_and_comes_to_an_end() {
    let task = |n: u32| format!("- [ ] T00{n} [P] Do {n}\n\n  ```sh run\n  touch did{n}\n  ```\n\n");
    let sandbox = Sandbox::new(&(task(1) + &task(2)));
    let ended =
        sandbox.run(["implement", "--yes", "--parallel", "-j2", "--min-free-memory=900 TiB"]).expect(0);
    let told = ended.stderr.matches("waiting for memory: ").count();
    assert_eq!(told, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("the floor is 900 TiB"), "{}", ended.stderr);
    let kinds: Vec<String> =
        sandbox.events().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds[..3], ["run_started", "admission_changed", "attempt_started"], "{kinds:?}");
    let at = |id: &str| {
        let started =
            sandbox.events().into_iter().find(|e| e["kind"] == "attempt_started" && e["task"] == id);
        started.unwrap()["at"].as_u64().unwrap()
    };
    assert!(at("T001") >= 5000 && at("T002") >= at("T001") + 5000, "{} {}", at("T001"), at("T002"));
}

#[test]
fn a_disk_below_its_floor_stops_the_run_before_it_begins_and_a_resume_goes_on() {
    let sandbox = Sandbox::new("- [ ] T001 Do it\n\n  ```sh run\n  touch did\n  ```\n");
    let ended = sandbox.run(["implement", "--yes", "--min-free-disk=900 TiB"]).expect(3);
    assert!(ended.stderr.contains("the disk has too little room: "), "{}", ended.stderr);
    assert!(!sandbox.exists("did"));
    let why = sandbox.run(["why", "T001"]).expect(0);
    assert!(!why.stdout.contains("waiting for"), "that run is over: {}", why.stdout);
    sandbox.run(["resume", "--yes", "--min-free-disk=none"]).expect(0);
    assert!(sandbox.exists("did"));
}
