//! Tests of the plan as a whole, rule by rule. What one file decides alone is tested there.

#![expect(clippy::format_push_string, clippy::format_collect, reason = "tests read better so")]

use super::fixture::{before, codes, edges, errors, planned, role, run_ids};
use super::observed::title_mark;
use super::*;
use crate::diagnostic::Code;
use indoc::indoc;

fn options(mode: Mode) -> Options {
    Options { mode, ..Options::default() }
}

fn graph(text: &str) -> Plan {
    planned(text, &options(Mode::Graph)).0
}

fn is_before(plan: &Plan, a: &str, b: &str) -> bool {
    before(plan, false).contains(&(a.to_owned(), b.to_owned()))
}

fn needs(plan: &Plan, a: &str, b: &str) -> bool {
    before(plan, true).contains(&(a.to_owned(), b.to_owned()))
}

fn select(selection: Selection) -> Options {
    Options { selection, mode: Mode::Graph, ..Options::default() }
}

mod seeds {
    use super::*;

    const SECOND: &str = indoc! {"
        - [ ] T001 [US1] Create user model in src/models/user.js
        - [ ] T002 [US1] Create auth service in src/services/auth.js
        - [ ] T003 [US2] Create profile model in src/models/profile.js
        - [ ] T004 [US3] Create notification model in src/models/notification.js
        - [ ] T005 [P] [US1] Write user tests in tests/user.test.js
        - [ ] T006 [P] [US2] Write profile tests in tests/profile.test.js
        - [ ] T007 [P] [US3] Write notification tests in tests/notification.test.js
        - [ ] T008 [P] [US1] Update user docs in docs/models/user.md
        - [ ] T009 [US1] Add user routes in src/routes/users.js
        - [ ] T010 [US2] Add profile routes in src/routes/profiles.js
        - [ ] T011 [US3] Add notification routes in src/routes/notifications.js
        - [ ] T012 [ALL] Update API index in docs/api.md
    "};

    #[test]
    fn serial_execution_runs_in_file_order() {
        let text: String =
            (1..=8).map(|n| format!("- [ ] T00{n} [US{}] Do it in src/f{n}.rs\n", n / 4 + 1)).collect();
        let plan = planned(&text, &Options::default()).0;
        for n in 1..8 {
            assert!(is_before(&plan, &format!("T00{n}"), &format!("T00{}", n + 1)));
        }
    }

    #[test]
    fn parallel_execution_has_the_graph_of_the_second_example() {
        insta::assert_snapshot!(edges(&graph(SECOND)), @r"
        T002 <- T001 lane
        T005 <- T002 lane
        T006 <- T003 lane
        T007 <- T004 lane
        T008 <- T002 lane
        T009 <- T002 lane
        T009 <- T005 lane
        T009 <- T008 lane
        T010 <- T003 lane
        T010 <- T006 lane
        T011 <- T004 lane
        T011 <- T007 lane
        T012 <- T001 phase
        T012 <- T002 phase
        T012 <- T003 phase
        T012 <- T004 phase
        T012 <- T005 phase
        T012 <- T006 phase
        T012 <- T007 phase
        T012 <- T008 phase
        T012 <- T009 phase
        T012 <- T010 phase
        T012 <- T011 phase
        ");
    }

    #[test]
    fn resume_takes_the_done_ones_as_done() {
        let text = SECOND.replace("[ ] T001", "[x] T001").replace("[ ] T005", "[x] T005");
        let plan = graph(&text);
        assert_eq!(role(&plan, "T001"), Role::Done);
        assert_eq!(run_ids(&plan).len(), 10);
        assert!(is_before(&plan, "T005", "T009"), "done tasks keep their edges");
    }

    #[test]
    fn filter_by_priority_runs_the_three_must_haves() {
        let text = indoc! {"
            ## Phase 1: Core Features (P1)
            - [ ] T001 [P1] [US1] User authentication in src/auth/
            - [ ] T002 [P1] [US1] Session management in src/auth/
            - [ ] T003 [P1] [US2] Core API endpoints in src/routes/
            ## Phase 2: Enhanced Features (P2)
            - [ ] T004 [P2] [US3] Email notifications in src/notifications/
            - [ ] T005 [P2] [US3] Push notifications in src/notifications/
            - [ ] T006 [P2] [US4] User profile images in src/uploads/
        "};
        let filter =
            |filter: &str| select(Selection { filters: vec![filter.into()], ..Selection::default() });
        assert_eq!(run_ids(&planned(text, &filter("P1")).0), ["T001", "T002", "T003"]);
        assert_eq!(codes(&errors(text, &filter("P2"))), [Code::NotSelected], "the first phase is still open");
        let done = text
            .replace("[ ] T001", "[x] T001")
            .replace("[ ] T002", "[x] T002")
            .replace("[ ] T003", "[x] T003");
        assert_eq!(run_ids(&planned(&done, &filter("P2")).0), ["T004", "T005", "T006"]);
        assert_eq!(run_ids(&planned(&done, &filter("US3")).0), ["T004", "T005"]);
    }

    #[test]
    fn partial_success_blocks_only_what_depends_on_the_failed_one() {
        let plan = graph(indoc! {"
            - [ ] T006 [P] [US2] Email service
            - [ ] T008 [P] [US3] Email templates (depends on T006)
            - [ ] T009 [P] [US4] Logging service
            - [ ] T010 [P] [US5] Health checks
        "});
        assert_eq!(before(&plan, true).len(), 1);
        assert!(needs(&plan, "T006", "T008"));
    }
}

/// What the format's authors got wrong in their own algorithm.
mod origin {
    use super::*;

    #[test]
    fn a_task_waits_for_the_latest_of_its_lane_not_the_first() {
        let plan = graph("- [ ] T001 [US1] a\n- [ ] T002 [US1] b\n- [ ] T003 [US1] c\n");
        assert_eq!(edges(&plan), "T002 <- T001 lane\nT003 <- T002 lane\n");
    }

    #[test]
    fn tasks_without_a_path_are_not_chained_to_one_another() {
        let plan = graph("- [ ] T001 [P] a\n- [ ] T002 [P] b\n- [ ] T003 [P] c\n");
        assert_eq!(edges(&plan), "");
    }

    #[test]
    fn tasks_without_a_story_share_their_phase_and_not_the_file() {
        let plan = graph(indoc! {"
            ## Phase 1: User Story 1
            - [ ] T001 a
            ## Phase 2: User Story 2
            - [ ] T002 b
        "});
        assert_eq!(edges(&plan), "");
    }

    #[test]
    fn phases_have_edges_between_them() {
        let plan = graph("## Phase 1: One\n- [ ] T001 [P] a\n## Phase 2: Two\n- [ ] T002 [P] b\n");
        assert_eq!(edges(&plan), "T002 <- T001 phase\n");
    }

    #[test]
    fn an_unknown_dependency_is_an_error_with_the_nearest_id() {
        let found = errors("- [ ] T009 a\n- [ ] T010 b (depends on T099)\n", &Options::default());
        assert_eq!(codes(&found), [Code::UnknownDependency]);
        assert_eq!(found[0].message, "task `T010` depends on `T099`, which is not in this file");
        assert_eq!(found[0].help, ["a task with a similar id exists: `T009`"]);
    }

    #[test]
    fn a_parallel_task_waits_for_its_phases_predecessors() {
        let plan = graph(indoc! {"
            ## Phase 1: Setup
            - [ ] T001 a
            ## Phase 2: Foundation
            - [ ] T002 b
            - [ ] T003 [P] c
            ## Phase 3: User Story 1
            - [ ] T004 [P] d
        "});
        assert!(needs(&plan, "T001", "T003") && needs(&plan, "T002", "T003"));
        assert!(needs(&plan, "T003", "T004"));
    }

    #[test]
    fn a_circle_is_an_error_and_never_silently_left_out() {
        let text = "- [ ] T001 a (depends on T003)\n- [ ] T002 b (depends on T001)\n- [ ] T003 c (depends on T002)\n- [ ] T004 d\n";
        let found = errors(text, &Options::default());
        assert_eq!(codes(&found), [Code::Cycle]);
        let path = "tasks wait for one another in a circle: `T001` needs `T003` needs `T002` needs `T001`";
        assert_eq!(found[0].message, path);
        assert_eq!(found[0].labels.len(), 3);
    }

    #[test]
    fn a_group_of_levels_is_no_barrier() {
        // T002 may start as soon as T001 is done, whatever else stands on T001's level.
        let plan = graph("- [ ] T001 [P] a\n- [ ] T003 [P] slow\n- [ ] T002 [P] b (depends on T001)\n");
        assert!(!is_before(&plan, "T003", "T002"));
    }
}

mod explicit {
    use super::*;

    #[test]
    fn a_short_id_means_the_long_one_if_only_one_exists() {
        let plan = graph("- [ ] T017 [P] a\n- [ ] T018 [P] b (depends on T17)\n");
        assert_eq!(edges(&plan), "T018 <- T017 explicit\n");
        let both = graph("- [ ] T101 [P] a\n- [ ] T0101 [P] b\n- [ ] T200 [P] c (depends on T0101)\n");
        assert_eq!(edges(&both), "T200 <- T0101 explicit\n");
        let unclear = "- [ ] T101 [P] a\n- [ ] T0101 [P] b\n- [ ] T200 [P] c (depends on T00101)\n";
        assert_eq!(codes(&errors(unclear, &Options::default())), [Code::UnknownDependency]);
    }

    #[test]
    fn a_range_means_the_ids_between_its_ends() {
        let plan = graph(indoc! {"
            - [ ] T001 [P] a
            - [ ] T009 [P] far
            - [ ] T002a [P] b
            - [ ] T003 [P] c
            - [ ] X002 [P] other
            - [ ] T004 [P] d (depends on T001-T003)
        "});
        assert_eq!(edges(&plan), "T004 <- T001 explicit\nT004 <- T002a explicit\nT004 <- T003 explicit\n");
    }

    #[test]
    fn bad_ranges_are_errors() {
        let with = |range: &str| {
            format!("- [ ] T001 a\n- [ ] T003 b\n- [ ] X1 c\n- [ ] T005 d (depends on {range})\n")
        };
        let code = |range: &str| codes(&errors(&with(range), &Options::default()));
        assert_eq!(code("T003-T001"), [Code::BadRange]);
        assert_eq!(code("T001-X1"), [Code::BadRange]);
        assert_eq!(code("T001-T004"), [Code::UnknownDependency]);
        assert_eq!(code("T001-T005"), [Code::SelfDependency]);
    }

    #[test]
    fn a_dependency_on_itself_is_an_error() {
        let found = errors("- [ ] T001 a (depends on T001)\n", &Options::default());
        assert_eq!(codes(&found), [Code::SelfDependency]);
    }

    #[test]
    fn all_errors_are_listed() {
        let text = "- [ ] T001 a (depends on T001)\n- [ ] T002 b (depends on X9)\n- [ ] T003 c (depends on T004)\n- [ ] T004 d (depends on T003)\n";
        let found = errors(text, &Options::default());
        assert_eq!(codes(&found), [Code::SelfDependency, Code::UnknownDependency, Code::Cycle]);
    }

    #[test]
    fn a_long_circle_is_cut() {
        let text: String =
            (0..20).map(|n| format!("- [ ] T{n:03} a (depends on T{:03})\n", (n + 1) % 20)).collect();
        let found = errors(&text, &Options::default());
        assert!(found[0].message.ends_with("… 8 more"), "{}", found[0].message);
        assert_eq!(found[0].labels.len(), 12);
    }

    #[test]
    fn each_circle_is_told() {
        let text = "- [ ] T001 a (depends on T002)\n- [ ] T002 b (depends on T001)\n- [ ] T003 c (depends on T004)\n- [ ] T004 d (depends on T003)\n- [ ] T005 e (depends on T004)\n";
        assert_eq!(codes(&errors(text, &Options::default())), [Code::Cycle, Code::Cycle]);
    }

    #[test]
    fn a_story_and_a_phase_can_be_needed() {
        let plan = graph(
            "- [ ] T001 [P] [US1] a\n- [ ] T002 [P] [US1] b\n- [ ] T003 [P] [US2] c (depends on US1)\n",
        );
        assert!(needs(&plan, "T001", "T003") && needs(&plan, "T002", "T003"));
        let unknown = errors("- [ ] T003 [US2] c (depends on US7)\n", &Options::default());
        assert_eq!(codes(&unknown), [Code::UnknownDependency]);
    }

    #[test]
    fn waves_need_the_waves_before() {
        let (plan, found) = planned(
            "- [ ] 1.1 [P] a\n- [ ] 1.2 [P] b\n- [ ] 2.1 [P] c\n- [ ] 2.2 [P] d\nwaves: 1.1 2.1 | 1.2\n",
            &options(Mode::Graph),
        );
        assert_eq!(edges(&plan), "1.2 <- 1.1 waves\n1.2 <- 2.1 waves\n");
        assert_eq!(codes(&found), [Code::WavesIncomplete]);
    }

    #[test]
    fn a_task_behind_a_later_one_takes_its_place_there() {
        let plan =
            graph("- [ ] T001 a\n- [ ] T002 b (depends on T004)\n- [ ] T003 c\n- [ ] T004 d\n- [ ] T005 e\n");
        let steps = "T002 <- T004 explicit\nT003 <- T001 lane\nT004 <- T003 lane\nT005 <- T002 lane\n";
        assert_eq!(edges(&plan), steps);
    }
}

mod groups {
    use super::*;

    const TREE: &str = indoc! {"
        - [ ] 1 [P] First
          - [ ] 1.1 [P] a
          - [ ] 1.2 [P] b
        - [ ] 2 [P] Second (depends on 1)
          - [ ] 2.1 [P] c
          - [ ] 2.2 [P] d
            - [ ] 2.2.1 [P] e
        - [ ] 3 [P] f (depends on 2)
    "};

    #[test]
    fn a_group_runs_nothing_and_is_settled_behind_its_tasks() {
        let plan = graph(TREE);
        assert_eq!(role(&plan, "2"), Role::Group);
        assert!(needs(&plan, "1.1", "1") && needs(&plan, "1.2", "1"));
        assert!(plan.planned(plan.find("1").unwrap()).lanes.is_empty());
    }

    #[test]
    fn what_a_group_needs_its_tasks_need() {
        let plan = graph(TREE);
        for task in ["2.1", "2.2.1"] {
            assert!(needs(&plan, "1.1", task) && needs(&plan, "1", task), "{task}");
        }
        let link = plan.waits_for(plan.find("2.2.1").unwrap())[0];
        assert_eq!((plan.task(link.task).id.as_str(), link.reason, link.line), ("1", Reason::Explicit, 4));
        assert!(needs(&plan, "2.2.1", "3"));
    }

    #[test]
    fn a_group_may_name_its_own_part() {
        let plan = graph("- [ ] 1 G (depends on 1.1)\n  - [ ] 1.1 a\n  - [ ] 1.2 b\n");
        assert!(!needs(&plan, "1.2", "1.1"));
    }

    #[test]
    fn a_part_that_needs_its_whole_is_a_circle() {
        let found = errors("- [ ] 1 G\n  - [ ] 1.1 a (depends on 1)\n", &Options::default());
        assert_eq!(codes(&found), [Code::Cycle]);
        assert_eq!(found[0].labels.len(), 2);
    }

    #[test]
    fn a_group_with_something_left_open_is_not_finished_by_the_plan() {
        let only = select(Selection { only: vec!["1.1".into()], ..Selection::default() });
        let plan = planned("- [ ] 1 G\n  - [ ] 1.1 [P] a\n  - [ ] 1.2 [P] b\n", &only).0;
        assert_eq!(role(&plan, "1"), Role::LeftOut(LeftOut::NotSelected));
        let unclear = graph("- [ ] 1 G\n  - [~] 1.1 [P] a\n  - [ ] 1.2 [P] b\n");
        assert_eq!(role(&unclear, "1"), Role::LeftOut(LeftOut::Unclear));
        let optional = graph("- [ ] 1 G\n  - [ ]* 1.1 [P] a\n  - [ ] 1.2 [P] b\n");
        assert_eq!(role(&optional, "1"), Role::Group);
    }
}

mod lanes {
    use super::*;

    #[test]
    fn a_lane_follows_the_file_with_parallel_runs_between_joints() {
        let plan = graph("- [ ] T1 a\n- [ ] T2 [P] b\n- [ ] T3 [P] c\n- [ ] T4 d\n- [ ] T5 [P] e\n");
        let steps =
            "T2 <- T1 lane\nT3 <- T1 lane\nT4 <- T1 lane\nT4 <- T2 lane\nT4 <- T3 lane\nT5 <- T4 lane\n";
        assert_eq!(edges(&plan), steps);
    }

    #[test]
    fn a_task_of_several_stories_is_in_each_lane() {
        let plan = graph("- [ ] T1 [US1] a\n- [ ] T2 [US2] b\n- [ ] T3 [US1] [US2] c\n- [ ] T4 [US2] d\n");
        assert_eq!(edges(&plan), "T3 <- T1 lane\nT3 <- T2 lane\nT4 <- T3 lane\n");
    }

    #[test]
    fn a_story_phases_task_without_a_label_is_the_storys() {
        let plan = graph("## Phase 3: User Story 1 (Priority: P1)\n- [ ] T1 [US1] a\n- [ ] T2 b\n");
        assert_eq!(edges(&plan), "T2 <- T1 lane\n");
        assert_eq!(plan.tasks[1].stories[0].0, "US1");
        assert_eq!(plan.tasks[1].priority, Some(1));
    }

    #[test]
    fn a_checkpoint_line_is_a_barrier_in_its_lane() {
        let plan = graph(
            "- [ ] T1 [P] [US1] a\n- [ ] T2 [P] [US1] b\n**Checkpoint**\n- [ ] T3 [P] [US1] c\n- [ ] T4 [P] [US2] d\n",
        );
        assert_eq!(edges(&plan), "T3 <- T1 checkpoint\nT3 <- T2 checkpoint\n");
    }

    #[test]
    fn the_line_that_ends_a_story_orders_no_other_story() {
        let plan = graph(indoc! {"
            ## Phase 3: User Story 1
            - [ ] T1 [P] [US1] a
            **Checkpoint**: story 1 works
            ## Phase 4: User Story 2
            - [ ] T2 [P] [US2] b
            **Checkpoint**: story 2 works
        "});
        assert_eq!(edges(&plan), "");
    }

    #[test]
    fn a_checkpoint_task_is_the_barrier_itself_in_every_lane_before_it() {
        let plan = graph(
            "- [ ] 1 [P] [US1] a\n- [ ] 2 [P] [US2] b\n- [ ] 3 [P] Checkpoint - tests pass\n- [ ] 4 [P] [US1] c\n- [ ] 5 [P] [US3] d\n",
        );
        assert_eq!(edges(&plan), "3 <- 1 checkpoint\n3 <- 2 checkpoint\n4 <- 3 checkpoint\n");
    }

    #[test]
    fn a_checkpoint_between_joints_gives_its_name_to_the_order() {
        let plan = graph("- [ ] T1 a\n**Checkpoint**\n- [ ] T2 b\n");
        let link = plan.waits_for(TaskIx(1))[0];
        assert_eq!((link.reason, link.line), (Reason::Checkpoint, 2));
    }
}

mod phases {
    use super::*;

    const FEATURE: &str = indoc! {"
        ## Phase 1: Setup
        - [ ] T1 [P] a
        ## Phase 2: Foundational
        - [ ] T2 [P] b
        ## Phase 3: User Story 1
        - [ ] T3 [P] [US1] c
        ## Phase 4: User Story 2
        - [ ] T4 [P] [US2] d
        ## Phase 5: Polish
        - [ ] T5 [P] e
        - [ ] T6 [P] f
    "};

    #[test]
    fn stories_need_setup_and_foundation_and_not_one_another() {
        let plan = graph(FEATURE);
        assert!(needs(&plan, "T1", "T2") && needs(&plan, "T1", "T3") && needs(&plan, "T2", "T4"));
        assert!(!is_before(&plan, "T3", "T4"));
    }

    #[test]
    fn polish_needs_everything_before_it_and_not_itself() {
        let plan = graph(FEATURE);
        for task in ["T1", "T2", "T3", "T4"] {
            assert!(needs(&plan, task, "T5"), "{task}");
        }
        assert!(!is_before(&plan, "T5", "T6"));
    }

    #[test]
    fn any_other_phase_needs_the_phase_before() {
        let plan = graph(
            "## 1. A\n- [ ] 1.1 [P] a\n## 2. Empty\n## 3. C\n- [ ] 3.1 [P] c\n## 4. D\n- [ ] 4.1 [P] d\n",
        );
        assert_eq!(edges(&plan), "3.1 <- 1.1 phase\n4.1 <- 3.1 phase\n");
    }

    #[test]
    fn a_story_behind_an_other_phase_needs_only_setup_and_foundation() {
        let plan =
            graph("## Setup\n- [ ] T1 [P] a\n## Research\n- [ ] T2 [P] b\n## User Story 1\n- [ ] T3 [P] c\n");
        assert!(needs(&plan, "T1", "T2") && needs(&plan, "T1", "T3") && !is_before(&plan, "T2", "T3"));
    }

    #[test]
    fn a_task_for_all_stories_needs_every_lane_before_it_but_its_own() {
        let plan =
            graph("- [ ] T1 [P] [US1] a\n- [ ] T2 [P] b\n- [ ] T3 [P] [ALL] c\n- [ ] T4 [P] [US2] d\n");
        assert_eq!(edges(&plan), "T3 <- T1 phase\n");
    }

    #[test]
    fn the_edge_names_the_line_of_the_heading() {
        let plan = graph(FEATURE);
        assert_eq!(plan.waits_for(plan.find("T2").unwrap())[0].line, 3);
    }

    #[test]
    fn an_explicit_dependency_wins_over_the_phase_with_a_warning() {
        let text = indoc! {"
            ## Phase 1: Setup
            - [ ] T1 [P] a
            - [ ] T2 [P] b (depends on T4)
            ## Phase 2: User Story 1
            - [ ] T3 [P] c
            - [ ] T4 [P] d
            - [ ] T5 [P] e
        "};
        let (plan, found) = planned(text, &options(Mode::Graph));
        assert_eq!(codes(&found), [Code::PhaseConflict]);
        assert!(needs(&plan, "T4", "T2") && needs(&plan, "T1", "T3"));
        assert!(needs(&plan, "T2", "T5"), "what follows still waits for it");
        assert!(!is_before(&plan, "T2", "T3"));
    }

    #[test]
    fn flat_phases_cost_an_edge_per_task() {
        let mut text = "## A\n".to_owned();
        (0..500).for_each(|n| text += &format!("- [ ] A{n} [P] a\n"));
        text += "## B\n";
        (0..500).for_each(|n| text += &format!("- [ ] B{n} [P] b\n"));
        let plan = graph(&text);
        assert!(plan.graph.edge_count() <= 1000, "{}", plan.graph.edge_count());
        assert!(needs(&plan, "A0", "B499") && needs(&plan, "A499", "B0"));
    }
}

mod files {
    use super::*;

    #[test]
    fn the_same_file_comes_one_after_the_other_parallel_or_not() {
        let (plan, found) = planned(
            "- [ ] T1 [P] in src/a.rs\n- [ ] T2 [P] in src/b.rs\n- [ ] T3 [P] in src/a.rs\n- [ ] T4 [P] in src/a.rs\n",
            &options(Mode::Graph),
        );
        assert_eq!(edges(&plan), "T3 <- T1 file\nT4 <- T3 file\n");
        assert_eq!(codes(&found), [Code::SameFile]);
        assert!(before(&plan, true).is_empty(), "a failure does not block");
    }

    #[test]
    fn a_directory_and_a_file_in_it_conflict() {
        let plan = graph(
            "- [ ] T1 [P] in src/m/a.rs\n- [ ] T2 [P] in src/m/b.rs\n- [ ] T3 [P] in src/m/\n- [ ] T4 [P] in src/m/c.rs\n- [ ] T5 [P] in src/mod.rs\n- [ ] T6 [P] in src/\n",
        );
        for (a, b) in [("T1", "T3"), ("T2", "T3"), ("T3", "T4"), ("T5", "T6"), ("T4", "T6")] {
            assert!(is_before(&plan, a, b), "{a} {b}");
        }
        for (a, b) in [("T1", "T2"), ("T1", "T5"), ("T3", "T5")] {
            assert!(!is_before(&plan, a, b), "{a} {b}");
        }
    }

    #[test]
    fn seen_files_count_like_named_ones() {
        let options = seeing(&[("T1", "a", "src/lib.rs"), ("T2", "b", "src/lib.rs")]);
        let (plan, found) = planned("- [ ] T1 [P] a\n- [ ] T2 [P] b\n", &options);
        assert_eq!(edges(&plan), "T2 <- T1 file\n");
        assert_eq!(codes(&found), [], "nobody wrote that into the file");
    }

    fn seeing(seen: &[(&str, &str, &str)]) -> Options {
        let observed = |(id, title, path): &(&str, &str, &str)| Observed {
            task: TaskId::new(id),
            title: title_mark(title),
            files: vec![(*path).to_owned()],
            run: format!("run of {id}"),
        };
        Options { observed_files: seen.iter().map(observed).collect(), ..options(Mode::Graph) }
    }

    #[test]
    fn an_order_that_only_observation_tells_says_who_was_seen_where() {
        let text = "- [ ] T1 [P] a in src/m/a.rs\n- [ ] T2 [P] b in src/b.rs\n- [x] T3 [P] c\n- [ ] T4 [P] d in src/b.rs\n";
        let options = seeing(&[
            ("T2", "b in src/b.rs", "src/m/a.rs"),
            ("T3", "c", "src/m/"),
            ("T4", "d in src/b.rs", "x"),
        ]);
        let plan = planned(text, &options).0;
        assert_eq!(edges(&plan), "T2 <- T1 file\nT3 <- T1 file\nT3 <- T2 file\nT4 <- T2 file\n");
        let told = |first, then| {
            let seen = plan.sighting(TaskIx(first), TaskIx(then))?;
            Some((seen.path.as_str(), seen.by_first.as_deref(), seen.by_then.as_deref()))
        };
        assert_eq!(told(0, 1), Some(("src/m/a.rs", None, Some("run of T2"))));
        assert_eq!(told(1, 2), Some(("src/m/", Some("run of T2"), Some("run of T3"))));
        assert_eq!(told(1, 3), None, "both lines name the file");
    }

    #[test]
    fn a_task_that_reads_otherwise_now_is_not_judged_by_what_it_was() {
        let options = seeing(&[("T1", "a", "src/lib.rs"), ("T2", "b, but other", "src/lib.rs")]);
        assert_eq!(edges(&planned("- [ ] T1 [P] a\n- [ ] T2 [P] b\n", &options).0), "");
    }

    #[test]
    fn what_tools_write_in_passing_puts_nobody_after_anybody() {
        let options = seeing(&[("T1", "a", "web/package-lock.json"), ("T2", "b", "web/package-lock.json")]);
        assert_eq!(edges(&planned("- [ ] T1 [P] a\n- [ ] T2 [P] b\n", &options).0), "");
        let named = "- [ ] T1 [P] a in web/package-lock.json\n- [ ] T2 [P] b in web/package-lock.json\n";
        assert_eq!(edges(&graph(named)), "T2 <- T1 file\n", "who names it means it");
    }

    #[test]
    fn a_stronger_order_turns_the_order_of_files() {
        let plan = graph("- [ ] T1 [P] in src/a.rs (depends on T2)\n- [ ] T2 [P] in src/a.rs\n");
        assert_eq!(edges(&plan), "T1 <- T2 explicit\n");
    }

    #[test]
    fn an_absolute_path_is_another_place() {
        let plan = graph("- [ ] T1 [P] in src/a.rs\n- [ ] T2 [P] in /src/a.rs\n- [ ] T3 [P] in /src/a.rs\n");
        assert_eq!(edges(&plan), "T3 <- T2 file\n");
    }
}

mod weak_rules {
    use super::*;

    #[test]
    fn a_layer_needs_every_lower_one_also_behind_it() {
        let plan = graph("- [ ] T1 [P] [L1] a\n- [ ] T2 [P] [L0] b\n- [ ] T3 [P] [L2] c\n- [ ] T4 [P] d\n");
        assert_eq!(edges(&plan), "T1 <- T2 layer\nT3 <- T1 layer\nT3 <- T2 layer\n");
    }

    #[test]
    fn the_lane_is_stronger_than_the_layer() {
        let plan = graph("- [ ] T1 [L1] a\n- [ ] T2 [L0] b\n");
        assert_eq!(edges(&plan), "T2 <- T1 lane\n");
    }

    #[test]
    fn with_tdd_a_storys_tests_come_first() {
        let text = "- [ ] T1 [US1] Create model in src/m.rs\n- [ ] T2 [US1] Create service\n- [ ] T3 [US1] Write tests in tests/m.rs\n- [ ] T4 [US2] Other\n- [ ] T5 [US1] Run all tests\n";
        let plan = planned(text, &Options { tdd: true, ..options(Mode::Graph) }).0;
        assert_eq!(edges(&plan), "T1 <- T3 tdd\nT2 <- T1 lane\nT2 <- T3 tdd\nT5 <- T2 lane\nT5 <- T3 tdd\n");
        assert!(is_before(&graph(text), "T2", "T3"));
    }

    #[test]
    fn tdd_gives_way_to_what_was_stated() {
        let text = "- [ ] T1 [P] [US1] Create model\n- [ ] T2 [P] [US1] Write tests (depends on T1)\n- [ ] T3 [P] [US1] Create view\n";
        let plan = planned(text, &Options { tdd: true, ..options(Mode::Graph) }).0;
        assert_eq!(edges(&plan), "T2 <- T1 explicit\nT3 <- T2 tdd\n");
    }

    #[test]
    fn prose_orders_if_nothing_contradicts_it() {
        let text = "- [ ] T1 [P] a\n- [ ] T2 [P] b\n- [ ] T3 [P] c\nT2 after T1\nT1 after T3\n";
        let (plan, found) = planned(text, &options(Mode::Graph));
        assert_eq!(edges(&plan), "T1 <- T3 prose\nT2 <- T1 prose\n");
        assert!(before(&plan, true).is_empty() && found.is_empty());
        let needed = planned(text, &Options { prose: ProseDeps::Needs, ..options(Mode::Graph) }).0;
        assert_eq!(before(&needed, true).len(), 3);
        let ignored = planned(text, &Options { prose: ProseDeps::Ignore, ..options(Mode::Graph) }).0;
        assert_eq!(edges(&ignored), "");
    }

    #[test]
    fn prose_that_would_close_a_circle_is_dropped_with_a_warning() {
        let text = "- [ ] T1 [P] a\n- [ ] T2 [P] b\n- [ ] T3 [P] c\nT2 after T1\nT3 after T2\nT1 after T3\n";
        let (plan, found) = planned(text, &options(Mode::Graph));
        assert_eq!(codes(&found), [Code::ProseDropped]);
        assert_eq!(edges(&plan), "T2 <- T1 prose\nT3 <- T2 prose\n");
    }

    #[test]
    fn a_story_after_a_story_orders_all_their_tasks() {
        let tasks: String = (0..20).map(|n| format!("- [ ] T{n} [P] [US{}] a\n", n % 2 + 1)).collect();
        let (plan, found) = planned(&format!("{tasks}US1 after US2\n"), &options(Mode::Graph));
        assert!(is_before(&plan, "T1", "T18") && is_before(&plan, "T19", "T0"));
        assert!(found.is_empty());
        let (_, found) = planned(&format!("{tasks}US1 after US2\nUS2 after US1\n"), &options(Mode::Graph));
        assert_eq!(codes(&found), [Code::ProseDropped]);
    }

    #[test]
    fn an_unknown_id_in_prose_is_only_a_warning() {
        let (_, found) = planned("- [ ] T1 a\nT9 after T1\nT1 after T1\n", &options(Mode::Graph));
        assert_eq!(codes(&found), [Code::UnknownDependency]);
    }

    #[test]
    fn one_task_at_a_time_follows_the_file_as_far_as_edges_let_it() {
        let plan = planned(
            "- [ ] T1 [US1] a\n- [x] T2 [US2] b\n- [ ] T3 [US3] c\n- [ ] T4 [US4] d\n",
            &Options::default(),
        )
        .0;
        assert_eq!(edges(&plan), "T3 <- T1 mode\nT4 <- T3 mode\n");
    }
}

mod selection {
    use super::*;

    const FEATURE: &str = indoc! {"
        ## Phase 1: Setup
        - [ ] T001 a
        ## Phase 2: Foundational
        - [x] T002 b
        ## Phase 3: User Story 1 (Priority: P1)
        - [ ] T003 [US1] c in src/a/x.rs
        - [ ] T004 [P] [US1] d
        ## Phase 4: User Story 2 (Priority: P2)
        - [ ] T005 [US2] [FR-1] e in src/b/y.rs
        ## Phase 5: Polish
        - [ ] T006 f
    "};

    fn with(selection: Selection) -> Vec<String> {
        run_ids(&planned(FEATURE, &select(Selection { with_needs: true, ..selection })).0)
    }

    fn filter(text: &str) -> Vec<String> {
        with(Selection { filters: vec![text.into()], ..Selection::default() })
    }

    #[test]
    fn what_is_needed_and_left_out_is_an_error_that_lists_it() {
        let stories = Selection { stories: vec!["US2".into()], ..Selection::default() };
        let found = errors(FEATURE, &select(stories.clone()));
        assert_eq!(codes(&found), [Code::NotSelected]);
        assert_eq!(found[0].message, "1 open task that is not selected is needed: `T001`");
        assert_eq!(found[0].help, ["add `--with-needs` to run what is needed as well"]);
        assert_eq!(with(stories), ["T001", "T005"]);
    }

    #[test]
    fn each_way_to_select() {
        let list = |name: &str| vec![name.to_owned()];
        assert_eq!(
            with(Selection { stories: list("us1,US2"), ..Selection::default() }),
            ["T001", "T003", "T004", "T005"]
        );
        assert_eq!(with(Selection { only: list("T3"), ..Selection::default() }), ["T001", "T003"]);
        assert_eq!(
            with(Selection { only: list("T003..T004"), ..Selection::default() }),
            ["T001", "T003", "T004"]
        );
        assert_eq!(with(Selection { until: Some("T003".into()), ..Selection::default() }), ["T001", "T003"]);
        assert_eq!(
            with(Selection { from: Some("T005".into()), until: Some("T005".into()), ..Selection::default() }),
            ["T001", "T005"]
        );
        assert_eq!(with(Selection { phases: list("1"), ..Selection::default() }), ["T001"]);
        assert_eq!(with(Selection { phases: list("setup"), ..Selection::default() }), ["T001"]);
        assert_eq!(with(Selection { mvp: true, ..Selection::default() }), ["T001", "T003", "T004"]);
    }

    #[test]
    fn each_term_of_a_filter() {
        assert_eq!(filter("P1"), ["T001", "T003", "T004"]);
        assert_eq!(filter("US2"), ["T001", "T005"]);
        assert_eq!(filter("FR-1"), ["T001", "T005"]);
        assert_eq!(filter("phase:1"), ["T001"]);
        assert_eq!(filter("T001..T003"), ["T001", "T003"]);
        assert_eq!(filter("path:src/a/**"), ["T001", "T003"]);
        assert_eq!(filter("not (US1 or US2) and not phase:5"), ["T001"]);
        assert_eq!(filter("US1 or US2 and P1"), ["T001", "T003", "T004"]);
    }

    #[test]
    fn a_story_means_its_parts_and_no_longer_number() {
        let text = "- [ ] T1 [US1.1] a\n- [ ] T2 [US1.2] b\n- [ ] T3 [US10] c\n";
        let ids = |story: &str| {
            run_ids(
                &planned(text, &select(Selection { stories: vec![story.into()], ..Selection::default() })).0,
            )
        };
        assert_eq!(ids("US1"), ["T1", "T2"]);
        assert_eq!(ids("US1.1"), ["T1"]);
    }

    #[test]
    fn unknown_names_are_errors_with_the_nearest() {
        let found = |selection: Selection| errors(FEATURE, &select(selection)).remove(0);
        let list = |name: &str| vec![name.to_owned()];
        let story = found(Selection { stories: list("US9"), ..Selection::default() });
        assert_eq!((story.code, &story.help[0][..]), (Code::UnknownSelection, "did you mean `US1`?"));
        let id = found(Selection { only: list("T033"), ..Selection::default() });
        assert_eq!(
            (id.code, &id.help[0][..]),
            (Code::UnknownSelection, "a task with a similar id exists: `T003`")
        );
        let phase = found(Selection { phases: list("Polsh"), ..Selection::default() });
        assert_eq!(phase.code, Code::UnknownSelection);
        let name = found(Selection { filters: list("P7"), ..Selection::default() });
        assert_eq!((name.code, &name.help[0][..]), (Code::UnknownSelection, "did you mean `P1`?"));
        let bad = found(Selection { filters: list("(US1"), ..Selection::default() });
        assert_eq!(bad.code, Code::BadFilter);
        let nothing = found(Selection { stories: list("US1"), phases: list("1"), ..Selection::default() });
        assert_eq!(nothing.code, Code::NothingSelected);
    }

    #[test]
    fn left_out_tasks_pass_order_on_and_needs_on_them_are_errors() {
        let text = "- [ ] T1 a\n- [~] T2 b\n- [ ]* T3 c\n- [ ] T4 DROPPED d\n- [ ] T5 e\n";
        let plan = graph(text);
        assert_eq!(run_ids(&plan), ["T1", "T5"]);
        assert!(needs(&plan, "T1", "T5"));
        for on in ["T2", "T3", "T4"] {
            let found =
                errors(&text.replace("e\n", &format!("e (depends on {on})\n")), &options(Mode::Graph));
            assert_eq!(codes(&found), [Code::NeedsUnclear], "{on}");
        }
    }

    #[test]
    fn marks_are_read_as_told() {
        let text = "- [~] T1 a\n- [~] T2 b (depends on T1)\n";
        let treat = |treat| Options { treat: vec![("~".into(), treat)], ..options(Mode::Graph) };
        assert_eq!(run_ids(&planned(text, &treat(Treat::Open)).0), ["T1", "T2"]);
        assert_eq!(role(&planned(text, &treat(Treat::Done)).0, "T1"), Role::Done);
        assert_eq!(role(&planned(text, &treat(Treat::Skip)).0, "T1"), Role::LeftOut(LeftOut::Dropped));
    }

    #[test]
    fn optional_and_dropped_tasks_run_when_asked_for() {
        let text = "- [ ]* T1 [P] a\n- [ ] T2 [P] DROPPED b\n- [ ] T3 [P] c\n";
        let include = select(Selection { include_optional: true, ..Selection::default() });
        assert_eq!(run_ids(&planned(text, &include).0), ["T1", "T3"]);
        let only = select(Selection { only: vec!["T2".into(), "T1".into()], ..Selection::default() });
        assert_eq!(run_ids(&planned(text, &only).0), ["T1", "T2"]);
    }

    #[test]
    fn a_manual_task_is_never_run_and_said_where_something_waits_for_it() {
        let text = "- [ ] T1 [P] [MANUAL] a\n- [ ] T2 [P] b (depends on T1)\n";
        let (plan, found) = planned(text, &options(Mode::Graph));
        assert_eq!(role(&plan, "T1"), Role::LeftOut(LeftOut::Manual));
        assert_eq!(codes(&found), [Code::ManualTask]);
    }
}

mod overlap {
    use super::*;

    #[test]
    fn the_four_modes_decide_who_may_overlap() {
        let text = "- [ ] T1 [P] [US1] a\n- [ ] T2 [P] [US2] b\n- [ ] T3 [US2] c\n- [ ] T4 d\n- [ ] T5 [US1] [US2] e\n- [ ] T6 [US1] f\n";
        let allowed = |mode| {
            let plan = planned(text, &options(mode)).0;
            let pairs = plan.task_ixs().flat_map(|a| (a.0 + 1..6).map(move |b| (a, TaskIx(b))));
            let names = |(a, b): (TaskIx, TaskIx)| format!("{}{}", a.0 + 1, b.0 + 1);
            pairs.filter(|(a, b)| plan.may_overlap(*a, *b)).map(names).collect::<Vec<_>>()
        };
        assert!(allowed(Mode::Sequential).is_empty());
        assert_eq!(allowed(Mode::Parallel), ["12"]);
        assert_eq!(allowed(Mode::Stories), ["12", "13", "26", "36"]);
        assert_eq!(allowed(Mode::Graph).len(), 15);
    }
}

mod order {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_longest_remaining_path_is_known() {
        let plan = graph(
            "- [ ] T1 [P] Create model\n- [ ] T2 [P] Update docs (depends on T1)\n- [ ] T3 [P] Write tests (depends on T1)\n- [x] T4 [P] done (depends on T3)\n",
        );
        let remaining: Vec<u64> =
            plan.planned.iter().map(|planned| Duration::from(planned.remaining).as_secs()).collect();
        assert_eq!(remaining, [33, 5, 18, 0]);
        let path: Vec<&str> = plan.critical_path().iter().map(|task| plan.task(*task).id.as_str()).collect();
        assert_eq!(path, ["T1", "T3"]);
    }

    #[test]
    fn measured_durations_win_and_their_median_is_the_rest() {
        let by_task = [("T1", 10), ("T2", 30), ("T9", 20)]
            .map(|(id, secs)| (TaskId::new(id), Duration::from_secs(secs)));
        let options = Options { estimates: Estimates { by_task: by_task.into() }, ..options(Mode::Graph) };
        let plan = planned("- [ ] T1 model\n- [ ] T2 b\n- [ ] T3 model\n", &options).0;
        let estimates: Vec<u64> =
            plan.planned.iter().map(|planned| Duration::from(planned.estimate).as_secs()).collect();
        assert_eq!(estimates, [10, 30, 20]);
    }
}

mod lint {
    use super::*;

    #[test]
    fn relations_that_look_wrong_are_warned_about() {
        let warned = |text: &str| codes(&planned(text, &options(Mode::Graph)).1);
        assert_eq!(warned("- [ ] T1 a\n- [x] T2 b (depends on T1)\n"), [Code::DoneNeedsOpen]);
        assert_eq!(warned("- [ ] T1 Commit: `feat: all of it`\n"), [Code::GitTask]);
        assert_eq!(warned("- [ ] T1 [run] Commit: `feat: all of it`\n"), []);
        assert_eq!(warned("- [x] T1 [P] in a/b\n- [ ] T2 [P] in a/b\n"), [], "what is done overlaps nothing");
    }
}

mod size {
    use super::*;

    #[test]
    fn a_large_plan_has_a_few_edges_per_task_and_an_explanation_of_each() {
        let (layers, width) = (200, 50);
        let mut text = String::new();
        for n in 0..layers * width {
            text += &format!("- [ ] T{n} [P] Do it in src/f{n}");
            if n >= width {
                text +=
                    &format!(" (depends on T{}, T{})", n - width, (n / width - 1) * width + n * 7 % width);
            }
            text += "\n";
        }
        let document = super::fixture::document(&text);
        let start = std::time::Instant::now();
        let (plan, found) = plan(document, &options(Mode::Graph)).unwrap();
        println!("{} tasks, {} edges: {:?}", plan.tasks.len(), plan.graph.edge_count(), start.elapsed());
        assert!(found.is_empty());
        assert!(plan.graph.edge_count() <= 2 * plan.tasks.len());
        assert_eq!(plan.critical_path().len(), layers);
    }

    #[test]
    fn a_chain_of_any_length_fits_the_stack() {
        let text: String =
            (0..30_000).map(|n| format!("- [ ] T{n} [P] a (depends on T{})\n", (n + 1) % 30_000)).collect();
        assert_eq!(codes(&errors(&text, &Options::default())), [Code::Cycle]);
        let open = text.replacen(" (depends on T1)", "", 1);
        assert_eq!(planned(&open, &Options::default()).0.critical_path().len(), 30_000);
    }
}

mod filter_and_glob {
    use crate::plan::filter::{self, Step};
    use crate::plan::glob::Glob;

    fn steps(text: &str) -> String {
        let name = |step: &Step<'_>| match step {
            Step::Name(word) => word.text.to_owned(),
            Step::Not => "!".into(),
            Step::And => "&".into(),
            Step::Or => "|".into(),
        };
        match filter::parse(text) {
            Ok(steps) => steps.iter().map(name).collect::<Vec<_>>().join(" "),
            Err(bad) => format!("{} at {}", bad.why, bad.at),
        }
    }

    #[test]
    fn operators_bind_as_usual() {
        assert_eq!(steps("a or b and not c"), "a b c ! & |");
        assert_eq!(steps("(a or b) and c"), "a b | c &");
        assert_eq!(steps("not not a"), "a ! !");
        assert_eq!(steps("a,b||c && !d"), "a b | c d ! & |");
        assert_eq!(
            steps("path:app/(auth)/{a,b}.ts or tag:\"x y\""),
            "path:app/(auth)/{a,b}.ts tag:\"x y\" |"
        );
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        assert_eq!(steps(""), "a name is missing at the end at 0");
        assert_eq!(steps("a and"), "a name is missing at the end at 5");
        assert_eq!(steps("a b"), "`and` or `or` is missing before `b` at 2");
        assert_eq!(steps("(a"), "a `(` without its `)` at 0");
        assert_eq!(steps("a)"), "a `)` without its `(` at 1");
    }

    #[test]
    fn parentheses_of_any_depth_need_no_stack() {
        let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(steps(&deep), "a");
    }

    #[test]
    fn globs_follow_components() {
        let fits = |pattern: &str, path: &str| Glob::new(pattern).fits(path);
        for (pattern, path) in [
            ("src/**", "src/a/b.rs"),
            ("src/**", "src"),
            ("src/*.rs", "src/a.rs"),
            ("**/a.rs", "a.rs"),
            ("**/a.rs", "x/y/a.rs"),
            ("src/**/a.rs", "src/a.rs"),
            ("src", "src/deep/a.rs"),
            ("src/{a,b}.rs", "src/b.rs"),
            ("s?c/a.rs", "src/a.rs"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("src/*.rs", "src/a/b.rs"), ("**/a.rs", "ba.rs"), ("src/**", "srcs/a"), ("src", "srcs")]
        {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }
}
