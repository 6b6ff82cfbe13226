//! The five runs that its users told us of, as event lists.

use super::run::{Run, plan, with_needs};
use specter::event::{AttemptReport, EventKind, FailureClass, GateVerdict, RunOutcome};
use specter::plan::Mode;
use std::time::Duration;

const REFUSED: &str = "psql: connecting\nerror: connect ECONNREFUSED 127.0.0.1:5432\n";

/// Eight tasks, one after the other.
pub(crate) fn serial() -> Run {
    let plan = plan(
        Mode::Sequential,
        "# Phase 1: US1
        T001 [US1] Create user model in src/models/user.js
        T002 [US1] Add database schema in db/schema.sql
        T003 [US1] Create auth service in src/services/auth.js
        # Phase 2: US2
        T004 [US2] Add login endpoint in src/routes/auth.js
        T005 [US2] Create JWT helper in src/utils/jwt.js
        T006 [US2] Add middleware in src/middleware/auth.js
        # Phase 3: US3
        T007 [US3] Write integration tests in tests/auth.test.js
        T008 [US3] Update API docs in docs/api.md",
    );
    let mut run = Run::new(plan, 1);
    run.serially(&[("T001", 12), ("T002", 8), ("T003", 15), ("T004", 10), ("T005", 7), ("T006", 9)]);
    run.serially(&[("T007", 18), ("T008", 5)]).end(RunOutcome::AllDone);
    run
}

/// Twelve tasks of which four run side by side.
pub(crate) fn parallel() -> Run {
    let plan = plan(
        Mode::Parallel,
        "T001 [US1] Create user model in src/models/user.js
        T002 [US1] Create auth service in src/services/auth.js
        T003 [US2] Create profile model in src/models/profile.js
        T004 [US3] Create notification model in src/models/notification.js
        T005 [P] [US1] Write user tests in tests/user.test.js
        T006 [P] [US2] Write profile tests in tests/profile.test.js
        T007 [P] [US3] Write notification tests in tests/notification.test.js
        T008 [P] [US1] Update user docs in docs/models/user.md
        T009 [US1] Add user routes in src/routes/users.js
        T010 [US2] Add profile routes in src/routes/profiles.js
        T011 [US3] Add notification routes in src/routes/notifications.js
        T012 Update API index in docs/api.md",
    );
    let mut run = Run::new(with_needs(plan, &[("T005", "T001"), ("T009", "T005"), ("T012", "T011")]), 4);
    run.serially(&[("T001", 14), ("T002", 12), ("T003", 11), ("T004", 13)]);
    run.start("T005").start("T006").start("T007").start("T008");
    run.at(55).done("T008").at(62).done("T006").at(65).done("T005").at(68).done("T007");
    run.serially(&[("T009", 9), ("T010", 8), ("T011", 10), ("T012", 4)]).end(RunOutcome::AllDone);
    run
}

/// A migration fails for good; the database is started; the run is taken up.
pub(crate) fn resumed() -> Run {
    let mut run = until_the_migration_fails();
    run.end(RunOutcome::SomeFailed).resume(600);
    run.serially(&[("T007", 8), ("T008", 5), ("T009", 12)]).end(RunOutcome::AllDone);
    run
}

fn until_the_migration_fails() -> Run {
    let plan = plan(
        Mode::Sequential,
        "# Phase 1: Users
        T001 [US1] User model
        T002 [US1] Auth service
        T003 [US1] User routes
        # Phase 2: Profiles
        T004 [US2] Profile model
        T005 [US2] Profile service
        T006 [US2] Profile routes
        T007 [US2] Database migration
        T008 [US2] Seed data
        T009 [US3] Notification model",
    );
    let mut run = Run::new(with_needs(plan, &[("T008", "T007"), ("T009", "T008")]), 1);
    run.serially(&[("T001", 12), ("T002", 15), ("T003", 10), ("T004", 11), ("T005", 9), ("T006", 8)]);
    for wait in [1000, 2000] {
        run.start("T007").after(3).attempt_fails("T007", FailureClass::Transient, REFUSED);
        run.retry("T007", wait).after(wait / 1000);
    }
    run.start("T007").after(3).fails("T007", FailureClass::Transient, REFUSED);
    run.blocked("T008", "T007").blocked("T009", "T007");
    run
}

/// One of four side by side fails; what needs it is blocked, the rest goes on.
pub(crate) fn partial() -> Run {
    let plan = plan(
        Mode::Parallel,
        "!T001 User model
        T002 [US1] Auth service
        T003 [P] [US1] User routes
        T004 [P] [US1] API tests
        T005 [P] [US2] Email service
        T006 [US3] Email templates
        T007 Logging service",
    );
    let mut run = Run::new(with_needs(plan, &[("T006", "T005")]), 4);
    run.serially(&[("T002", 15)]).start("T003").start("T004").start("T005");
    let verified =
        AttemptReport { verified: true, cpu_ms: 4200, max_rss_kb: 51_200, ..AttemptReport::default() };
    let task = run.reference("T003");
    run.at(27).tell(EventKind::GateFinished {
        task,
        attempt: 1,
        gate: "verify".to_owned(),
        verdict: GateVerdict::Passed,
        duration: Duration::from_millis(340),
    });
    let fallback = AttemptReport {
        by_fallback: true,
        leaked: vec!["node server.js".to_owned()],
        ..AttemptReport::default()
    };
    run.succeed("T003", verified).at(30).succeed("T004", fallback);
    run.at(33).fails("T005", FailureClass::Permanent, "SMTP connection timeout\n").blocked("T006", "T005");
    run.serially(&[("T007", 10)]).end(RunOutcome::SomeFailed);
    run
}

/// Ctrl-C while two tasks run.
pub(crate) fn interrupted() -> Run {
    let plan = plan(Mode::Graph, "T001 One\nT002 [P] Two\nT003 [P] Three\nT004 Four");
    let mut run = Run::new(plan, 2);
    run.serially(&[("T001", 4)]).start("T002").start("T003").after(6).interrupt("SIGINT");
    run.end(RunOutcome::Interrupted { signal: 2 });
    run
}
